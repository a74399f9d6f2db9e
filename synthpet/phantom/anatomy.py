"""A simulated person's tissues: the template deformed, aged, and different in its sulci as real people are.

Numbers are such that T1s and tissues of simulated people differ as those of 15 real ones do after the same
registration (`python -m synthpet.phantom realism=true` compares them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.deformation import SPACING_MM, random_displacement
from synthpet.phantom.fields import Lattice
from synthpet.phantom.mishaps import fluid_of_variants
from synthpet.phantom.template import Template

REFERENCE_AGE = 40.0
SHARPNESS = 1.1  # exponent that turns averaged probabilities into those of one person
# Log-odds of a tissue that are a person's own. Sulci: narrow, without wide changes, so that one that moves away here
# comes back beside. Atrophy and thickness: wide, and much alike on both sides.
SULCI_FWHM_MM, SULCI_LESS_FWHM_MM, SULCI_SYMMETRIC = 5.4, 9.5, 0.3
SULCI = (0.9, 0.9, 1.6)  # standard deviation for GM, WM, CSF
WIDE_FWHM_MM, WIDE, WIDE_SYMMETRIC = 45.0, 0.18, 0.8
WHOLE = 0.08
CSF_PER_YEAR = 0.02
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
        displacement: (3, i, j, k) mm on the coarse lattice ``moved_on``, from the person's points to the template's;
            None where the two coincide.
        moved_on: its lattice.
    """

    lattice: Lattice
    gm: NDArray[np.float32]
    wm: NDArray[np.float32]
    csf: NDArray[np.float32]
    depth: NDArray[np.float32]
    t1_gm: NDArray[np.float32]
    t1_wm: NDArray[np.float32]
    uptake: NDArray[np.float32]
    displacement: NDArray[np.float32] | None = None
    moved_on: Lattice | None = None

    def carry(self, values: NDArray, lattice: Lattice) -> NDArray[np.float32]:
        """A map in template space, (i, j, k) on its lattice, at the person's voxels: (I, J, K)."""
        if self.displacement is None or self.moved_on is None:
            return lattice.resample(values, self.lattice)
        points = self.moved_on.points_mm() + self.displacement
        return self.moved_on.resample(lattice.sample(values, points), self.lattice)

    def template_points(self, lattice: Lattice) -> NDArray[np.float32]:
        """Where the voxels of a lattice in the person's space lie in the template, (3, I, J, K) mm."""
        points = lattice.points_mm()
        if self.displacement is None or self.moved_on is None:
            return points
        return points + np.stack([self.moved_on.resample(c, lattice) for c in self.displacement])


def grow(
    template: Template, rng: np.random.Generator, age: float, registration: str = "affine",
    variants: Mapping[str, bool] = MappingProxyType({}),
) -> Anatomy:  # fmt: skip
    """Make one person.

    Args:
        template: what all people share.
        rng: source of randomness.
        age: years.
        registration: what has aligned the person with the template: ``syn``, or ``affine``, which moves less.
        variants: see ``fluid_of_variants``.
    """
    displacement, coarse = None, None
    points = template.near_points
    near = template.near_brain
    if registration == "affine":
        displacement, coarse = displacement_to_template(template, rng, age)
        points = points + np.stack([coarse.resample(component, template.fine)[near] for component in displacement])
    depth = _fill(near, template.smooth.sample(template.maps["depth"], points), -FAR_MM)
    points, near = points[:, depth[near] > -RIM_MM], depth > -RIM_MM
    maps = {name: template.smooth.sample(values, points) for name, values in template.maps.items()}
    priors = np.stack([template.crisp.sample(prior, points) for prior in template.priors])
    own = _own_log_odds(template, rng, near, age)
    if any(variants.values()):
        fluid = fluid_of_variants(variants, template.ventricles, template.smooth, int(rng.choice([-1, 1])))
        own[2] += template.smooth.sample(fluid, points)
    gm, wm, csf = _individual_tissues(priors, maps["depth"], own)
    t1_gm, t1_wm, uptake = (_fill(near, maps[name]) for name in ("t1_gm", "t1_wm", "uptake"))
    tissues = (_fill(near, gm), _fill(near, wm), _fill(near, csf))
    return Anatomy(template.fine, *tissues, depth, t1_gm, t1_wm, uptake, displacement, coarse)


def displacement_to_template(
    template: Template, rng: np.random.Generator, age: float
) -> tuple[NDArray[np.float32], Lattice]:
    """From a person's points to the template's: (3, i, j, k) in mm, and the lattice it is given on."""
    lattice = template.fine.resampled(SPACING_MM)
    return random_displacement(rng, lattice, _ageing_drift(template, lattice, age, rng)), lattice


def _fill(where: NDArray[np.bool_], values: NDArray, outside: float = 0.0) -> NDArray[np.float32]:
    """Values (n,) at the n voxels of ``where`` (I, J, K), and one value elsewhere: (I, J, K)."""
    volume = np.full(where.shape, outside, np.float32)
    volume[where] = values
    return volume


def _ageing_drift(template: Template, lattice: Lattice, age: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Velocity in mm that makes the ventricles larger with age (and more or less so from person to person)."""
    growth = 1.2 * (age - REFERENCE_AGE) / 20 + rng.normal(0, 0.5)
    ventricles = template.smooth.resample(template.ventricles, lattice)
    gradient = np.stack(np.gradient(ventricles, lattice.spacing_mm))
    return (growth * gradient / (0.02 + np.linalg.norm(gradient, axis=0))).astype(np.float32)


def _own_log_odds(
    template: Template, rng: np.random.Generator, near: NDArray[np.bool_], age: float
) -> NDArray[np.float32]:
    """What the person's own log-odds add to the template's, (3, n) for GM, WM, CSF at the voxels of ``near``."""
    fine = template.fine

    def field(fwhm_mm: float, spacing_mm: float, symmetric: float, less: float | None = None) -> NDArray[np.float32]:
        """A random field at the n voxels of ``near``, (n,)."""
        lattice = fine.resampled(spacing_mm)
        return lattice.resample(lattice.random_field(rng, fwhm_mm, symmetric=symmetric, less_fwhm_mm=less), fine)[near]

    own = np.stack([sd * field(SULCI_FWHM_MM, 2.0, SULCI_SYMMETRIC, SULCI_LESS_FWHM_MM) for sd in SULCI])
    atrophy, thickness = (
        WIDE * field(WIDE_FWHM_MM, 8.0, WIDE_SYMMETRIC) + np.float32(WHOLE * rng.normal()) for _ in range(2)
    )
    own[2] += atrophy + np.float32(CSF_PER_YEAR * (age - REFERENCE_AGE))
    own[0] += thickness / 2
    own[1] -= thickness / 2
    return own


def _individual_tissues(
    priors: NDArray[np.float32], depth: NDArray[np.float32], own: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Tissue shares (3, n) of GM, WM, CSF: averaged priors times the person's own odds, sharpened."""
    log_odds = SHARPNESS * (np.log(np.maximum(priors, 1e-3)) + own)
    odds = np.exp(log_odds - log_odds.max(axis=0))
    fluid = np.array([0, 0, 1], np.float32)[:, None]
    return np.where(depth > 0, odds / odds.sum(axis=0), fluid).astype(np.float32)
