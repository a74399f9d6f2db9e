"""Random diffeomorphisms of several scales, as large as what real people leave to a nonlinear registration.

Source: a stationary velocity field integrated by scaling and squaring (Arsigny et al., MICCAI 2006). Scales, amplitudes
and symmetry are those of the displacements that SyN finds after an affine registration of 15 people's T1 (OpenNeuro
ds002748): standard deviation 1.26 mm along an axis, correlation 0.91 at 8 mm, 0.70 at 16, 0.49 at 24, 0.12 at 48; 0.60
between mirror images. Not measured: the amplitudes are 1.3 times those, as SyN does not find all; with these, T1s vary
as those of the 15 do after the affine registration alone.
"""

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.fields import Lattice

SCALES_MM = {60.0: 0.80, 28.0: 1.25, 14.0: 0.62}  # FWHM of a component: its standard deviation along each axis
SYMMETRIC = 0.6  # share of the variance that mirror images have in common
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
    for fwhm, sd in SCALES_MM.items():
        velocity += sd * _symmetric_fields(rng, lattice, fwhm)
    return integrate(velocity, lattice)


def _symmetric_fields(rng: np.random.Generator, lattice: Lattice, fwhm_mm: float) -> NDArray[np.float32]:
    """Vectors (3, I, J, K) that mirror images share in part: a mirrored vector points the other way along x."""
    own, both = (np.stack([lattice.random_field(rng, fwhm_mm) for _ in range(3)]) for _ in range(2))
    mirrored = both[:, ::-1] * np.reshape(np.array([-1, 1, 1], np.float32), (3, 1, 1, 1))
    return np.sqrt(1 - SYMMETRIC) * own + np.sqrt(SYMMETRIC / 2) * (both + mirrored)


def integrate(velocity: NDArray[np.float32], lattice: Lattice) -> NDArray[np.float32]:
    """The displacement at time 1 of a stationary velocity field (3, I, J, K) in mm, which it flows along."""
    points = lattice.points_mm()
    flow = (velocity / 2**SQUARINGS).astype(np.float32)
    for _ in range(SQUARINGS):
        moved = points + flow
        flow = flow + np.stack([lattice.sample(component, moved) for component in flow])
    return flow
