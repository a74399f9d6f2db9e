"""Voxel metrics of one patient's anomaly map against the lesion, exact, from one sort of the healthy voxels.

A curve over thresholds only turns where a lesion voxel is passed. So it is enough to know, for each distinct score of
a lesion voxel, how many healthy voxels lie above it and how many share it; in between, the curves run straight.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from synthpet.errors import DataError
from uad.findings.clusters import components

FALSE_POSITIVE_LIMIT = 0.3
DEFINITIONS = {
    "au_roc": "area under the curve of the share of lesion voxels against the share of healthy voxels above threshold",
    "au_roc_30": f"its part up to a false positive rate of {FALSE_POSITIVE_LIMIT}, divided by it: chance is "
    f"{FALSE_POSITIVE_LIMIT / 2}, perfect is 1; not McClish's standardisation",
    "au_prc": "average precision: sum over thresholds of precision times the step of recall, no interpolation",
    "au_pro": "per-region overlap: as au_roc, with the share averaged over the 26-connected components of the lesion",
    "au_pro_30": "as au_roc_30, of au_pro",
    "best_dice": "highest Dice index over all thresholds: an oracle, since the threshold is chosen on the lesion",
}


@dataclass(frozen=True)
class VoxelMetrics:
    """Metrics in the brain mask, 3D; ``DEFINITIONS`` defines them."""

    au_roc: float
    au_roc_30: float
    au_prc: float
    au_pro: float
    au_pro_30: float
    best_dice: float


def voxel_metrics(
    anomaly_map: NDArray, lesion: NDArray[np.bool_], brain_mask: NDArray[np.bool_],
    untested: NDArray[np.bool_] | None = None,
) -> VoxelMetrics:  # fmt: skip
    """All voxel metrics of one patient.

    Voxels of equal score pass the threshold together: a tie is worth a half in the areas. Lesion voxels outside the
    brain mask are not counted.

    Args:
        anomaly_map: (I, J, K), high = abnormal; only its order counts.
        lesion: (I, J, K).
        brain_mask: (I, J, K); what lies outside is not read.
        untested: (I, J, K), brain that the detector does not judge: healthy voxels there are not counted, lesion
            voxels are found last; None: everything is judged.

    Raises:
        DataError: shapes differ, the map is not finite in the mask, or the mask lacks lesion or healthy voxels.

    Source: PRO: Bergmann et al., Int J Comput Vis 129 (2021) 1038; the six metrics: Pinon et al., MIDL 2023.
    """
    brain = np.asarray(brain_mask, bool)
    diseased = np.asarray(lesion, bool) & brain
    _check(anomaly_map, np.asarray(lesion), brain, diseased)
    if untested is not None:
        brain = brain & (~untested | diseased)
        anomaly_map = np.where(untested & diseased, anomaly_map[brain].min() - 1, anomaly_map)
        _check(anomaly_map, np.asarray(lesion), brain, diseased)
    healthy = np.sort(anomaly_map[brain ^ diseased])
    flat = np.flatnonzero(diseased)
    scores, group = np.unique(anomaly_map.ravel()[flat], return_inverse=True)
    n_lesion, n_healthy = group.size, healthy.size
    # from the highest score of a lesion voxel down: healthy voxels above it, and at or above it
    above = (n_healthy - np.searchsorted(healthy, scores, side="right"))[::-1]
    at_least = (n_healthy - np.searchsorted(healthy, scores, side="left"))[::-1]
    found = np.cumsum(np.bincount(group)[::-1])
    overlap = np.cumsum(np.bincount(group, _component_weights(flat, diseased.shape))[::-1])
    rate_above, rate = above / n_healthy, at_least / n_healthy
    precision = found / (found + at_least)
    return VoxelMetrics(
        au_roc=_area(rate_above, rate, found / n_lesion, 1.0),
        au_roc_30=_area(rate_above, rate, found / n_lesion, FALSE_POSITIVE_LIMIT),
        au_prc=float(np.sum(np.diff(found, prepend=0) * precision) / n_lesion),
        au_pro=_area(rate_above, rate, overlap, 1.0),
        au_pro_30=_area(rate_above, rate, overlap, FALSE_POSITIVE_LIMIT),
        best_dice=float(np.max(2 * found / (found + at_least + n_lesion))),
    )


def mean_and_sd(patients: Sequence[VoxelMetrics]) -> dict[str, tuple[float, float]]:
    """Mean and sample standard deviation of each metric over patients; the latter is NaN for one patient."""
    if not patients:
        raise DataError("E_EMPTY voxel metrics: found no patient; expected at least one")
    summary = {}
    for field in fields(VoxelMetrics):
        values = np.array([getattr(patient, field.name) for patient in patients])
        summary[field.name] = (float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else float("nan"))
    return summary


def _area(rate_above: NDArray, rate: NDArray, height: NDArray, limit: float) -> float:
    """Mean height up to ``limit`` of the curve that turns at (m,) rates and reaches (m,) heights.

    Each lesion score adds a horizontal piece up to ``rate_above`` and a sloping one (a tie) from there to ``rate``.
    """
    below = np.r_[0.0, height[:-1]]
    x = np.r_[0.0, np.column_stack([rate_above, rate]).ravel(), 1.0]
    y = np.r_[0.0, np.column_stack([below, height]).ravel(), height[-1]]
    inside = x <= limit
    last = int(inside.sum()) - 1
    if last + 1 < x.size:  # the piece that crosses the limit, cut there
        slope = (y[last + 1] - y[last]) / (x[last + 1] - x[last])
        x, y = np.r_[x[: last + 1], limit], np.r_[y[: last + 1], y[last] + slope * (limit - x[last])]
    return float(np.trapezoid(y, x) / limit)


def _component_weights(flat: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """For each lesion voxel (n,): 1 / (number of components x size of its own), which add up to 1."""
    label = components(flat, shape)
    return 1 / (label.max() * np.bincount(label)[label])


def _check(anomaly_map: NDArray, lesion: NDArray, brain: NDArray, diseased: NDArray) -> None:
    if not anomaly_map.shape == lesion.shape == brain.shape:
        raise DataError(
            f"E_GRID anomaly map, lesion, brain mask: shapes {anomaly_map.shape}, {lesion.shape}, {brain.shape}; "
            "expected one"
        )
    n_brain, n_lesion = np.count_nonzero(brain), np.count_nonzero(diseased)
    if n_lesion in (0, n_brain):
        raise DataError(
            f"E_NO_LESION {n_lesion} of {n_brain} brain voxels are lesion; expected both lesion and healthy voxels"
        )
    if n := int(np.count_nonzero(brain & ~np.isfinite(anomaly_map))):
        raise DataError(f"E_NONFINITE anomaly map: n={n} voxels of the brain are NaN or infinite")
