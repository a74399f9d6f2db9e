"""Ten named grey-matter regions on each side, approximate, from data that nilearn carries.

Source: coordinates and structure labels of Seitzman et al., NeuroImage 206 (2020) 116290, as bundled with
nilearn (no download); grey matter: the ICBM 2009a template.
Not in the paper: the lobe of a cortical point follows from its MNI coordinates, see ``cortical_lobe``.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid

GM_THRESHOLD = 0.5  # probability from which a template voxel counts as grey matter
SEITZMAN = "seitzman_2018_ROIs"  # how the names of nilearn's files begin
STRUCTURES = {
    "amygdala": "hippocampus and amygdala",
    "hippocampus": "hippocampus and amygdala",
    "basalGanglia": "basal ganglia",
    "thalamus": "thalamus",
    "cerebellum": "cerebellum",
}
NAMES = (
    "frontal", "parietal", "occipital", "lateral temporal", "temporal pole", "hippocampus and amygdala",
    "insula", "basal ganglia", "thalamus", "cerebellum",
)  # fmt: skip


@dataclass(frozen=True)
class Regions:
    """``labels`` (I, J, K): 0 outside, otherwise 1 + the position in ``names``, which say left or right."""

    labels: NDArray[np.int16]
    names: tuple[str, ...]


@cache
def grey_matter(grid: Grid) -> NDArray[np.bool_]:
    """The template's grey matter on a grid in template space, (I, J, K)."""
    from synthpet.template.icbm import template_images

    return template_images(grid).gm > GM_THRESHOLD


@cache
def named_regions(grid: Grid) -> Regions:
    """Give each grey-matter voxel the region of the nearest labelled point, mirrored at the midline.

    Args:
        grid: an axis-aligned RAS+ grid in template space; voxels at x = 0 get no region.
    """
    from scipy.spatial import cKDTree

    points, region = _labelled_points()
    voxels = np.argwhere(grey_matter(grid))
    xyz = voxels @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    nearest = cKDTree(points).query(np.column_stack([np.abs(xyz[:, 0]), xyz[:, 1:]]))[1]
    labels = np.zeros(grid.shape, np.int16)
    labels[tuple(voxels.T)] = np.where(xyz[:, 0] == 0, 0, 1 + 2 * region[nearest] + (xyz[:, 0] > 0))
    return Regions(labels, tuple(f"{side} {name}" for name in NAMES for side in ("left", "right")))


def cortical_lobe(x: float, y: float, z: float) -> str:
    """The lobe in which a point of the cortex lies, from its MNI coordinates in mm."""
    x = abs(x)
    if x <= 43 and -22 <= y <= 24 and -10 <= z <= 16 and x >= 26:
        return "insula"
    if 2 <= y <= 24 and z <= -20 and x >= 20:
        return "temporal pole"
    if y < -84 or (y < -66 and z < 26):
        return "occipital"
    if (x >= 16 and z < -8 and y < 2) or (x >= 40 and y < 8 and z < 2 - 0.4 * y):
        return "lateral temporal"
    if y < -10 - z / 3:
        return "parietal"
    return "frontal"


@cache
def _labelled_points() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points folded onto one side, (n, 3) with x >= 0 in mm, and their region as a position in ``NAMES``."""
    points, structures = seitzman_points()
    region = [
        NAMES.index(STRUCTURES.get(structure) or cortical_lobe(*point))
        for point, structure in zip(points, structures, strict=True)
    ]
    points[:, 0] = np.abs(points[:, 0])
    return points, np.array(region)


def seitzman_points() -> tuple[NDArray[np.float64], list[str]]:
    """Seitzman's 300 points, (n, 3) in mm, and their structures, in the order of the files.

    Reads the files that nilearn carries: the same points as ``nilearn.datasets.fetch_coords_seitzman_2018``, whose
    import takes more than a second.
    """
    data = files("nilearn") / "datasets" / "data"
    table = (data / f"{SEITZMAN}_300inVol_MNI_allInfo.txt").read_text()
    points = np.loadtxt(table.splitlines(), skiprows=1, usecols=range(3))
    first, *labels = (data / f"{SEITZMAN}_anatomicalLabels.txt").read_text().split()
    names = dict(pair.split("=") for pair in first.split(","))  # "0=cortexMid,1=cortexL,..."
    return points, [names[label] for label in labels]
