"""Train the siamese autoencoder on pairs of controls; continue where an interrupted run stopped.

    L = |x1 - x1'|^2 + |x2 - x2'|^2 - alpha cos(z1, z2)

x1, x2: patches at the same place in two controls; x': their reconstructions; z: their latent vectors.
Source: Alaverdyan et al. 2020, Pinon et al. 2023.
Not in the paper: squares are averaged over the voxels of a patch; learning rate and its decay; blocks of patches.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from synthpet.cohort.files import json_text, sha256, write_json
from synthpet.errors import TrainingError
from synthpet.learning.checkpoints import checkpoint_to_continue
from synthpet.learning.lightning import fit
from synthpet.learning.options import TrainerOptions
from synthpet.learning.progress import ProgressLines
from synthpet.learning.schedule import cosine_schedule
from synthpet.runtime.device import resolve_precision
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.options import AutoencoderOptions
from uad.detectors.latent.representation.pairs import MASK, PairBatch, PairBatches, open_volumes
from uad.detectors.latent.representation.quality import describe_representation
from uad.detectors.latent.representation.storage import CONFIG, REPORT, save_autoencoder

N_REPORT = 4096  # pairs of patches on which the trained network is described


class SiameseTraining(pl.LightningModule):
    """The training of a siamese autoencoder.

    Args:
        model: options of ``SiameseAutoencoder``.
        mean: of each modality over the brains of the training set.
        std: likewise.
        alpha: weight of the cosine of matched latent vectors.
        learning_rate: of Adam; cosine decay to 2 % after a short linear rise.
        n_steps: training steps in all.
        seed: of the weights.
    """

    def __init__(
        self,
        *,
        model: dict[str, Any],
        mean: Sequence[float],
        std: Sequence[float],
        alpha: float,
        learning_rate: float,
        n_steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        torch.manual_seed(seed)
        self.model = SiameseAutoencoder(**model)
        self.model.mean.copy_(torch.tensor(mean))
        self.model.std.copy_(torch.tensor(std))
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def on_train_batch_start(self, batch: PairBatch, batch_index: int) -> None:
        """Set the learning rate, a function of the step alone."""
        rate = self.hparams["learning_rate"] * cosine_schedule(int(self.step), self.hparams["n_steps"])
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def training_step(self, batch: PairBatch, batch_index: int) -> Tensor:
        """The loss of one batch of pairs."""
        reconstruction, cosine = pair_terms(self.model, batch)
        loss = reconstruction - self.hparams["alpha"] * cosine
        if not torch.isfinite(loss):
            raise TrainingError(
                f"siamese autoencoder: the loss is {float(loss)} at step {int(self.step)}, expected a finite number; "
                "lower the learning rate or train with precision 32-true. The last checkpoint is kept."
            )
        self.step += 1
        if int(self.step) % self.trainer.log_every_n_steps == 0:  # Lightning writes these steps and drops all others
            self.log_dict(
                {"train/loss_autoencoder": loss, "train/loss_reconstruction": reconstruction, "train/cosine": cosine}
            )
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.model.parameters(), self.hparams["learning_rate"])


def pair_terms(model: SiameseAutoencoder, batch: PairBatch) -> tuple[Tensor, Tensor]:
    """The two terms of the loss, averaged over the valid patches of the blocks.

    Returns:
        |x1 - x1'|^2 + |x2 - x2'|^2, squares averaged over a patch's voxels and modalities, standardised units;
        cos(z1, z2).
    """
    blocks = model.standardise(torch.cat([batch.first, batch.second]))  # (2n, C, ...)
    valid = batch.valid.repeat(2, 1, 1, 1).flatten().nonzero()[:, 0]  # (2m,) of (2n, ti, tj, tk)
    z = model.encode(blocks).movedim(1, -1).flatten(0, 3)[valid]  # (2m, d)
    x = patches_of(blocks, model.patch_size).flatten(0, 3)[valid]  # (2m, C, pi, pj, pk)
    error = nn.functional.mse_loss(model.decode(z).float(), x)
    first, second = z.float().chunk(2)  # the blocks of both have the same valid patches, in the same order
    return 2 * error, torch.cosine_similarity(first, second).mean()


def patches_of(blocks: Tensor, patch_size: Sequence[int]) -> Tensor:
    """All patches inside blocks, a view: (n, C, ...) to (n, ti, tj, tk, C, pi, pj, pk)."""
    for axis, size in enumerate(patch_size):
        blocks = blocks.unfold(2 + axis, size, 1)
    return blocks.movedim(1, 4)


class PairDataModule(pl.LightningDataModule):
    """Each Lightning epoch is ``steps_per_epoch`` batches of one endless, numbered sequence."""

    def __init__(self, volumes: Sequence[Path], *, steps_per_epoch: int, **options: Any) -> None:
        super().__init__()
        self.volumes, self.steps_per_epoch, self.options = list(volumes), steps_per_epoch, options

    def train_dataloader(self) -> DataLoader:
        """The batches from the current step on."""
        step = int(self.trainer.lightning_module.step) if self.trainer else 0  # Lightning's epochs restart when resumed
        n = self.steps_per_epoch
        return DataLoader(PairBatches(self.volumes, n_batches=n, first=step, **self.options), batch_size=None)


def fit_autoencoder(
    volumes: Sequence[Path], folder: Path, options: AutoencoderOptions, *, seed: int = 0, accelerator: str = "cpu"
) -> SiameseAutoencoder:
    """Train on the cached volumes of controls and write the folder.

    Args:
        volumes: (C, I, J, K) float32 files with the brain mask as last channel, one a control, on one grid.
        folder: receives weights, ``autoencoder.json``, ``representation.json``, ``metrics.jsonl`` and a checkpoint
            from which an interrupted run of the same configuration goes on.
        options: of the network and its training.
        seed: of weights and batches.
        accelerator: of Lightning.

    Returns:
        The trained network in evaluation mode, on the CPU.

    Raises:
        DataError: fewer than two controls, or different grids.
        TrainingError: the loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mean, std = brain_statistics(volumes, options.modalities)
    training: dict[str, Any] = {
        "mean": mean,
        "std": std,
        "alpha": options.alpha,
        "learning_rate": options.learning_rate,
        "n_steps": options.n_steps,
    }
    module = SiameseTraining(model=options.network, seed=seed, **training)
    drawn = {"tile": options.tile, "batch_size": options.batch_size, "seed": seed}
    precision = resolve_precision(options.precision, accelerator)
    config = {
        "model": options.network,
        "training": {**training, **drawn, "precision": precision},
        "volumes": {path.stem: sha256(path) for path in volumes},  # a mended image is not passed over
    }
    checkpoint = checkpoint_to_continue(folder, "autoencoder", folder / CONFIG, json_text(config))
    steps = min(options.steps_per_checkpoint, options.n_steps)
    patches: dict[str, Any] = {"modalities": options.modalities, "patch_size": options.patch_size}
    data = PairDataModule(volumes, steps_per_epoch=steps, **patches, **drawn)
    trainer = TrainerOptions(accelerator=accelerator, precision=precision)
    watching = ProgressLines("autoencoder", options.n_steps)
    fit(module, data, folder, checkpoint, trainer, callbacks=[watching], max_steps=options.n_steps)
    model = module.model.cpu().eval()
    first = options.n_steps + steps  # pairs that no training drew
    fresh = PairBatches(volumes, **patches, tile=1, batch_size=N_REPORT, seed=seed, n_batches=1, first=first)
    write_json(folder / REPORT, describe_representation(model, fresh[0]))
    save_autoencoder(model, folder)
    return model


def brain_statistics(volumes: Sequence[Path], modalities: Sequence[str]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each modality over the brain voxels of all controls, in image units."""
    moments = []
    for volume in open_volumes(volumes):
        brain = volume[MASK] > 0
        values = [volume[k][brain].astype(np.float64) for k in range(len(modalities))]
        moments.append([[len(v), v.sum(), np.square(v).sum()] for v in values])
    n, total, squares = np.sum(moments, axis=0).T  # (number of modalities,) each
    mean = total / n
    return mean.tolist(), np.sqrt(squares / n - mean**2).clip(1e-6).tolist()
