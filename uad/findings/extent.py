"""Where clusters may lie, and how much of a cluster is shown: two ways to make candidates more local.

``detection.where=grey_matter``: glucose is used by grey matter, and a PET tells of white matter only what spills over.
``detection.extent=core``: a cluster that has grown into its surroundings is narrowed to the connected part around its
peak that holds half of its mass. Its rank, and how many healthy scans match it, stay those of the whole.

Not in a paper in this form.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort import Grid
from synthpet.template.regions import grey_matter
from uad.findings.clusters import Cluster, Seen, components

BRAIN, GREY_MATTER = "brain", "grey_matter"
WHOLE, CORE = "whole", "core"
BEYOND_GREY_MM = 3.0  # half the resolution of a usual PET: so far the grey matter's uptake reaches
SHARE = 0.5  # of the mass that the core holds


def within(z: NDArray[np.float32], where: str, grid: Grid) -> NDArray[np.float32]:
    """The map (I, J, K), 0 (not judged) where no cluster may lie.

    Args:
        z: high = abnormal.
        where: ``brain`` (everywhere) or ``grey_matter``: of the template, and up to ``BEYOND_GREY_MM`` from it.
        grid: of the map.
    """
    return z if where == BRAIN else np.where(_near_grey_matter(grid), z, 0).astype(np.float32)


@cache
def _near_grey_matter(grid: Grid) -> NDArray[np.bool_]:
    return ndimage.distance_transform_edt(~grey_matter(grid), sampling=grid.spacing_mm) <= BEYOND_GREY_MM


def cores(
    clusters: list[Cluster], labels: NDArray[np.int16], z: NDArray[np.float32], threshold: float, seen: Seen
) -> tuple[list[Cluster], NDArray[np.int16]]:
    """Narrow each cluster to its core.

    Args:
        clusters: by rank.
        labels: (I, J, K), their ranks.
        z: (I, J, K), the map that they were found in.
        threshold: above which they were found.
        seen: what they are described by.

    Returns:
        The clusters with size, place and means of their cores, and the labels of these; ``mass``, rank and what healthy
        scans show stay those of the whole clusters, as ``labels`` had them.
    """
    narrowed, found = np.zeros_like(labels), []
    for cluster in clusters:
        flat = np.flatnonzero(labels == cluster.rank)
        values = z.ravel()[flat].astype(np.float64)
        kept = core(flat, values, threshold, labels.shape)
        voxels = np.unravel_index(flat[kept], labels.shape)
        narrowed[voxels] = cluster.rank
        own = seen.describe(cluster.rank, voxels, values[kept], threshold)
        whole = {name: getattr(cluster, name) for name in ("mass", "healthy_as_strong", "candidate")}
        found.append(replace(own, **whole))
    return found, narrowed


def core(
    flat: NDArray[np.int64], values: NDArray[np.float64], threshold: float, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The smallest part of a cluster that is cut out by a higher threshold, holds the peak and half of the mass.

    Args:
        flat: (n,), where its voxels lie in the flattened volume, in C order.
        values: (n,), their z.
        threshold: above which they lie; the mass is the sum of (z - threshold).
        shape: of the volume.

    Returns:
        (n,), which voxels are kept.
    """
    levels, excess = np.unique(values), values - threshold

    def part(level: float) -> NDArray[np.bool_]:
        above = values >= level
        label = np.zeros(values.size, np.int64)
        label[above] = components(flat[above], shape)
        return label == label[values.argmax()]

    low, high = 0, levels.size  # the part shrinks as the level rises: bisect for the last that holds enough
    while high - low > 1:
        middle = (low + high) // 2
        enough = excess[part(levels[middle])].sum() >= SHARE * excess.sum()
        low, high = (middle, high) if enough else (low, middle)
    return part(levels[low])
