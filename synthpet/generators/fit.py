"""Train one fold's generator with Lightning; continue where an interrupted run stopped."""

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import yaml
from numpy.typing import NDArray
from torch import nn

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Fold
from synthpet.cohort.files import sha256, write_bytes
from synthpet.cohort.paths import METRICS, Paths
from synthpet.cohort.text import read_rows
from synthpet.errors import DiskError
from synthpet.generators.look import write_look
from synthpet.generators.options import TrainingStudy
from synthpet.generators.patches.data import PatchDataModule, Sampling, naming_loaders
from synthpet.generators.patchwise import PatchCover, synthesise
from synthpet.generators.registry import GENERATORS
from synthpet.generators.trained import CONFIG, WEIGHTS, save_generator, write_inference, write_seen
from synthpet.learning.checkpoints import checkpoint_to_continue
from synthpet.learning.lightning import fit
from synthpet.learning.model_card import generator_kind, write_model_card
from synthpet.learning.progress import ProgressLines, Speed
from synthpet.learning.several_devices import DEFAULT, is_first, n_devices, train_on
from synthpet.learning.volumes import MASK, TARGET, check_cached
from synthpet.runtime.device import resolve_precision
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.tracking import pictures_of

TELLS_NOBODY = "_mask.nii.gz"  # the end of images by which a person is not known again


def fit_fold(
    study: TrainingStudy,
    stage: Stage,
    fold: Fold,
    volumes: dict[str, Path],
    affine: NDArray[np.float64],
    *,
    lines: bool,
) -> None:
    """Train one fold and write its folder: weights, checkpoint, configuration, metrics, manifest.

    Args:
        study: options of ``train``.
        stage: the fold's folder and what determines it.
        fold: who trains and who is left out.
        volumes: cached sources, target and mask by participant; the target of unpaired ones is 0.
        affine: (4, 4) of the cohort's grid.
        lines: whether to say where the training stands.
    """

    def make() -> list[Path]:
        for someone in (*fold.train[:1], *fold.unpaired[:1]):
            check_cached(volumes[someone].parent, stage.input_hashes())
        images = [path for path in map(Path, stage.inputs) if not path.name.endswith(TELLS_NOBODY)]
        return [*_fit(study, stage.folder, fold, volumes, affine, lines), write_seen(stage.folder, images)]

    stage.ensure(make)


def _fit(
    study: TrainingStudy, folder: Path, fold: Fold, volumes: dict[str, Path], affine: NDArray[np.float64], lines: bool
) -> list[Path]:
    checkpoint = _checkpoint_to_continue(study, folder, fold, _hashes(volumes, fold))
    n = n_devices(study.trainer)
    if n == 1:
        _train(study, folder, fold, volumes, affine, lines, checkpoint, several=False)
    else:
        train_on(n, _train, study, folder, fold, volumes, affine, lines, checkpoint, True)
    metrics = folder / METRICS
    about = [write_inference(folder, study.gan.stride, study.gan.sampling), _model_card(study, folder, fold, metrics)]
    return [folder / WEIGHTS, folder / CONFIG, metrics, *about]


