"""A simulated person's tissues: the template deformed, aged and folded anew."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.deformation import SPACING_MM, random_displacement
from synthpet.phantom.fields import Lattice
from synthpet.phantom.template import Template

SHARPNESS = 2.5  # exponent that turns averaged probabilities into those of one person
REFERENCE_AGE = 40.0
FOLDING_FWHM_MM = {7.0: 0.8, 14.0: 0.6}  # a scale of the folding: its weight
SULCAL_DEPTH_MM = 14.0
SULCI = 5.5  # log-odds of fluid in the middle of a sulcus
RIM_MM = 3.0  # fluid and meninges around the brain
FAR_MM = 10.0  # recorded as distance of what is far outside


@dataclass(frozen=True)
class Anatomy:
    """One person's head on the template's fine lattice; volumes are (I, J, K), tissues zero outside the rim.

    Args:
        lattice: the fine lattice.
        gm: grey-matter share of a voxel; with ``wm`` and ``csf`` it sums to 1 in the brain and its rim.
        wm: white-matter share.
        csf: share of cerebrospinal fluid.
        depth: below the brain's surface in mm, negative outside.
        t1_gm: the template's T1 in grey matter, carried along.
        t1_wm: the template's T1 in white matter, carried along.
        uptake: expected FDG uptake of grey matter, relative to the template's whole brain.
    """

    lattice: Lattice
    gm: NDArray[np.float32]
    wm: NDArray[np.float32]
    csf: NDArray[np.float32]
    depth: NDArray[np.float32]
    t1_gm: NDArray[np.float32]
    t1_wm: NDArray[np.float32]
    uptake: NDArray[np.float32]


def grow(template: Template, rng: np.random.Generator, age: float) -> Anatomy:
    """Make one person of this age (years)."""
    displacement, coarse = displacement_to_template(template, rng, age)
    near = template.near_brain
    moved = np.stack([coarse.resample(component, template.fine)[near] for component in displacement])
    points = template.near_points + moved
    depth = _fill(near, template.smooth.sample(template.maps["depth"], points), -FAR_MM)
    points, near = points[:, depth[near] > -RIM_MM], depth > -RIM_MM
    maps = {name: template.smooth.sample(values, points) for name, values in template.maps.items()}
    priors = np.stack([template.crisp.sample(prior, points) for prior in template.priors])
    gm, wm, csf = _individual_tissues(priors, maps["depth"], *_folding(template, rng, maps), age)
    t1_gm, t1_wm, uptake = (_fill(near, maps[name]) for name in ("t1_gm", "t1_wm", "uptake"))
    return Anatomy(template.fine, _fill(near, gm), _fill(near, wm), _fill(near, csf), depth, t1_gm, t1_wm, uptake)


def displacement_to_template(
    template: Template, rng: np.random.Generator, age: float
) -> tuple[NDArray[np.float32], Lattice]:
    """From a person's points to the template's: (3, i, j, k) in mm, and the lattice it is given on."""
    lattice = template.fine.resampled(SPACING_MM)
    return random_displacement(rng, lattice, _ageing_drift(template, lattice, age, rng)), lattice


def _fill(where: NDArray[np.bool_], values: NDArray, outside: float = 0.0) -> NDArray[np.float32]:
    volume = np.full(where.shape, outside, np.float32)
    volume[where] = values
    return volume


def _ageing_drift(template: Template, lattice: Lattice, age: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Velocity in mm that makes the ventricles larger with age (and more or less so from person to person)."""
    growth = 1.2 * (age - REFERENCE_AGE) / 20 + rng.normal(0, 1.0)
    ventricles = template.smooth.resample(template.ventricles, lattice)
    gradient = np.stack(np.gradient(ventricles, lattice.spacing_mm))
    return (growth * gradient / (0.02 + np.linalg.norm(gradient, axis=0))).astype(np.float32)


def _folding(
    template: Template, rng: np.random.Generator, maps: dict[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distance-like field (n,) that is 0 on the person's sulci, and how strongly it shapes each voxel (n,).

    A random field is read at the surface point nearest to each voxel, so its zero crossings are lines on the
    surface continued into the depth, as sulci are; how far they reach varies along the surface.
    """
    lattice = template.fine.resampled(3.0)
    scales = [weight * lattice.random_field(rng, fwhm) for fwhm, weight in FOLDING_FWHM_MM.items()]
    reach = SULCAL_DEPTH_MM * np.exp(0.35 * lattice.random_field(rng, 25.0))
    shallow = maps["depth"] < 3 * SULCAL_DEPTH_MM
    surface = np.stack([maps[f"surface_{axis}"][shallow] for axis in "xyz"])
    folds, strength = np.ones((2, shallow.size), np.float32)
    folds[shallow] = np.abs(lattice.sample(np.sum(scales, axis=0), surface))
    below = np.maximum(maps["depth"][shallow] - 3, 0)
    strength[~shallow] = 0
    strength[shallow] = np.exp(-below / lattice.sample(reach, surface))
    return folds, strength


def _individual_tissues(
    priors: NDArray[np.float32], depth: NDArray[np.float32], folds: NDArray[np.float32],
    strength: NDArray[np.float32], age: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Tissue shares (3, n) of GM, WM, CSF: averaged priors, sharpened, times the likelihood of the folds."""
    years = age - REFERENCE_AGE
    log_odds = SHARPNESS * np.log(np.maximum(priors, 1e-3))
    log_odds[1] += strength * 2.5 * (np.minimum(folds, 1.5) - 0.8) - 0.006 * years
    log_odds[2] += strength * (SULCI * np.exp(-((folds / 0.33) ** 2)) - 0.6) + 0.02 * years
    odds = np.exp(log_odds - log_odds.max(axis=0))
    fluid = np.array([0, 0, 1], np.float32)[:, None]
    return np.where(depth > 0, odds / odds.sum(axis=0), fluid).astype(np.float32)
