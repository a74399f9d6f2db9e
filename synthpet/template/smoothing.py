"""Gaussian smoothing of images, widths given as full width at half maximum in mm."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def smooth_within(
    image: NDArray[np.float32], mask: NDArray[np.bool_], fwhm_mm: ArrayLike, spacing_mm: Sequence[float],
    mode: str = "reflect",
) -> NDArray[np.float32]:  # fmt: skip
    """Smooth (I, J, K) data within a mask: what lies outside neither counts nor is filled.

    Args:
        image: (I, J, K).
        mask: (I, J, K).
        fwhm_mm: one width, or one along each axis.
        spacing_mm: voxel size along I, J, K.
        mode: what lies beyond the image, as scipy names it; ``constant``: nothing.
    """
    sigma = np.asarray(fwhm_mm) / FWHM_PER_SIGMA / np.asarray(spacing_mm)
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode=mode)
    smooth = ndimage.gaussian_filter(np.where(mask, image, 0).astype(np.float32), sigma, mode=mode)
    return np.where(mask, smooth / np.maximum(weight, 1e-6), 0).astype(np.float32)
