"""What a real series holds besides good scans of average people: mishaps of a PET, and normal variants of anatomy.

Not in a paper: all forms; sizes are the user's (``cohort.scan``, ``cohort.variants``), and 0 by default.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, shift

from synthpet.phantom.fields import FWHM, Lattice
from synthpet.phantom.options import ScanOptions, VariantOptions

CISTERNA_MM, CISTERNA_RADIUS_MM = (0.0, -82.0, -42.0), 13.0
FLUID = 4.0  # log-odds that a variant adds to CSF
ASYMMETRY, ASYMMETRY_FWHM_MM = 0.05, 60.0  # of uptake, between the sides, and how wide


@dataclass(frozen=True)
class Mishaps:
    """Of one person's PET; everything 0 is a good scan.

    Args:
        motion_mm: additional blur along ``direction``, FWHM.
        shift_mm: (3,), how far the PET lies from the T1.
        attenuation: (3,), relative error of the attenuation correction over 100 mm along each axis.
        hyperglycaemia: how far grey matter's uptake has moved towards that of white matter, 0 to 1.
        direction: axis of the motion, 0 to 2.
    """

    motion_mm: float
    shift_mm: NDArray[np.float64]
    attenuation: NDArray[np.float64]
    hyperglycaemia: float
    direction: int

    @classmethod
    def draw(cls, rng: np.random.Generator, sizes: ScanOptions) -> "Mishaps":
        """One person's.

        Args:
            rng: source of randomness.
            sizes: how much goes wrong.
        """
        way, tilt = (_direction(rng) for _ in range(2))
        return cls(
            motion_mm=abs(rng.normal()) * sizes.motion_mm,
            shift_mm=sizes.misregistration_mm * way,
            attenuation=sizes.attenuation * rng.uniform() * tilt,
            hyperglycaemia=sizes.hyperglycaemia * rng.uniform(),
            direction=int(rng.integers(3)),
        )

    def spoil(self, activity: NDArray[np.float32], grid: Lattice) -> NDArray[np.float32]:
        """An activity (I, J, K) as the scanner meets it and the preparation leaves it."""
        if self.motion_mm:
            activity = gaussian_filter1d(activity, self.motion_mm / FWHM / grid.spacing_mm, axis=self.direction)
        if self.attenuation.any():
            gradient = np.einsum("a,aijk->ijk", self.attenuation / 100, grid.points_mm())
            activity = activity * np.maximum(1 + gradient, 0)
        if self.shift_mm.any():
            activity = shift(activity, self.shift_mm / grid.spacing_mm, order=1, mode="nearest")
        return activity.astype(np.float32)


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    """A direction of length 1, (3,)."""
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)


def draw_variants(rng: np.random.Generator, shares: VariantOptions) -> dict[str, bool]:
    """Which normal variants a person has: each by itself, with its share of the people."""
    return {name: bool(rng.uniform() < share) for name, share in sorted(asdict(shares).items())}


def fluid_of_variants(
    variants: Mapping[str, bool], ventricles: NDArray[np.float32], lattice: Lattice, side: int
) -> NDArray[np.float32]:
    """What variants add to the log-odds of CSF, (I, J, K).

    Args:
        variants: ``ventricles``: one side's are larger; ``cisterna``: a large cisterna magna.
        ventricles: (I, J, K) probability of the template's, smoothed.
        lattice: of the map and of the result.
        side: 1: the right one is larger, -1: the left.
    """
    points, added = lattice.points_mm(), np.zeros(lattice.shape, np.float32)
    if variants.get("ventricles"):
        added += FLUID * np.clip(3 * ventricles, 0, 1) * (side * points[0] > 0)
    if variants.get("cisterna"):
        squared = ((points - np.reshape(CISTERNA_MM, (3, 1, 1, 1))) ** 2).sum(axis=0)
        added += FLUID * np.exp(-squared / (2 * (CISTERNA_RADIUS_MM / FWHM * 2) ** 2))
    return added


def benign_asymmetry(rng: np.random.Generator, lattice: Lattice) -> NDArray[np.float32]:
    """A wide asymmetry of the uptake, (I, J, K) log: as much more on one side as less on the other."""
    field = lattice.random_field(rng, ASYMMETRY_FWHM_MM)
    return ASYMMETRY * (field - field[::-1]) / np.sqrt(2, dtype=np.float32)
