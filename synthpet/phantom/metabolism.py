"""FDG uptake: regional figures of healthy adults, and the individual effects that T1 does not show.

Source: grey-matter uptake at the 300 points of Seitzman et al., NeuroImage 2020, estimated from the group-mean
SUVR map of Blazey et al. (hygly_figures, MIT licence): the map is explained as an 8 mm PSF applied to
1.243 GM + 0.554 WM + 0.360 CSF, then GM is scaled locally.
Not in a paper: the sizes of the individual effects, chosen to give the coefficient of variation of real cohorts.
"""

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.fields import Lattice

WHITE_MATTER = 0.554
CSF = 0.360


@dataclass(frozen=True)
class Variation:
    """Standard deviations of the individual effects on grey-matter uptake, as shares of it."""

    overall: float = 0.07
    regional: float = 0.07
    regional_fwhm_mm: float = 25.0
    asymmetry: float = 0.02
    per_decade: float = 0.02


def grey_matter_uptake(lattice: Lattice) -> NDArray[np.float32]:
    """Grey-matter uptake (I, J, K), whole brain = 1, interpolated between the 300 points."""
    table = np.genfromtxt(str(files("synthpet.phantom") / "gm_fdg_uptake.tsv"), names=True, dtype=None, delimiter="\t",
                          encoding="utf-8")  # fmt: skip
    known = np.stack([table["x_mm"], table["y_mm"], table["z_mm"]], axis=1)
    coarse = lattice.resampled(5.0)
    points = coarse.points_mm().reshape(3, -1).T
    squared = (points**2).sum(1)[:, None] - 2 * points @ known.T + (known**2).sum(1)
    weight = np.exp(-squared / (2 * 8.0**2)) + 1e-4 * np.exp(-squared / (2 * 25.0**2)) + 1e-12
    uptake = (weight @ table["gm_uptake"] / weight.sum(axis=1)).reshape(coarse.shape)
    return coarse.sample(uptake.astype(np.float32), lattice.points_mm())


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
    return np.exp(lattice.sample(log.astype(np.float32), lattice.points_mm()))


def activity(
    gm: NDArray[np.float32], wm: NDArray[np.float32], csf: NDArray[np.float32], uptake: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Tracer concentration (I, J, K) before the scanner sees it, in units of the template's whole-brain mean."""
    return gm * uptake + WHITE_MATTER * wm + CSF * csf
