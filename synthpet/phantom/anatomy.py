"""A simulated person's tissues: the template deformed, aged and folded anew."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.deformation import SPACING_MM, random_displacement
from synthpet.phantom.fields import Lattice
from synthpet.phantom.template import Template

SHARPNESS = 2.5  # exponent that turns averaged probabilities into those of one person
REFERENCE_AGE = 40.0
FOLDING_FWHM_MM = 8.0


@dataclass(frozen=True)
class Anatomy:
    """One person's brain on the template's fine lattice; volumes are (I, J, K), all zero outside the brain.

    Args:
        lattice: the fine lattice.
        gm: grey-matter share of a voxel; with ``wm`` and ``csf`` it sums to 1 in the brain.
        wm: white-matter share.
        csf: share of cerebrospinal fluid.
        depth: below the brain's surface in mm, negative outside.
        t1_gm: T1 contrast of grey matter, in units of the template's T1.
        t1_wm: T1 contrast of white matter.
        uptake: FDG uptake of grey matter, relative to the whole brain.
        displacement: (3, i, j, k) in mm towards the template, on a lattice of ``deformation.SPACING_MM``.
    """

    lattice: Lattice
    gm: NDArray[np.float32]
    wm: NDArray[np.float32]
    csf: NDArray[np.float32]
    depth: NDArray[np.float32]
    t1_gm: NDArray[np.float32]
    t1_wm: NDArray[np.float32]
    uptake: NDArray[np.float32]
    displacement: NDArray[np.float32]


def grow(template: Template, rng: np.random.Generator, age: float) -> Anatomy:
    """Make one person of this age (years)."""
    coarse = template.fine.resampled(SPACING_MM)
    displacement = random_displacement(rng, coarse, _ageing_drift(template, coarse, age, rng))
    near = template.near_brain
    points = template.fine.points_mm()[:, near]
    points += np.stack([coarse.sample(component, points) for component in displacement])
    priors = np.stack([template.crisp.sample(prior, points) for prior in template.priors])
    maps = {name: template.smooth.sample(values, points) for name, values in template.maps.items()}
    folds = _folding(template, rng, maps)
    tissues = _individual_tissues(priors, maps["depth"], folds, age)

    def volume(values: NDArray, outside: float = 0.0) -> NDArray[np.float32]:
        full = np.full(template.fine.shape, outside, np.float32)
        full[near] = values
        return full

    return Anatomy(
        template.fine, *(volume(tissue) for tissue in tissues), depth=volume(maps["depth"], -10.0),
        t1_gm=volume(maps["t1_gm"]), t1_wm=volume(maps["t1_wm"]), uptake=volume(maps["uptake"]),
        displacement=displacement,
    )  # fmt: skip


def _ageing_drift(
    template: Template, lattice: Lattice, age: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Velocity in mm that makes the ventricles larger with age (and more or less so from person to person)."""
    growth = 1.2 * (age - REFERENCE_AGE) / 20 + rng.normal(0, 1.0)
    ventricles = lattice.sample(template.maps["ventricles"], lattice.points_mm())
    gradient = np.stack(np.gradient(ventricles, lattice.spacing_mm))
    return (growth * gradient / (0.02 + np.linalg.norm(gradient, axis=0))).astype(np.float32)


def _folding(
    template: Template, rng: np.random.Generator, maps: dict[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Distance-like field that is 0 on the person's sulci: sheets that run inwards from the brain's surface.

    A random field is read at the surface point nearest to each voxel, so its zero crossings are lines on the
    surface continued into the depth, as sulci are.
    """
    lattice = template.fine.resampled(3.0)
    surface = np.stack([maps[f"surface_{axis}"] for axis in "xyz"])
    return np.abs(lattice.sample(lattice.random_field(rng, FOLDING_FWHM_MM), surface))


def _individual_tissues(
    priors: NDArray[np.float32], depth: NDArray[np.float32], folds: NDArray[np.float32], age: float
) -> NDArray[np.float32]:
    """Tissue shares (3, n) of GM, WM, CSF: averaged priors, sharpened, times the likelihood of the folds."""
    years = age - REFERENCE_AGE
    log_odds = SHARPNESS * np.log(np.maximum(priors, 1e-3))
    cortical = np.exp(-np.maximum(depth - 3, 0) / 12)
    log_odds[1] += cortical * 2.5 * (np.minimum(folds, 1.5) - 0.8)
    log_odds[2] += cortical * (4.5 * np.exp(-((folds / 0.22) ** 2)) - 1.2) + 0.02 * years
    log_odds[1] -= 0.006 * years
    log_odds -= log_odds.max(axis=0)
    odds = np.exp(log_odds)
    return np.where(depth > 0, odds / odds.sum(axis=0), 0).astype(np.float32)
