"""How a training stands: lines or a bar for whoever waits, rows of metrics in a file."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import Logger

from synthpet.cohort.files import write_text
from synthpet.cohort.text import read_rows
from synthpet.learning.several_devices import is_first
from synthpet.runtime.console import BAR_EVERY_S, Bar, bar, losses_of, on_terminal, say

PROCESSOR_SECONDS = "train/processor_seconds"


class ProgressLines(pl.Callback):
    """Steps, losses and the remaining time: a bar on a terminal, else a line every 15 s."""

    def __init__(self, label: str, n_steps: int, every_s: float = 15) -> None:
        self.label, self.n_steps, self.every_s = label, n_steps, every_s
        self.start = self.last = time.monotonic()
        self.first_step: int | None = None
        self.bar: Bar | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to draw."""
        self.bar = Bar(self.label, self.n_steps) if on_terminal() else None

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Say where the training stands, now and then."""
        step, now = int(pl_module.step), time.monotonic()  # type: ignore[arg-type]
        if self.first_step is None:
            self.first_step, self.start = step, now
        if now - self.last < (self.every_s if self.bar is None else BAR_EVERY_S) or step <= self.first_step:
            return
        self.last = now
        if self.bar is not None:
            self.bar.show(step, losses_of(trainer.callback_metrics, 1))
            return
        losses = losses_of(trainer.callback_metrics)
        left = (now - self.start) / (step - self.first_step) * (self.n_steps - step)
        say(f"{self.label} {bar(step, self.n_steps)} {step}/{self.n_steps}, {left:.0f} s left, losses: {losses}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.show(self.n_steps, losses_of(trainer.callback_metrics, 1))
            self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.stop()


class Speed(pl.Callback):
    """``train/patches_per_second`` and ``PROCESSOR_SECONDS`` beside the losses, since they were written the last time.

    The processor's seconds, of all threads of this process, add up to those of the training, also of a continued one.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.last: tuple[int, float] | None = None
        self.used = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count."""
        self.used = time.process_time()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Log the speed at the steps that are written."""
        step, now = int(pl_module.step), time.monotonic()  # type: ignore[arg-type]
        if step % trainer.log_every_n_steps:  # type: ignore[attr-defined]
            return
        if self.last is not None:
            patches = (step - self.last[0]) * self.batch_size
            pl_module.log("train/patches_per_second", patches / (now - self.last[1]))
        used = time.process_time()
        pl_module.log(PROCESSOR_SECONDS, used - self.used)
        self.last, self.used = (step, now), used


class MetricsFile(Logger):
    """``metrics.jsonl``: one JSON object a logged step, written whatever happens to other loggers.

    Args:
        path: the file.
        keep_until: a continued run keeps the rows up to its checkpoint's step; 0 starts the file anew.
    """

    def __init__(self, path: Path, *, keep_until: int) -> None:
        super().__init__()
        self.path = path
        rows = read_rows(path) if keep_until and path.is_file() else []
        kept = (row for row in rows if isinstance(row.get("step"), int) and row["step"] < keep_until)
        write_text(path, "".join(f"{json.dumps(row)}\n" for row in kept))

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
        if not is_first():
            return
        row = {"step": step, **{k: (v if np.isfinite(v) else None) for k, v in metrics.items()}}
        with self.path.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
