"""Options of ``detector=``."""

from dataclasses import dataclass

from synthpet.quality.options import QualityStudy
from synthpet.runtime.options import Group
from uad.detectors.registry import DETECTORS
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

    @property
    def needs(self) -> tuple[str, ...]:
        """What has to be made before it."""
        return DETECTORS.load(self.method).needs


@dataclass(frozen=True, kw_only=True)
class DetectorStudy(QualityStudy):
    """What ``uad.train`` knows."""

    detector: DetectorOptions
    normative: NormativeOptions
