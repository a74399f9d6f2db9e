"""Options of ``trainer=``."""

from dataclasses import dataclass

from synthpet.runtime.options import Options


@dataclass(frozen=True)
class TrainerOptions(Options):
    """Where and how networks train; see configs/trainer/default.yaml."""

    accelerator: str = "auto"
    devices: int | str | list[int] = 1
    strategy: str = "auto"
    precision: str = "auto"
    compile: bool = False
    channels_last: bool = True
    num_workers: int = 0
    steps_per_checkpoint: int = 100
