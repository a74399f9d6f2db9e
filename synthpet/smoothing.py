"""Gaussian smoothing of images, widths given as full width at half maximum in mm."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def smooth_within(
    image: NDArray[np.float32], mask: NDArray[np.bool_], fwhm_mm: float, spacing_mm: Sequence[float]
) -> NDArray[np.float32]:
    """Smooth (I, J, K) data within a mask: what lies outside neither counts nor is filled."""
    sigma = [fwhm_mm / FWHM_PER_SIGMA / spacing for spacing in spacing_mm]
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(mask, image, 0).astype(np.float32), sigma)
    return np.where(mask, smooth / np.maximum(weight, 1e-6), 0).astype(np.float32)
