"""The threshold at which held-out controls show a stated number of false clusters per scan, found exactly.

Lowering a threshold does not only add clusters: it also joins them, so the number of clusters rises and then falls
(in the end the whole brain is one). A threshold is therefore accepted only if every higher one keeps the rate too.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid
from synthpet.statistics.intervals import Interval, dispersed_interval, poisson_interval
from uad.detectors.left_out import LOWEST_Z
from uad.findings.clusters import MAX_CLUSTERS, min_voxels
from uad.findings.merging import changes_of_number, falling


@dataclass(frozen=True)
class Calibration:
    """A threshold and the false clusters that it lets through.

    Args:
        threshold: clusters are voxels with z above it.
        false_per_scan: the rate that was asked for, kept clusters per control.
        achieved: mean number of kept clusters of the controls it was calibrated on.
        interval: exact Poisson interval of ``achieved``; too narrow where controls differ in their own rate.
        left_out: mean number in each control at the threshold calibrated on the others: what to expect of a new
            scan, usually above ``achieved``; None for a single control.
        left_out_empty: share of the controls without any cluster, each at the threshold calibrated on the others: how
            often a healthy scan should be reported as "no candidate"; None for a single control.
        n_scans: number of controls.
        left_out_interval: of ``left_out``: 95 %, exact Poisson, widened by how much more than at random the controls'
            numbers differ; None for a single control.
        n_learned_from: how many of the controls the detector has learned from; their maps are those of ``left_out``.
    """

    threshold: float
    false_per_scan: float
    achieved: float
    interval: Interval
    left_out: float | None
    left_out_empty: float | None
    n_scans: int
    left_out_interval: Interval | None = None
    n_learned_from: int = 0


@dataclass(frozen=True)
class ClusterCounts:
    """How many clusters one scan keeps, at every threshold.

    Args:
        levels: (m,) z in falling order.
        changes: (m,) what the number of kept clusters changes by once the threshold is below the level.
    """

    levels: NDArray[np.float64]
    changes: NDArray[np.int64]

    def at(self, threshold: float) -> int:
        """The number of clusters of voxels with z above the threshold, which must not be below ``LOWEST_Z``."""
        return int(self.changes[self.levels > threshold].sum())


def calibrate_threshold(
    control_maps: Iterable[NDArray], masks: Iterable[NDArray], grid: Grid, *, min_volume_mm3: float,
    false_per_scan: float, max_clusters: int = MAX_CLUSTERS,
) -> Calibration:  # fmt: skip
    """The smallest threshold at which, and above which, the controls keep no more clusters than stated on average.

    Args:
        control_maps: z-maps (I, J, K) of REAL controls that the detector has not seen; one at a time is in memory.
        masks: their brain masks, (I, J, K).
        grid: of all images.
        min_volume_mm3: as for ``find_clusters``.
        false_per_scan: accepted mean number of kept clusters per control, above 0 and below ``max_clusters``.
        max_clusters: how many a scan keeps at most.

    Raises:
        ValueError: no control, or a rate that every threshold would keep.
    """
    scans = (
        cluster_counts(z, mask, grid, min_volume_mm3=min_volume_mm3, max_clusters=max_clusters)
        for z, mask in zip(control_maps, masks, strict=True)
    )
    return calibrate_counts(scans, false_per_scan=false_per_scan, max_clusters=max_clusters)


def calibrate_counts(
    counts: Iterable[ClusterCounts], *, false_per_scan: float, max_clusters: int = MAX_CLUSTERS
) -> Calibration:
    """As ``calibrate_threshold``, from the numbers of clusters of each control."""
    if not 0 < false_per_scan < max_clusters:
        raise ValueError(
            f"false_per_scan: found {false_per_scan}; expected above 0 and below the {max_clusters} clusters kept"
        )
    scans = list(counts)
    if not scans:
        raise ValueError("control_maps: found none; expected at least one held-out control to calibrate on")
    threshold = _smallest_threshold(scans, false_per_scan)
    n, total = len(scans), sum(scan.at(threshold) for scan in scans)
    limits, left_out = poisson_interval(total), _left_out_counts(scans, false_per_scan)
    return Calibration(
        threshold=threshold,
        false_per_scan=false_per_scan,
        achieved=total / n,
        interval=Interval(limits.low / n, limits.high / n),
        left_out=None if n == 1 else float(np.mean(left_out)),
        left_out_empty=None if n == 1 else left_out.count(0) / n,
        n_scans=n,
        left_out_interval=None if n == 1 else dispersed_interval(left_out),
    )


def cluster_counts(
    z_map: NDArray, mask: NDArray, grid: Grid, *, min_volume_mm3: float, max_clusters: int = MAX_CLUSTERS
) -> ClusterCounts:
    """The number of kept clusters of one scan at every threshold from ``LOWEST_Z`` up, without labelling once.

    Voxels are added from the highest down; a cluster begins to count when it reaches the minimum volume and stops when
    it joins another that counts.

    Args:
        z_map: (I, J, K), high = abnormal.
        mask: (I, J, K), brain.
        grid: of both.
        min_volume_mm3: smaller clusters do not count.
        max_clusters: more than these are not kept.
    """
    voxels = falling(z_map, np.asarray(mask, bool) & (z_map > LOWEST_Z))
    changes = changes_of_number(voxels, min_voxels(min_volume_mm3, grid))
    levels, position = np.unique(-voxels.z, return_inverse=True)
    kept = np.minimum(np.cumsum(np.bincount(position, changes)), max_clusters)
    steps = np.diff(kept, prepend=0).astype(np.int64)
    return ClusterCounts(-levels[steps != 0], steps[steps != 0])


def _smallest_threshold(scans: list[ClusterCounts], false_per_scan: float) -> float:
    levels = np.concatenate([scan.levels for scan in scans])
    if not levels.size:
        return LOWEST_Z
    levels, position = np.unique(-levels, return_inverse=True)
    total = np.cumsum(np.bincount(position, np.concatenate([scan.changes for scan in scans])))
    too_many = np.flatnonzero(total > false_per_scan * len(scans) + 1e-9)
    return float(-levels[too_many[0]]) if too_many.size else LOWEST_Z


def _left_out_counts(scans: list[ClusterCounts], false_per_scan: float) -> list[int]:
    if len(scans) < 2:
        return []
    return [
        scan.at(_smallest_threshold(scans[:position] + scans[position + 1 :], false_per_scan))
        for position, scan in enumerate(scans)
    ]
