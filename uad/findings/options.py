"""Options of ``detection``."""

from dataclasses import dataclass

from synthpet.runtime.options import Options
from uad.detectors.options import DetectorStudy


@dataclass(frozen=True)
class DetectionOptions(Options):
    """How clusters are found and kept.

    Args:
        false_per_scan: accepted mean number of false clusters per real control.
        min_volume_mm3: smaller clusters are dropped.
        max_clusters: kept per scan.
        rank_by: mass, size or mean.
    """

    false_per_scan: float
    min_volume_mm3: float
    max_clusters: int
    rank_by: str


@dataclass(frozen=True, kw_only=True)
class EvaluationStudy(DetectorStudy):
    """What ``uad.evaluate`` knows."""

    detection: DetectionOptions
