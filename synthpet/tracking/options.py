"""Options of ``logger=``."""

from dataclasses import dataclass

from synthpet.runtime.options import Options, Study


@dataclass(frozen=True)
class LoggerOptions(Options):
    """Whether and how stages are runs of W&B.

    Args:
        name: wandb or local.
        mode: offline, online or off.
        project: of W&B.
        group: of all runs of one study; None: the simulated cohort's name, or study_name and a hash.
        images_every: steps between example slices, and between errors on a left-out subject.
        images: whether runs hold slices of real people.
        ids: whether runs hold participant ids of real people.
        models: whether runs hold weights learned from real people.
    """

    name: str = "local"
    mode: str = "off"
    project: str = "synthpet-uad"
    group: str | None = None
    images_every: int = 500
    images: bool = False
    ids: bool = False
    models: bool = False


@dataclass(frozen=True, kw_only=True)
class TrackedStudy(Study):
    """A study whose stages can be runs of W&B."""

    logger: LoggerOptions
