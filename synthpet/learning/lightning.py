"""One training with Lightning: quiet, its metrics in a file, its checkpoints to go on from."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.plugins.environments import LightningEnvironment

from synthpet.cohort.paths import METRICS
from synthpet.learning.checkpoints import CHECKPOINT, SaveCheckpoint, WholeCheckpoints, continuing, steps_done
from synthpet.learning.options import TrainerOptions
from synthpet.learning.progress import MetricsFile
from synthpet.runtime.device import resolve_precision

LOG_EVERY = 10  # steps, of the rows of the metrics


def fit(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    folder: Path,
    checkpoint: Path | None,
    trainer: TrainerOptions,
    *,
    callbacks: Sequence[pl.Callback] = (),
    **limit: int,
) -> None:
    """Train, from the beginning or from a checkpoint.

    Args:
        module: counts its batches in a buffer ``step``.
        data: gives in each epoch the batches from that step on.
        folder: receives ``metrics.jsonl`` and the checkpoints.
        checkpoint: from which to go on; None: from the beginning.
        trainer: where and how.
        callbacks: beside the one that saves, after it.
        limit: ``max_epochs`` or ``max_steps``.

    Raises:
        DataError: the checkpoint cannot be continued.
        TrainingError: a weight is not finite.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # its greetings tell a user nothing
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    metrics = MetricsFile(folder / METRICS, keep_until=steps_done(checkpoint))
    lightning = pl.Trainer(
        **limit,
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        strategy=trainer.strategy,
        precision=resolve_precision(trainer.precision, trainer.accelerator),  # type: ignore[arg-type]
        logger=metrics,
        plugins=[WholeCheckpoints(), LightningEnvironment()],  # whatever a scheduler's variables say
        callbacks=[saver := SaveCheckpoint(folder / CHECKPOINT), *callbacks],
        log_every_n_steps=LOG_EVERY,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,  # each epoch goes on where the numbered sequence stood
        default_root_dir=folder,
    )
    with continuing(checkpoint, saver):
        lightning.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
