"""One training on several devices: a process for each, which lives as long as the training.

Lightning's own way would start the whole command again for each device, with all its stages and locks.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.queues import SimpleQueue
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from synthpet.errors import SynthPetError, TrainingError, UsageError
from synthpet.learning.options import TrainerOptions

DEFAULT = "ddp_find_unused_parameters_true"  # a step of one network leaves the other's weights alone
PARENT_EVERY_S = 0.5
_index = 0  # which of a training's processes this is


def n_devices(trainer: TrainerOptions) -> int:
    """How many devices ``trainer.devices`` and ``trainer.accelerator`` mean on this machine.

    Raises:
        UsageError: there are no such devices.
    """
    if trainer.devices == 1 and trainer.accelerator in ("auto", "cpu"):
        return 1
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    here = [LightningEnvironment()]  # whatever a scheduler's variables say
    try:
        return pl.Trainer(accelerator=trainer.accelerator, devices=trainer.devices, plugins=here, **quiet).num_devices
    except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
        said = " ".join(str(error).split())
        raise UsageError(
            f"trainer.accelerator={trainer.accelerator} trainer.devices={trainer.devices}: {said}; expected what this "
            "machine has, such as trainer.accelerator=auto trainer.devices=1"
        ) from error


def train_on(n: int, train: Callable[..., None], *arguments: Any) -> None:
    """Call ``train(*arguments)`` in ``n`` new processes that Lightning takes as those of its devices.

    None outlives this call or its process. The end of one is the end of all; checkpoints on the disk stay.

    Raises:
        SynthPetError: as the first of the processes said that failed.
        TrainingError: one was killed.
    """
    context = multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    port = _free_port()
    processes = [context.Process(target=_as_device, args=(i, port, errors, train, arguments)) for i in range(n)]
    try:
        for process in processes:
            process.start()
        codes: list[int | None] = [None] * n
        while None in codes and not any(codes):  # asked once a round: one may end at any time
            connection.wait([process.sentinel for process, code in zip(processes, codes, strict=True) if code is None])
            codes = [process.exitcode for process in processes]
        if not errors.empty():
            raise errors.get()
        if any(codes):
            raise TrainingError(
                f"E_WORKER training on {n} devices: a process ended with {codes}; expected 0 from each. One was "
                "killed, or ran out of memory: use a smaller gan.batch_size or gan.patch_size; the same command goes "
                "on from the last checkpoint"
            )
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()


def is_first() -> bool:
    """Whether this process speaks and writes: the first of a training's, or the only one."""
    return _index == 0


def _as_device(
    index: int, port: int, errors: "SimpleQueue[Exception]", train: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    global _index
    _index = index
    os.environ |= {"LOCAL_RANK": str(index), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for number in (signal.SIGINT, signal.SIGTERM):  # of a group of processes: the parent ends all
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        train(*arguments)
    except Exception as error:
        ours = isinstance(error, SynthPetError | OSError | MemoryError)  # others may not be sent
        errors.put(error if ours else RuntimeError(traceback.format_exc()))
        os._exit(1)  # Lightning's own way out would wait for the others


def _end_with(parent: int) -> None:
    """End at once when the parent is gone: one that waits for the others would do so for long."""
    while os.getppid() == parent:
        time.sleep(PARENT_EVERY_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
