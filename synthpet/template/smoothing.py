"""Gaussian smoothing of images, widths given as full width at half maximum in mm."""

from collections.abc import Iterable, Iterator, Sequence

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
    return next(smooth_each_within([image], mask, fwhm_mm, spacing_mm, mode))


def smooth_each_within(
    images: Iterable[NDArray[np.float32]], mask: NDArray[np.bool_], fwhm_mm: ArrayLike, spacing_mm: Sequence[float],
    mode: str = "reflect",
) -> Iterator[NDArray[np.float32]]:  # fmt: skip
    """``smooth_within`` of several images in one mask, which is smoothed once."""
    sigma = np.asarray(fwhm_mm) / FWHM_PER_SIGMA / np.asarray(spacing_mm)
    weight = np.maximum(ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode=mode), 1e-6)
    for image in images:
        smooth = ndimage.gaussian_filter(np.where(mask, image, 0).astype(np.float32), sigma, mode=mode)
        yield np.where(mask, smooth / weight, 0).astype(np.float32)


def smooth_rows(
    rows: NDArray[np.float32], where: NDArray[np.bool_], inside: NDArray[np.bool_], fwhm_mm: ArrayLike,
    spacing_mm: Sequence[float],
) -> NDArray[np.float32]:  # fmt: skip
    """``smooth_within`` of values at some voxels, several numbers each.

    Args:
        rows: (n_voxels, k), at the voxels of ``where`` in C order.
        where: (I, J, K).
        inside: (I, J, K), within ``where``: the mask; elsewhere the result is 0.
        fwhm_mm: one width, or one along each axis.
        spacing_mm: voxel size along I, J, K.
    """
    volumes = np.zeros((rows.shape[1], *where.shape), np.float32)
    volumes[:, where] = rows.T
    smooth = smooth_each_within(volumes, inside, fwhm_mm, spacing_mm)
    return np.stack([volume[where] for volume in smooth], axis=1)