def _train(
    study: TrainingStudy,
    folder: Path,
    fold: Fold,
    volumes: dict[str, Path],
    affine: NDArray[np.float64],
    lines: bool,
    checkpoint: Path | None,
    several: bool,
) -> None:
    """The training itself, in each device's process where there are several; the first one writes."""
    seed = study.seed * 1000 + fold.index
    model = GENERATORS.load(study.gan.method).of(study.gan, study.trainer, seed)
    steps_per_epoch = min(study.trainer.steps_per_checkpoint, study.gan.n_steps)
    data = PatchDataModule(
        [volumes[participant] for participant in fold.train],
        affine,
        Sampling(study.gan.patch_size, study.gan.batch_size, study.gan.coordinates, seed),
        unpaired=[volumes[participant] for participant in fold.unpaired],
        steps_per_epoch=steps_per_epoch,
        num_workers=study.trainer.num_workers,
    )
    watched = lines and is_first()
    watching: list[pl.Callback] = [ProgressLines(f"fold {fold.index}", study.gan.n_steps)] if watched else []
    strategy = DEFAULT if several and study.trainer.strategy == "auto" else study.trainer.strategy
    with naming_loaders():
        fit(
            model,
            data,
            folder,
            checkpoint,
            replace(study.trainer, strategy=strategy),
            callbacks=[*watching, Speed(study.gan.batch_size), Example(study, volumes[fold.test[0]], affine, folder)],
            max_epochs=-(-study.gan.n_steps // steps_per_epoch),
        )
    if is_first():
        save_generator(model.network, folder)


def _hashes(volumes: dict[str, Path], fold: Fold) -> dict[str, str]:
    return {participant: sha256(volumes[participant]) for participant in (*fold.train, *fold.unpaired)}


def _model_card(study: TrainingStudy, folder: Path, fold: Fold, metrics: Path) -> Path:
    errors = [row["val/mae"] for row in read_rows(metrics) if row.get("val/mae")]
    unit = " SUVR" if study.gan.target == "pet" else ""
    return write_model_card(
        folder,
        generator_kind(study.gan.method, study.gan.sources, study.gan.target),
        f"generator {study.gan.name}, fold {fold.index}",
        open_cohort(study),
        (*fold.train, *fold.unpaired),
        {"gan": plain(study.gan.values), "seed": study.seed, "fold": fold.index},
        [folder / WEIGHTS],
        [f"mean absolute error of one left-out control at the end of training: {errors[-1]:.3f}{unit}"]
        if errors
        else [],
    )


def _checkpoint_to_continue(study: TrainingStudy, folder: Path, fold: Fold, train: dict[str, str]) -> Path | None:
    """The checkpoint of an interrupted run of the same configuration and images; otherwise a fresh start is prepared.

    ``train``: SHA-256 of each training subject's cached images, so that a mended image is not passed over.
    """
    precision = resolve_precision(study.trainer.precision, study.trainer.accelerator)
    config = {"gan": study.gan.of_training(), "precision": precision, "seed": study.seed}
    text = yaml.safe_dump(config | {"fold": fold.index, "train": train}, sort_keys=False, allow_unicode=True)
    return checkpoint_to_continue(folder, f"fold {fold.index}", folder / CONFIG, text)


class Example(pl.Callback):
    """Every so many steps, the target of one left-out subject: error and contrast to watch, slices where allowed.

    Those of the first fold are also written as a picture for the reader (``look``).

    ``val/contrast``: standard deviation over the brain, divided by that of the measured target.

    It steers nothing: no stopping, no choice of a checkpoint.
    """

    def __init__(self, study: TrainingStudy, volume: Path, affine: NDArray[np.float64], folder: Path) -> None:
        self.study, self.affine = study, affine
        self.pictures = pictures_of(study, study.gan.folder_name, folder.name)
        self.volume = np.load(volume, mmap_mode="r", allow_pickle=False)
        self.every = study.logger.images_every
        self.shows = folder.name == Paths.fold(folder.parent, 0).name

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Synthesise, log ``val/mae`` and, where allowed, leave the picture for the run of W&B."""
        step = int(pl_module.step)  # type: ignore[arg-type]
        if step % self.every or not is_first():
            return
        sources, real, mask = np.array(self.volume[:TARGET]), np.array(self.volume[TARGET]), self.volume[MASK] > 0
        network: nn.Module = pl_module.network  # type: ignore[assignment]
        learning = network.training
        gan = self.study.gan
        made = synthesise(
            network.eval(),
            sources,
            mask,
            self.affine,
            PatchCover(gan.patch_size, gan.stride, gan.sampling),
            coordinates=gan.coordinates,
            device=pl_module.device,
        )
        network.train(learning)
        contrast = float(made[mask].std() / real[mask].std())
        pl_module.log_dict({"val/mae": float(np.abs(made - real)[mask].mean()), "val/contrast": contrast})
        if self.shows:
            with suppress(DiskError):  # a picture fewer stops no training
                write_look(self.study, step, [*sources, real, made], mask, self.affine)
        if self.pictures is not None:
            with suppress(DiskError):
                png = as_png(slices(sources[0], real, made))
                write_bytes(self.pictures / f"{step - 1:08d}.png", png)  # the step of the metrics


def slices(*volumes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The middle transverse slice of (I, J, K) volumes side by side; grey from 0 to 1.6 (MRI scaled, SUVR)."""
    middle = np.rot90(np.stack(volumes)[:, :, :, volumes[0].shape[2] // 2], axes=(1, 2))
    return (np.concatenate(list(np.clip(middle / 1.6, 0, 1)), axis=1) * 255).astype(np.uint8)


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """The file of a grey picture (rows, columns)."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "png")
    return stream.getvalue()
