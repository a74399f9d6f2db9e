"""FDG uptake: regional figures of healthy adults, and the individual effects that T1 does not show.

Source: grey-matter uptake at the 300 points of Seitzman et al., NeuroImage 2020, estimated from the group-mean
SUVR map of Blazey et al. (hygly_figures, MIT licence): the map is explained as an 8 mm PSF applied to
1.243 GM + 0.554 WM + 0.360 CSF, then GM is scaled locally.
Not in a paper: the sizes of the individual effects, chosen to give the coefficient of variation of real cohorts.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.fields import Lattice

WHITE_MATTER = 0.554
CSF = 0.360
NEAR_MM, FAR_MM = 6.0, 25.0  # reach of a point: among others, and where no other is near


@dataclass(frozen=True)
class Variation:
    """Standard deviations of the individual effects on grey-matter uptake, as shares of it."""

    overall: float = 0.07
    regional: float = 0.07
    regional_fwhm_mm: float = 25.0
    asymmetry: float = 0.02
    per_decade: float = 0.02


@lru_cache
def read_uptake_table() -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.float64]]:
    """The 300 points: coordinates (300, 3) in mm, structure, and grey-matter uptake (whole brain = 1)."""
    path = str(files("synthpet.phantom") / "gm_fdg_uptake.tsv")
    table = np.genfromtxt(path, names=True, dtype=None, delimiter="\t", encoding="utf-8")
    return np.stack([table["x_mm"], table["y_mm"], table["z_mm"]], axis=1), table["structure"], table["gm_uptake"]


def grey_matter_uptake(lattice: Lattice) -> NDArray[np.float32]:
    """Grey-matter uptake (I, J, K) between the 300 points, weighted by a Gaussian of their distance.

    The few points of hippocampus and amygdala stand for whole structures among many cortical ones, and weigh more.
    """
    known, structure, uptake = read_uptake_table()
    coarse = lattice.resampled(5.0)
    squared = squared_distances(coarse, known)
    importance = np.where(np.isin(structure, ("hippocampus", "amygdala")), 6.0, 1.0)
    near = importance * np.exp(-squared / (2 * NEAR_MM**2))
    far = 1e-4 * np.exp(-squared / (2 * FAR_MM**2)) + 1e-12
    weight = near + far
    mean = ((weight * uptake).sum(axis=1) / weight.sum(axis=1)).reshape(coarse.shape)
    return coarse.resample(mean.astype(np.float32), lattice)


def squared_distances(lattice: Lattice, known_mm: NDArray) -> NDArray[np.float32]:
    """Squared distance (voxels, points) in mm^2 of every voxel of a lattice to points (n, 3)."""
    from scipy.spatial.distance import cdist

    return cdist(lattice.points_mm().reshape(3, -1).T, known_mm, "sqeuclidean").astype(np.float32)


def individual_effect(
    rng: np.random.Generator, lattice: Lattice, age: float, variation: Variation
) -> NDArray[np.float32]:
    """Factor (I, J, K) by which one person's grey-matter uptake differs from the expected one."""
    coarse = lattice.resampled(6.0)
    points = coarse.points_mm()
    x, y = points[0], points[1]
    regional = variation.regional * coarse.random_field(rng, variation.regional_fwhm_mm)
    field = coarse.random_field(rng, 40.0)
    asymmetry = variation.asymmetry * field * np.tanh(x / 15)
    frontal = 0.5 + 0.5 * np.tanh((y - 0) / 30)
    ageing = -variation.per_decade * (age - 40) / 10 * (0.5 + frontal)
    log = rng.normal(0, variation.overall) + regional + asymmetry + ageing
    return np.exp(coarse.resample(log.astype(np.float32), lattice))


def activity(
    gm: NDArray[np.float32], wm: NDArray[np.float32], csf: NDArray[np.float32], uptake: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Tracer concentration (I, J, K) before the scanner sees it, in units of the template's whole-brain mean."""
    return gm * uptake + WHITE_MATTER * wm + CSF * csf
