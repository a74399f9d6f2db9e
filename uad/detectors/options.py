"""Options of ``detector=``."""

from dataclasses import dataclass

from synthpet.quality.options import QualityStudy
from synthpet.runtime.options import Group
from uad.normative.options import NormativeOptions


@dataclass(frozen=True)
class DetectorOptions(Group):
    """What every detector has; ``values`` also holds those of its own method.

    Args:
        method: of ``uad.detectors.registry``.
        seeds: one detector each.
    """

    method: str
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class DetectorStudy(QualityStudy):
    """What ``uad.train`` knows."""

    detector: DetectorOptions
    normative: NormativeOptions
