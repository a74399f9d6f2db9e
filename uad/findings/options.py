"""Options of ``detection``."""

from dataclasses import dataclass, field

from synthpet.report.display import Display
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
        healthy_share: a cluster is a candidate where the strongest one of at most this share of healthy scans is as
            strong, above 0 and below 1; the others are weaker places.
        where: ``brain`` or ``grey_matter``: where clusters may lie, see ``extent``.
        extent: ``whole`` or ``core``: how much of a cluster is shown and compared with a lesion.
    """

    false_per_scan: float
    min_volume_mm3: float
    max_clusters: int
    rank_by: str
    healthy_share: float
    where: str = "brain"
    extent: str = "whole"


@dataclass(frozen=True, kw_only=True)
class EvaluationStudy(DetectorStudy):
    """What ``uad.evaluate`` knows.

    Args:
        detection: how clusters are found.
        display: how pages show images.
        patient_pages: whether every patient gets a page, beside maps, ranks and the evaluation's own page.
    """

    detection: DetectionOptions
    display: Display = field(default_factory=Display)
    patient_pages: bool = True
