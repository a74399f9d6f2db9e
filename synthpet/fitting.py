"""Train one fold's generator with Lightning; continue where an interrupted run stopped."""

import json
import logging
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers.logger import Logger
from torch import nn

from synthpet.cohort import Fold
from synthpet.cohort.files import sha256, write_text
from synthpet.console import bar, say
from synthpet.device import resolve_precision
from synthpet.gan import ConditionalGAN
from synthpet.generators import CONFIG, save_generator
from synthpet.inference import synthesise
from synthpet.patches.data import MASK, PET, T1W, PatchDataModule
from synthpet.stage import Stage

CHECKPOINT = "last.ckpt"


def fit_fold(cfg: DictConfig, stage: Stage, fold: Fold, volumes: dict[str, Path], affine: NDArray[np.float64]) -> None:
    """Train one fold and write its folder: weights, checkpoint, configuration, metrics, manifest.

    Args:
        cfg: configuration of ``train``.
        stage: the fold's folder and what determines it.
        fold: who trains and who is left out.
        volumes: cached (T1, PET, mask) by participant.
        affine: (4, 4) of the cohort's grid.
    """
    stage.ensure(lambda: _fit(cfg, stage.folder, fold, volumes, affine))


def _fit(
    cfg: DictConfig, folder: Path, fold: Fold, volumes: dict[str, Path], affine: NDArray[np.float64]
) -> list[Path]:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # its greetings tell a user nothing
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    model = build_model(cfg, seed=cfg.seed * 1000 + fold.index)
    steps_per_epoch = min(cfg.trainer.steps_per_checkpoint, cfg.gan.n_steps)
    data = PatchDataModule(
        [volumes[participant] for participant in fold.train],
        affine,
        patch_size=cfg.gan.patch_size,
        batch_size=cfg.gan.batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=cfg.seed * 1000 + fold.index,
        num_workers=cfg.trainer.num_workers,
    )
    checkpoint = _checkpoint_to_continue(cfg, folder, fold, {s: sha256(volumes[s]) for s in fold.train})
    metrics = MetricsFile(folder / "metrics.jsonl", keep_until=steps_done(checkpoint))
    example = Example(cfg, volumes[fold.test[0]], affine)
    trainer = pl.Trainer(
        max_epochs=-(-cfg.gan.n_steps // steps_per_epoch),
        accelerator=cfg.trainer.accelerator,
        devices=cfg.trainer.devices,
        strategy=cfg.trainer.strategy,
        precision=resolve_precision(cfg.trainer.precision, cfg.trainer.accelerator),
        logger=[metrics, *_wandb_loggers(cfg, folder, fold)],
        callbacks=[SaveCheckpoint(folder / CHECKPOINT), ProgressLines(f"fold {fold.index}", cfg.gan.n_steps), example],
        log_every_n_steps=10,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,  # each epoch goes on where the numbered sequence stood
        default_root_dir=folder,
    )
    try:
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    finally:
        _finish_wandb(cfg)  # or the next fold of this process would write into the same run
    weights = save_generator(model.ema.module, folder)
    return [weights, folder / CONFIG, folder / metrics.path.name]


def build_model(cfg: DictConfig, seed: int) -> ConditionalGAN:
    """The model of a configuration, from plain values only."""
    gan = OmegaConf.to_container(cfg.gan, resolve=True)
    assert isinstance(gan, dict)  # noqa: S101 - a config group is a mapping
    own = {key: gan[key] for key in gan if key not in ("name", "patch_size", "stride", "batch_size", "n_folds")}
    return ConditionalGAN(
        **own,  # type: ignore[arg-type]
        n_slices=gan["patch_size"][2],
        compile=cfg.trainer.compile,
        channels_last=cfg.trainer.channels_last,
        seed=seed,
    )


def _checkpoint_to_continue(cfg: DictConfig, folder: Path, fold: Fold, train: dict[str, str]) -> Path | None:
    """The checkpoint of an interrupted run of the same configuration and images; otherwise a fresh start is prepared.

    ``train``: SHA-256 of each training subject's cached images, so that a mended image is not passed over.
    """
    precision = resolve_precision(cfg.trainer.precision, cfg.trainer.accelerator)
    config = {"gan": cfg.gan, "precision": precision, "seed": cfg.seed}
    text = OmegaConf.to_yaml(config | {"fold": fold.index, "train": train}, resolve=True)
    before = folder / CONFIG
    checkpoint = folder / CHECKPOINT
    if before.is_file() and before.read_text() == text and checkpoint.is_file():
        say(f"fold {fold.index}: continuing from {checkpoint}")
        return checkpoint
    checkpoint.unlink(missing_ok=True)
    write_text(before, text)
    return None


def steps_done(checkpoint: Path | None) -> int:
    """Training steps behind a checkpoint; 0 where there is none."""
    if checkpoint is None:
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]["step"])


class SaveCheckpoint(pl.Callback):
    """At the end of each epoch, replace the last checkpoint by a whole new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write beside it, then rename."""
        temporary = self.path.with_name(f".partial-{self.path.name}")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            temporary.replace(self.path)


