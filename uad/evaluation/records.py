"""What an evaluation holds of a patient and of a seed, and what it says of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Subject
from uad.findings.calibrated import DEFINITIONS as CALIBRATION_DEFINITIONS
from uad.findings.clusters import Cluster
from uad.findings.records import CalibratedDetector
from uad.scores.lesions import DEFINITIONS as RANK_DEFINITIONS
from uad.scores.lesions import Detection, FrocPoint, summarise
from uad.scores.voxel_metrics import VoxelMetrics, mean_and_sd

WHO = {"participant_id": "BIDS id", "seed": "of the detector"}
FROC_COLUMNS = {
    "seed": "of the detector",
    "threshold": "clusters are voxels with z above it; from where no real control has a cluster to where they have "
    "the most",
    "sensitivity": "share of the lesions that a kept cluster touches",
    "false_per_scan": "mean number of kept clusters per real control",
}
DEFINITIONS = {
    **RANK_DEFINITIONS,
    "control_counts": CALIBRATION_DEFINITIONS["control_counts"],
    "candidates": "clusters that at most healthy_share of healthy scans match: in how many patients the first true "
    "cluster is one, and how many of the real controls have one, each judged by the others",
    "lesion_free": "patients without a lesion mask, or with an empty one: examined, but in no sensitivity; how many of "
    "them have no candidate, and the number of candidates of each",
    "calibration": "see calibration.json of the detector",
    "voxel_metrics": "mean and standard deviation over patients; voxel_metrics.json defines them",
}
FOUND_COLUMNS = {**WHO, "threshold": "as in froc.tsv", "found": "1: a kept cluster touches the lesion, 0: none does"}


@dataclass(frozen=True)
class PatientResult:
    """One patient: clusters by rank; where the lesion is known, whether it was found, also at each threshold (s,)."""

    patient: Subject
    clusters: list[Cluster]
    detection: Detection | None
    metrics: VoxelMetrics | None
    found: NDArray[np.float64]
    written: list[Path]


@dataclass(frozen=True)
class SeedResult:
    """One detector on all patients; ``curve`` is its FROC curve over ``thresholds``, empty without lesions."""

    seed: int
    calibrated: CalibratedDetector
    patients: list[PatientResult]
    thresholds: list[float]
    curve: list[FrocPoint]
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def scored(self) -> list[PatientResult]:
        """The patients whose lesion is known."""
        return [result for result in self.patients if result.detection is not None]


def summarise_seed(result: SeedResult) -> dict[str, Any]:
    """The content of ``summary.json`` for one seed; patients without a known lesion are counted apart."""
    calibrated = result.calibrated
    kept, health = calibrated.heldout.kept, calibrated.health
    free = [p for p in result.patients if p.detection is None]
    max_clusters = calibrated.options.max_clusters
    detections = [p.detection for p in result.patients if p.detection is not None]
    metrics = [p.metrics for p in result.patients if p.metrics is not None]
    summary = summarise(detections, list(kept.values()), max_clusters=max_clusters) if detections else {"n_patients": 0}
    return {
        **summary,
        "control_counts": kept,
        "candidates": {
            "healthy_share": health.share,
            "n_detected": sum(found.candidate for found in detections),
            "n_controls_with": health.n_with_candidate,
            "n_controls": health.n,
        },
        "lesion_free": {
            "n": len(free),
            "n_no_candidate": sum(not any(c.candidate for c in p.clusters) for p in free),
            "n_clusters": {p.patient.participant_id: len(p.clusters) for p in free},
        },
        "calibration": asdict(calibrated.calibration) | {"edge": calibrated.heldout.edge},
        "definitions": DEFINITIONS,
        "voxel_metrics": {n: {"mean": m, "sd": sd} for n, (m, sd) in mean_and_sd(metrics).items()} if metrics else {},
    }


def headline(summary: Mapping[str, Any]) -> list[str]:
    """The result of one seed in sentences."""
    lines = []
    if summary["n_patients"]:
        low, high = (100 * limit for limit in summary["sensitivity_interval"])
        rank = summary["mean_rank"]
        lines.append(
            f"{summary['n_detected']} of {summary['n_patients']} lesions detected (95 % interval {low:.0f} to "
            f"{high:.0f} %), mean rank {'n/a' if rank is None else f'{rank:.1f}'} (misses counted as "
            f"{summary['rank_of_a_miss']}: {summary['mean_rank_censored']:.1f}), "
            f"{summary['false_clusters_per_control']:.1f} clusters per real control"
        )
        strong = summary["candidates"]
        lines.append(
            f"{strong['n_detected']} of {summary['n_patients']} lesions are candidates, places that at most "
            f"{100 * strong['healthy_share']:.0f} % of healthy scans match; {strong['n_controls_with']} of "
            f"{strong['n_controls']} real controls have a candidate, each judged by the others"
        )
    if free := summary["lesion_free"]["n"]:
        lines.append(f"{free} patients without a known lesion, {summary['lesion_free']['n_no_candidate']} no candidate")
    return lines
