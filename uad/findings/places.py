"""Where a cluster lies: the gyri and nuclei that it touches, and how much of it belongs to each."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.template.gyri import gyrus_points

NEAR_MM = 15.0  # Not in a paper: 99 % of the template's grey matter lies within of its point
DEEP = "deep white matter"
LEAST_SHARE = 0.1  # of a cluster, for a region that is named beside the first


class Place(NamedTuple):
    """The region that most of a cluster belongs to, its share (0 to 1), and all regions in words."""

    region: str
    share: float
    regions: str


def place_of(points_mm: NDArray[np.floating]) -> Place:
    """Name the regions of a cluster: each voxel belongs to the nearest point that stands for a gyrus or nucleus.

    The white matter below a gyrus counts as the gyrus; what is more than ``NEAR_MM`` from any point is deep.

    Args:
        points_mm: (n, 3), the cluster's voxels in template space, RAS+ mm.
    """
    from scipy.spatial import cKDTree

    known = gyrus_points()
    folded = np.column_stack([np.abs(points_mm[:, 0]), points_mm[:, 1:]])
    distance_mm, nearest = cKDTree(known.xyz_mm).query(folded)
    region = np.where(distance_mm <= NEAR_MM, known.region[nearest], len(known.names))
    shares = np.bincount(region, minlength=len(known.names) + 1) / len(region)
    order = np.argsort(-shares, kind="stable")
    names = (*known.names, DEEP)
    named = [k for k in order if shares[k] >= LEAST_SHARE] or [order[0]]
    words = ", ".join(f"{names[k]} {100 * shares[k]:.0f} %" for k in named)
    return Place(names[order[0]], float(shares[order[0]]), words)
