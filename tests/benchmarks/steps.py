"""Seconds of one training step, under Lightning and in a plain loop, and simulated controls on disk to train on."""

import logging
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray

from synthpet.learning.progress import MetricsFile
from synthpet.runtime.device import resolve_precision

WARM_UP = 3  # steps that do not count: the first ones compile kernels and allocate
SHAPE = (76, 94, 79)  # a brain's bounding box at 2 mm


def volume(shape: tuple[int, int, int], seed: int) -> NDArray[np.float32]:
    """(3, I, J, K): T1 and PET of noise within an ellipsoid that fills the grid, as a brain does, and the mask."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    mask = sum(axis**2 for axis in axes) < 0.95
    images = np.random.default_rng(seed).random((2, *shape), dtype=np.float32)
    return np.stack([*(images * mask), mask]).astype(np.float32)


def write_controls(folder: Path, shape: tuple[int, int, int], n: int) -> list[Path]:
    """Cached volumes as the commands write them."""
    paths = [folder / f"control-{k}.npy" for k in range(n)]
    for k, path in enumerate(paths):
        np.save(path, volume(shape, seed=k))
    return paths


class Clock(pl.Callback):
    """The time from the end of one step to the end of the next: batch, step, logging."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *args: object) -> None:
        """One more step."""
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        """Median of a step."""
        return float(np.median(np.diff(self.ends[WARM_UP:])))


def under_lightning(
    module: pl.LightningModule,
    batches: Iterable | pl.LightningDataModule,
    n_steps: int,
    folder: Path,
    *watching: pl.Callback,
) -> float:
    """Median seconds of a step with the project's metrics file and precision, batches included."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        precision=resolve_precision("auto", "cpu"),  # type: ignore[arg-type]
        logger=[MetricsFile(folder / "metrics.jsonl", keep_until=0)],
        callbacks=[clock, *watching],
        log_every_n_steps=10,
        limit_train_batches=n_steps,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(module, batches)
    return clock.seconds()


def in_a_loop(step: Callable[..., object], batches: Iterable, n_steps: int, precision: str = "auto") -> float:
    """The same for a plain loop under autocast."""
    clock, bf16 = Clock(), resolve_precision(precision, "cpu").startswith("bf16")
    for done, batch in enumerate(batches, start=1):
        step(batch, torch.autocast("cpu", torch.bfloat16, enabled=bf16))
        clock.on_train_batch_end()
        if done == n_steps:
            break
    return clock.seconds()
