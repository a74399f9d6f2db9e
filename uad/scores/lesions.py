"""Was the lesion found, and at which rank: single patients, the summary over patients, and the FROC curve."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthpet.cohort.images import Grid, GridMismatchError
from synthpet.errors import DataError
from synthpet.statistics.intervals import clopper_pearson_interval, poisson_interval, wilson_interval
from synthpet.statistics.paired import censored_ranks
from uad.findings.clusters import MAX_CLUSTERS, Cluster, check_finite, min_voxels
from uad.findings.merging import falling, touched_at

STRICT_MM = 10.0  # Not in the paper: what the lesion is dilated by in the stricter criterion
RANKS = (1, 3, 5, 10)
COLUMNS = {
    "participant_id": "BIDS id",
    "lesion_site": "where the lesion is, in words",
    "detected": "true: a kept cluster has at least one voxel of the lesion",
    "rank": "of the first such cluster; n/a: missed",
    "detected_strict": f"true: such a cluster's centre of mass lies, besides, within {STRICT_MM:g} mm of the lesion",
    "rank_strict": "of the first such cluster; n/a: missed",
    "lesion_share": "share of the lesion's voxels in kept clusters",
    "cluster_share": "share of the first true cluster's voxels that are lesion; n/a: missed",
    "n_clusters": "clusters kept for this patient, true or false",
    "candidate": "true: the first true cluster is a candidate, as few healthy scans match it; false: a weaker place, "
    "or missed",
    "seed": "of the detector",
}
DEFINITIONS = {
    "sensitivity": "n_detected / n_patients",
    "sensitivity_interval": "95 %, Wilson",
    "sensitivity_interval_exact": "95 %, Clopper-Pearson",
    "sensitivity_at_rank": "share of patients whose true cluster has at most this rank",
    "mean_rank": "over the detected patients only, as published: flatters a detector that finds few; null: none found",
    "mean_rank_censored": "over all patients, a miss taken as the worst kept rank plus one",
    "false_clusters_per_control": "mean number of kept clusters per real control; null: no control",
    "false_clusters_interval": "95 %, exact Poisson, per control; too narrow where controls differ in their own rate",
    "strict": f"the same where, besides, the cluster's centre of mass lies within {STRICT_MM:g} mm of the lesion",
}


@dataclass(frozen=True)
class Detection:
    """What was found in one patient; ``COLUMNS`` defines the fields."""

    participant_id: str
    lesion_site: str
    detected: bool
    rank: int | None
    detected_strict: bool
    rank_strict: int | None
    lesion_share: float
    cluster_share: float | None
    n_clusters: int
    seed: int
    candidate: bool = False

    def row(self) -> dict[str, Any]:
        """A row of ``ranks.tsv``."""
        return asdict(self)


@dataclass(frozen=True)
class FrocPoint:
    """Sensitivity against false clusters per control at one setting, such as how many clusters are kept."""

    setting: float
    sensitivity: float
    false_per_scan: float


def detect_lesion(
    clusters: Sequence[Cluster], labels: NDArray, lesion: NDArray[np.bool_], grid: Grid, *, participant_id: str,
    lesion_site: str, seed: int,
) -> Detection:  # fmt: skip
    """Compare the kept clusters of a patient with the lesion.

    The strict criterion asks for the overlap too, so it never finds more.

    Args:
        clusters: from ``find_clusters``.
        labels: (I, J, K), their ranks, from ``find_clusters``.
        lesion: (I, J, K).
        grid: of both images.
        participant_id: for the row and for messages.
        lesion_site: for the row.
        seed: of the detector, for the row.

    Raises:
        DataError: the lesion has no voxel.
        GridMismatchError: an image is not on ``grid``.
    """
    lesion = np.asarray(lesion, bool)
    for name, image in (("labels", labels), ("lesion", lesion)):
        if image.shape != grid.shape:
            raise GridMismatchError(f"E_GRID {participant_id} {name}: shape {image.shape}; expected {grid.shape}")
    if not lesion.any():
        raise DataError(f"E_NO_LESION {participant_id}: the lesion mask has no voxel; only lesions can be detected")
    in_lesion = np.bincount(labels[lesion], minlength=len(clusters) + 1)[1:]
    true = [cluster for cluster in clusters if in_lesion[cluster.rank - 1]]
    xyz = np.argwhere(lesion) @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    strict = [c for c in true if np.linalg.norm(xyz - c.centre_mm, axis=1).min() <= STRICT_MM]
    return Detection(
        participant_id=participant_id,
        lesion_site=lesion_site,
        detected=bool(true),
        rank=true[0].rank if true else None,
        detected_strict=bool(strict),
        rank_strict=strict[0].rank if strict else None,
        lesion_share=float(in_lesion.sum() / lesion.sum()),
        cluster_share=float(in_lesion[true[0].rank - 1] / true[0].n_voxels) if true else None,
        n_clusters=len(clusters),
        seed=seed,
        candidate=bool(true and true[0].candidate),
    )


def summarise(
    detections: Sequence[Detection], control_counts: ArrayLike, *, max_clusters: int = MAX_CLUSTERS
) -> dict[str, Any]:
    """The content of ``summary.json``; ``DEFINITIONS`` defines its keys.

    Args:
        detections: one per patient, of one seed.
        control_counts: (n,) kept clusters of each real control, at the patients' threshold.
        max_clusters: how many are kept per scan.

    Raises:
        DataError: no patient, or a patient twice.
    """
    ids = [detection.participant_id for detection in detections]
    if not ids or len(set(ids)) < len(ids):
        raise DataError(f"E_PATIENTS found {len(ids)} rows of {len(set(ids))} patients; expected one row per patient")
    counts = np.asarray(control_counts, int)
    n, n_false = counts.size, int(counts.sum())
    return {
        **_summary_of_ranks(rank_array(detections), max_clusters),
        "strict": _summary_of_ranks(rank_array(detections, strict=True), max_clusters),
        "n_controls": n,
        "false_clusters_per_control": n_false / n if n else None,
        "false_clusters_interval": [limit / n for limit in poisson_interval(n_false)] if n else None,
        "definitions": DEFINITIONS,
    }


def _summary_of_ranks(ranks: NDArray[np.float64], max_clusters: int) -> dict[str, Any]:
    found = np.isfinite(ranks)
    n, n_found = ranks.size, int(found.sum())
    return {
        "n_patients": n,
        "n_detected": n_found,
        "sensitivity": n_found / n,
        "sensitivity_interval": list(wilson_interval(n_found, n)),
        "sensitivity_interval_exact": list(clopper_pearson_interval(n_found, n)),
        "sensitivity_at_rank": {str(k): float(found_at_rank(ranks, k).mean()) for k in RANKS if k <= max_clusters},
        "mean_rank": float(ranks[found].mean()) if n_found else None,
        "mean_rank_censored": float(censored_ranks(ranks, max_clusters).mean()),
        "rank_of_a_miss": max_clusters + 1,
    }


def rank_array(detections: Sequence[Detection], *, strict: bool = False) -> NDArray[np.float64]:
    """Rank of each patient's first true cluster, (n,), NaN where missed."""
    ranks = [detection.rank_strict if strict else detection.rank for detection in detections]
    return np.array([np.nan if rank is None else rank for rank in ranks], float)


