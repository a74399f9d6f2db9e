"""Random diffeomorphisms of several scales.

Source: a stationary velocity field integrated by scaling and squaring (Arsigny et al., MICCAI 2006).
Not in a paper: scales and amplitudes, chosen so that 2-5 mm remain after an affine registration.
"""

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.fields import Lattice

SCALES_MM = {60.0: 1.5, 28.0: 1.1, 14.0: 0.7}  # FWHM of a component: its standard deviation along each axis
SQUARINGS = 6
SPACING_MM = 4.0


def random_displacement(
    rng: np.random.Generator, lattice: Lattice, drift: NDArray[np.float32] | float = 0.0
) -> NDArray[np.float32]:
    """Displacement from an individual's points to the template's, (3, I, J, K) in mm.

    Args:
        rng: source of randomness.
        lattice: where the displacement is computed.
        drift: (3, I, J, K) velocity in mm to which the random ones are added (here: ageing).
    """
    velocity = np.zeros((3, *lattice.shape), np.float32) + drift
    for component in velocity:
        for fwhm, sd in SCALES_MM.items():
            component += sd * lattice.random_field(rng, fwhm)
    return integrate(velocity, lattice) + _affine(rng, lattice)


def integrate(velocity: NDArray[np.float32], lattice: Lattice) -> NDArray[np.float32]:
    """The displacement at time 1 of a stationary velocity field (3, I, J, K) in mm, which it flows along."""
    points = lattice.points_mm()
    flow = (velocity / 2**SQUARINGS).astype(np.float32)
    for _ in range(SQUARINGS):
        moved = points + flow
        flow = flow + np.stack([lattice.sample(component, moved) for component in flow])
    return flow


def jacobian_determinant(displacement: NDArray[np.float32], spacing_mm: float) -> NDArray[np.float64]:
    """Local volume ratio (I, J, K) of x -> x + displacement; above 0 where nothing folds or tears."""
    gradient = np.stack([np.stack(np.gradient(component, spacing_mm)) for component in displacement])
    return np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3))


def _affine(rng: np.random.Generator, lattice: Lattice) -> NDArray[np.float32]:
    """What an affine registration leaves: 1.5 % in size along each axis, small shear and rotation, 0.7 mm shift."""
    matrix = np.diag(rng.normal(0, 0.015, 3)) + rng.normal(0, 0.008, (3, 3))
    shift = rng.normal(0, 0.7, 3)
    moved = np.einsum("ab,bijk->aijk", matrix, lattice.points_mm()) + shift[:, None, None, None]
    return moved.astype(np.float32)
