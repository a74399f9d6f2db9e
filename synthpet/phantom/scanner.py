"""Scanners: what turns tissues into a T1-weighted image and tracer into a PET image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from synthpet.phantom.anatomy import RIM_MM, Anatomy
from synthpet.phantom.fields import FWHM, Lattice

T1_OF_CORTEX, T1_OF_WHITE_MATTER = 0.65, 0.88  # of the template


@dataclass(frozen=True)
class Scanner:
    """One site's T1 and PET properties.

    Args:
        name: the ``site`` column.
        t1_gm: T1 signal of the cortex relative to white matter.
        t1_csf: T1 signal of CSF relative to white matter.
        bias: standard deviation of the log of the bias field.
        t1_noise: standard deviation of the noise relative to white matter.
        t1_fwhm_mm: T1 resolution along I, J, K.
        pet_fwhm_mm: point spread function of the reconstructed PET.
        pet_noise: standard deviation of the noise where the activity is 1.
        pet_noise_fwhm_mm: correlation of the noise.
        flair_wm: FLAIR signal of white matter relative to grey.
        flair_csf: FLAIR signal of CSF relative to grey matter.
    """

    name: str
    t1_gm: float
    t1_csf: float
    bias: float
    t1_noise: float
    t1_fwhm_mm: tuple[float, float, float]
    pet_fwhm_mm: float
    pet_noise: float
    pet_noise_fwhm_mm: float
    flair_wm: float
    flair_csf: float


def draw_scanner(rng: np.random.Generator, name: str) -> Scanner:
    """Draw one site's properties."""
    thick = rng.integers(3)
    return Scanner(
        name=name,
        t1_gm=rng.uniform(0.57, 0.75),
        t1_csf=rng.uniform(0.08, 0.2),
        bias=rng.uniform(0.02, 0.05),
        t1_noise=rng.uniform(0.006, 0.02),
        t1_fwhm_mm=tuple(float(rng.uniform(1.6, 2.4) if a == thick else rng.uniform(1.0, 1.4)) for a in range(3)),  # type: ignore[arg-type]
        pet_fwhm_mm=rng.uniform(5.0, 7.0),
        pet_noise=rng.uniform(0.03, 0.05),
        pet_noise_fwhm_mm=rng.uniform(4.5, 6.5),
        flair_wm=rng.uniform(0.74, 0.86),
        flair_csf=rng.uniform(0.06, 0.16),
    )


def acquire_t1w(scanner: Scanner, anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.float32]:
    """T1-weighted image (I, J, K) on the grid, white matter about 1, before masking and scaling."""
    lattice = anatomy.lattice
    sigma = [fwhm / FWHM / lattice.spacing_mm for fwhm in scanner.t1_fwhm_mm]
    bias = bias_field(scanner, lattice, rng)
    signal = gaussian_filter(t1_signal(scanner, anatomy, rng), sigma)
    return with_rician_noise(block_mean(signal * bias), scanner.t1_noise, rng)


def bias_field(scanner: Scanner, lattice: Lattice, rng: np.random.Generator) -> NDArray[np.float32]:
    """By how much the coils make an MRI brighter here than there, (I, J, K), about 1."""
    coarse = lattice.resampled(8.0)
    return np.exp(coarse.resample(scanner.bias * coarse.random_field(rng, 70.0), lattice))


def with_rician_noise(clean: NDArray[np.float32], sd: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """The magnitude of a complex signal, (I, J, K), whose two parts have noise of standard deviation ``sd``."""
    noise = sd * rng.standard_normal((2, *clean.shape), dtype=np.float32)
    return np.hypot(clean + noise[0], noise[1])


def t1_signal(scanner: Scanner, anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.float32]:
    """Signal (I, J, K) before the scanner blurs it: tissues, myelin in grey matter, remains of the meninges."""
    coarse = anatomy.lattice.resampled(6.0)
    regional = coarse.resample(0.04 * coarse.random_field(rng, 35.0), anatomy.lattice)
    cortex, white = T1_OF_CORTEX, T1_OF_WHITE_MATTER
    myelin = np.clip(1.3 * (anatomy.t1_gm - cortex) / (white - cortex), -0.1, 1)
    darkest = scanner.t1_gm * rng.normal(1, 0.02) * (1 + regional)
    gm = darkest + (1 - darkest) * myelin
    wm = 1 + 0.7 * (anatomy.t1_wm / white - 1)
    return anatomy.gm * gm + anatomy.wm * wm + anatomy.csf * _fluid(scanner, anatomy, rng)


def _fluid(scanner: Scanner, anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.float32]:
    """Signal (I, J, K) of CSF; near the surface patches of dura, vessels and fat that skull-stripping left."""
    csf = scanner.t1_csf * rng.normal(1, 0.08)
    coarse = anatomy.lattice.resampled(3.0)
    patches = coarse.resample(coarse.random_field(rng, 9.0), anatomy.lattice)
    residue = np.exp(-((np.maximum(anatomy.depth, 0) / 3) ** 2)) / (1 + np.exp(-(patches - 0.8) / 0.3))
    return csf + residue * (0.65 - csf)


def acquire_pet(
    scanner: Scanner, activity: NDArray[np.float32], grid: Lattice, rng: np.random.Generator | None
) -> NDArray[np.float32]:
    """PET image (I, J, K) of an activity on the same grid; without noise if ``rng`` is None.

    Noise of a reconstructed image: filtered, and its amplitude goes with the square root of the activity.
    """
    blurred = gaussian_filter(activity, scanner.pet_fwhm_mm / FWHM / grid.spacing_mm)
    if rng is None:
        return blurred
    noise = scanner.pet_noise * grid.random_field(rng, scanner.pet_noise_fwhm_mm)
    return np.maximum(blurred + noise * np.sqrt(np.maximum(blurred, 0)), 0)


def suvr(pet: NDArray[np.float32], brain: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Uptake (I, J, K) relative to the mean of the whole brain mask (I, J, K)."""
    return (pet / pet[brain].mean()).astype(np.float32)


def block_mean(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of each 2x2x2 block: from the fine lattice, (2I, 2J, 2K), to the grid, (I, J, K)."""
    i, j, k = (n // 2 for n in volume.shape)
    return volume.reshape(i, 2, j, 2, k, 2).mean(axis=(1, 3, 5), dtype=np.float32)


def strip_skull(anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Brain mask (I, J, K) on the grid, as stripping leaves it."""
    return block_mean(stripped_inside(anatomy, rng).astype(np.float32)) > 0.5


def stripped_inside(anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What skull stripping leaves, (I, J, K) on the fine lattice: with a rim of fluid, 1 mm more or less in patches."""
    coarse = anatomy.lattice.resampled(5.0)
    error = 0.8 * coarse.random_field(rng, 18.0) + rng.normal(0.6, 0.5)
    return anatomy.depth + coarse.resample(np.clip(error, -2, RIM_MM), anatomy.lattice) > 0