def found_at_rank(ranks: ArrayLike, k: int) -> NDArray[np.float64]:
    """1 for each patient (n,) whose true cluster has at most rank k, else 0; NaN is a miss."""
    return (np.asarray(ranks, float) <= k).astype(float)


def found_over_thresholds(
    z_map: NDArray, brain_mask: NDArray[np.bool_], lesion: NDArray[np.bool_], grid: Grid, *,
    thresholds: Sequence[float], min_volume_mm3: float, max_clusters: int = MAX_CLUSTERS,
) -> NDArray[np.float64]:  # fmt: skip
    """Whether a patient's lesion is found at each threshold, (s,) of 0 or 1; columns for ``froc``.

    For the controls, ``calibration.cluster_counts`` gives the number of clusters at each.

    Args:
        z_map: (I, J, K), high = abnormal.
        brain_mask: (I, J, K).
        lesion: (I, J, K).
        grid: of all.
        thresholds: (s,).
        min_volume_mm3: as for ``find_clusters``.
        max_clusters: how many are kept, by mass.
    """
    brain = np.asarray(brain_mask, bool)
    check_finite(z_map, brain)
    if not len(thresholds):
        return np.zeros(0)
    voxels = falling(z_map, brain & (z_map > np.float64(min(thresholds))))
    marked = np.asarray(lesion, bool).ravel()[voxels.flat]
    return touched_at(voxels, marked, thresholds, min_voxels(min_volume_mm3, grid), max_clusters).astype(float)


def froc(settings: Sequence[float], found: NDArray, false_clusters: NDArray) -> list[FrocPoint]:
    """The FROC curve: sensitivity against the mean number of false clusters per real control.

    Not in the paper: false clusters are counted in controls, where every cluster is false, not in patients.

    Args:
        settings: (s,), what moves: thresholds, or how many clusters are kept.
        found: (s, n patients) of 0 or 1.
        false_clusters: (s, n controls).
    """
    rows = zip(settings, found, false_clusters, strict=True)
    return [FrocPoint(float(setting), float(np.mean(hit)), float(np.mean(false))) for setting, hit, false in rows]


def froc_areas(found: NDArray, false_clusters: NDArray, *, up_to: float) -> NDArray[np.float64]:
    """Each patient's share of the FROC curve: mean of found over 0 to ``up_to`` false clusters per control, (n,).

    The mean over patients is the normalised area under the FROC curve, so ``statistics.paired_bootstrap`` of two such
    arrays compares two curves. The curve is a staircase: a rate allows the setting with the most false clusters
    within it; below the first setting nothing is found.

    Args:
        found: (s, n patients) of 0 or 1, for s settings from strict to lenient.
        false_clusters: (s, n controls).
        up_to: false clusters per control, above 0.
    """
    rate = np.asarray(false_clusters, float).mean(axis=1)
    order = np.argsort(rate, kind="stable")
    edges = np.minimum(np.r_[rate[order], up_to], up_to)
    return np.diff(edges) @ np.asarray(found, float)[order] / up_to


def across_seeds(summaries: Mapping[int, Mapping[str, Any]], key: str) -> dict[str, float]:
    """Mean, sample standard deviation, least and most of one number of ``summarise`` over detector seeds.

    Args:
        summaries: by seed.
        key: of a number in each.
    """
    values = np.array([summary[key] for summary in summaries.values()], float)
    spread = float(values.std(ddof=1)) if values.size > 1 else float("nan")
    return {"mean": float(values.mean()), "sd": spread, "min": float(values.min()), "max": float(values.max())}