class ProgressLines(pl.Callback):
    """A bar with steps, losses and remaining time, a line every 15 s: folds that train side by side stay readable."""

    def __init__(self, label: str, n_steps: int, every_s: float = 15) -> None:
        self.label, self.n_steps, self.every_s = label, n_steps, every_s
        self.start = self.last = time.monotonic()
        self.first_step: int | None = None

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Say where the training stands, now and then."""
        step, now = int(pl_module.step), time.monotonic()  # type: ignore[arg-type]
        if self.first_step is None:
            self.first_step, self.start = step, now
        if now - self.last < self.every_s or step <= self.first_step:
            return
        self.last = now
        left = (now - self.start) / (step - self.first_step) * (self.n_steps - step)
        losses = ", ".join(
            f"{name.removeprefix('train/loss_')} {float(value):.3f}"
            for name, value in trainer.callback_metrics.items()
            if name.startswith("train/loss_")
        )
        say(f"{self.label} {bar(step, self.n_steps)} {step}/{self.n_steps}, {left:.0f} s left, losses: {losses}")


class Example(pl.Callback):
    """Every so many steps, the PET of one left-out subject: an error to watch, and slices for W&B.

    It steers nothing: no stopping, no choice of a checkpoint. Slices are logged for simulated cohorts only.
    """

    def __init__(self, cfg: DictConfig, volume: Path, affine: NDArray[np.float64]) -> None:
        self.cfg, self.affine = cfg, affine
        self.volume = np.load(volume, mmap_mode="r", allow_pickle=False)
        self.every = int(cfg.logger.get("images_every", 500))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Synthesise, log ``val/mae`` and, where allowed, the picture."""
        step = int(pl_module.step)  # type: ignore[arg-type]
        if step % self.every:
            return
        t1w, real, mask = np.array(self.volume[T1W]), np.array(self.volume[PET]), self.volume[MASK] > 0
        model: nn.Module = pl_module.ema.module  # type: ignore[assignment, union-attr]
        model.eval()
        pet = synthesise(
            model,
            t1w,
            mask,
            self.affine,
            patch_size=self.cfg.gan.patch_size,
            stride=self.cfg.gan.stride,
            coordinates=self.cfg.gan.coordinates,
            device=pl_module.device,
        )
        pl_module.log("val/mae", float(np.abs(pet - real)[mask].mean()))
        if self.cfg.cohort.source == "phantom":
            self._log_slices(trainer, np.stack([t1w, real, pet]))

    def _log_slices(self, trainer: pl.Trainer, volumes: NDArray[np.float32]) -> None:
        from pytorch_lightning.loggers import WandbLogger

        middle = np.rot90(volumes[:, :, :, volumes.shape[3] // 2], axes=(1, 2))
        picture = np.concatenate(list(np.clip(middle / 1.6, 0, 1)), axis=1)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                caption = "simulated T1, simulated PET, synthetic PET of a left-out subject"
                logger.log_image("example", [(picture * 255).astype(np.uint8)], caption=[caption])


class MetricsFile(Logger):
    """``metrics.jsonl``: one JSON object a logged step, written whatever happens to other loggers.

    Args:
        path: the file.
        keep_until: a continued run keeps the rows up to its checkpoint's step; 0 starts the file anew.
    """

    def __init__(self, path: Path, *, keep_until: int) -> None:
        super().__init__()
        self.path = path
        rows = path.read_text().splitlines() if keep_until and path.is_file() else []
        write_text(path, "".join(f"{row}\n" for row in rows if json.loads(row)["step"] < keep_until))

    @property
    def name(self) -> str:
        """Lightning's name of this logger."""
        return "metrics"

    @property
    def version(self) -> int:
        """There is one version."""
        return 0

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The configuration lies in ``config.yaml``."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row."""
        row = {"step": step, **{k: (v if np.isfinite(v) else None) for k, v in metrics.items()}}
        with self.path.open("a") as stream:
            stream.write(json.dumps(row) + "\n")


def _wandb_loggers(cfg: DictConfig, folder: Path, fold: Fold) -> list[Logger]:
    if cfg.logger.name != "wandb":
        return []
    try:
        from pytorch_lightning.loggers import WandbLogger

        os.environ.setdefault("WANDB_SILENT", "true")
        logger = WandbLogger(
            project=cfg.logger.project,
            offline=cfg.logger.mode != "online",
            save_dir=folder,
            group=cfg.study_name,
            job_type="train",
            name=f"{cfg.gan.name}-fold-{fold.index}",
        )
        logger.experiment.config.update({"gan": OmegaConf.to_container(cfg.gan, resolve=True), "seed": cfg.seed})
    except Exception as error:
        say(f"W&B is not used ({error}); metrics.jsonl goes on")
        return []
    return [logger]


def _finish_wandb(cfg: DictConfig) -> None:
    if cfg.logger.name == "wandb":
        import wandb

        wandb.finish()
