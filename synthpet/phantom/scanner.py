"""Scanners: what turns tissues into a T1-weighted image and tracer into a PET image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from synthpet.phantom.anatomy import Anatomy
from synthpet.phantom.fields import FWHM, Lattice


@dataclass(frozen=True)
class Scanner:
    """One site's T1 and PET properties.

    Args:
        name: the ``site`` column.
        contrast: exponent of the T1 contrast between tissues; above 1: darker grey matter.
        csf: T1 intensity of CSF relative to white matter.
        bias: standard deviation of the log of the bias field.
        t1_noise: standard deviation of the noise relative to white matter.
        t1_fwhm_mm: T1 resolution along I, J, K.
        pet_fwhm_mm: point spread function of the reconstructed PET.
        pet_noise: noise relative to grey matter in one voxel of 3 mm.
        pet_noise_fwhm_mm: correlation of the noise.
    """

    name: str
    contrast: float
    csf: float
    bias: float
    t1_noise: float
    t1_fwhm_mm: tuple[float, float, float]
    pet_fwhm_mm: float
    pet_noise: float
    pet_noise_fwhm_mm: float


def draw_scanner(rng: np.random.Generator, name: str) -> Scanner:
    """Draw one site's properties."""
    thick = rng.integers(3)
    return Scanner(
        name=name,
        contrast=rng.uniform(1.1, 1.7),
        csf=rng.uniform(0.1, 0.25),
        bias=rng.uniform(0.02, 0.05),
        t1_noise=rng.uniform(0.008, 0.025),
        t1_fwhm_mm=tuple(float(rng.uniform(1.6, 2.4) if a == thick else rng.uniform(1.0, 1.4)) for a in range(3)),  # type: ignore[arg-type]
        pet_fwhm_mm=rng.uniform(5.0, 7.0),
        pet_noise=rng.uniform(0.03, 0.05),
        pet_noise_fwhm_mm=rng.uniform(4.5, 6.5),
    )


def acquire_t1w(scanner: Scanner, anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.float32]:
    """T1-weighted image (I, J, K) on the grid, white matter about 1, before masking and scaling."""
    lattice = anatomy.lattice
    contrast = scanner.contrast * rng.normal(1, 0.04)
    gm = np.maximum(anatomy.t1_gm / 0.88, 0) ** (1.5 * contrast)
    wm = np.maximum(anatomy.t1_wm / 0.88, 0)
    clean = anatomy.gm * gm + anatomy.wm * wm + anatomy.csf * scanner.csf * rng.normal(1, 0.08)
    sigma = [fwhm / FWHM / lattice.spacing_mm for fwhm in scanner.t1_fwhm_mm]
    coarse = lattice.resampled(6.0)
    bias = lattice.sample(scanner.bias * coarse.random_field(rng, 60.0), lattice.points_mm())
    blurred = block_mean(gaussian_filter(clean, sigma) * np.exp(bias))
    noise = scanner.t1_noise * rng.standard_normal((2, *blurred.shape), dtype=np.float32)
    return np.hypot(blurred + noise[0], noise[1])  # Rician: the magnitude of a complex signal


def acquire_pet(
    scanner: Scanner, activity: NDArray[np.float32], grid: Lattice, rng: np.random.Generator | None
) -> NDArray[np.float32]:
    """PET image (I, J, K) on the grid from the activity on the fine lattice; without noise if ``rng`` is None."""
    blurred = gaussian_filter(block_mean(activity), scanner.pet_fwhm_mm / FWHM / grid.spacing_mm)
    if rng is None:
        return blurred
    noise = grid.random_field(rng, scanner.pet_noise_fwhm_mm)
    return np.maximum(blurred + scanner.pet_noise * noise * np.sqrt(np.maximum(blurred, 0)), 0)


def suvr(pet: NDArray[np.float32], brain: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Uptake relative to the mean of the whole brain mask."""
    return (pet / pet[brain].mean()).astype(np.float32)


def block_mean(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of each 2x2x2 block: from the fine lattice to the grid."""
    i, j, k = (n // 2 for n in volume.shape)
    return volume.reshape(i, 2, j, 2, k, 2).mean(axis=(1, 3, 5), dtype=np.float32)
