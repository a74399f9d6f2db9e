"""Checkpoints of a training: whole on the disk, finite, two of them, and one within a step of SIGTERM or Ctrl-C."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from synthpet.cohort.files import write_bytes, write_text
from synthpet.errors import DataError, Stopped, TrainingError
from synthpet.learning.model_files import read_checkpoint
from synthpet.runtime.console import say
from synthpet.runtime.signals import before_stopping, take_signals

CHECKPOINT = "last.ckpt"
PREVIOUS = "previous.ckpt"


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, written as all other files of this project: temporary name, fsync, rename."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write one.

        Raises:
            DiskError: the disk refused.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_bytes(Path(path), sealed(content.getvalue()))


def sealed(archive: bytes) -> bytes:
    """The same archive with the SHA-256 of all before it as its comment, for ``read_checkpoint``.

    Its own checksums are not enough: one wrong bit in its directory can make a tensor a folder, which Torch reads as
    whatever lies in memory.
    """
    body = archive[:-2] + (64).to_bytes(2, "little")  # the comment's length ends an archive that has none
    return body + hashlib.sha256(body).hexdigest().encode()


class SaveCheckpoint(pl.Callback):
    """At the end of each epoch, and within one step of a signal, write a new checkpoint; the one before it is kept.

    Args:
        path: of the newest; the one before lies beside it as ``previous.ckpt``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signal: int | None = None
        self.started = False
        self._listening = ExitStack()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From now on a signal waits for the end of the step."""
        self.started = True
        self._listening.enter_context(before_stopping(self._stop_soon))
        take_signals()  # Lightning has put a handler of its own there, which would end the training without one

    def _stop_soon(self, number: int) -> bool:
        self.signal = number
        return True

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Stop where a signal came; after an epoch's last step its end stops."""
        if self.signal is not None and not trainer.is_last_batch:
            self._save(trainer, pl_module)
            raise Stopped(self.signal)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Replace the checkpoint."""
        self._save(trainer, pl_module)
        if self.signal is not None:
            raise Stopped(self.signal)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Signals no longer wait."""
        self._listening.close()

    def _save(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write beside it, then rename.

        Raises:
            TrainingError: a weight is not finite.
            DiskError: the disk refused; both checkpoints are as they were.
        """
        check_finite(pl_module.state_dict(), f"step {int(pl_module.step)}")  # type: ignore[arg-type]
        new = self.path.with_name(f".partial-{self.path.name}")
        trainer.save_checkpoint(new)
        if trainer.is_global_zero:
            if self.path.exists():
                self.path.replace(self.path.with_name(PREVIOUS))
            new.replace(self.path)


@contextmanager
def continuing(checkpoint: Path | None, saver: SaveCheckpoint) -> Iterator[None]:
    """While Lightning takes a checkpoint up: what does not belong to this training is named, not shown as a traceback.

    Raises:
        DataError: the checkpoint can be read, but not continued.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if checkpoint is None or saver.started:
            raise
        raise DataError(
            f"E_CHECKPOINT {checkpoint}: cannot be continued ({type(error).__name__}: {str(error).splitlines()[:1]}); "
            "expected a checkpoint of this training. Delete it to train anew"
        ) from error


def check_finite(state: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that are not numbers.

    Raises:
        TrainingError: with the first of them.
    """
    bad = [name for name, tensor in state.items() if tensor.is_floating_point() and not torch.isfinite(tensor).all()]
    if bad:
        raise TrainingError(
            f"E_NONFINITE {where}: {len(bad)} tensors of the networks are not finite ({bad[0]}); expected numbers. "
            "They are not saved, the last checkpoint is kept; lower the learning rate or use trainer.precision=32-true"
        )


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint of a folder that can be read; an older one takes the place of a damaged newer one.

    Returns:
        ``<folder>/last.ckpt``; None where there is no checkpoint at all.

    Raises:
        DataError: there are checkpoints, and all are damaged.
    """
    last, previous = folder / CHECKPOINT, folder / PREVIOUS
    problems = []
    for path in _existing(last, previous):
        try:
            read_checkpoint(path)
        except DataError as error:
            problems.append(error)
            continue
        if path == previous:
            why = problems[0] if problems else f"E_CHECKPOINT {last}: is missing"
            say(f"warning: {why}. Going on from the one before it, {previous}")
            previous.replace(last)
        return last
    if problems:
        raise DataError("\n  ".join(map(str, problems)))
    return None


def _existing(*paths: Path) -> Iterator[Path]:
    return (path for path in paths if path.is_file())


def checkpoint_to_continue(folder: Path, label: str, config: Path, text: str) -> Path | None:
    """The checkpoint of an interrupted training of the same configuration; otherwise a fresh start is prepared.

    Args:
        folder: of the training.
        label: what is trained, for what is said.
        config: file of what determines the training, written at its start.
        text: what that file says if this is the training.

    Raises:
        DataError: there are checkpoints, and all are damaged.
    """
    if config.is_file() and config.read_bytes() == text.encode():
        checkpoint = newest_whole(folder)
        if checkpoint is not None:
            say(f"{label}: continuing from {checkpoint}")
            return checkpoint
    forget(folder)
    write_text(config, text)
    return None


def forget(folder: Path) -> None:
    """Remove the checkpoints of another configuration."""
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def steps_done(checkpoint: Path | None) -> int:
    """Training steps behind a checkpoint; 0 where there is none."""
    if checkpoint is None:
        return 0
    return int(read_checkpoint(checkpoint)["state_dict"]["step"])
