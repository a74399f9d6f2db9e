"""The template (ICBM 2009a symmetric, as bundled with nilearn) and the one grid that cohorts are made on.

The bundled T1 is skull-stripped and its box ends at the cut of the brain stem (z = -72 mm).
Source: Fonov et al., NeuroImage 47 (2009) S102; https://nist.mni.mcgill.ca/icbm-152-nonlinear-atlases-2009.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.template.smoothing import FWHM_PER_SIGMA

BRAIN_THRESHOLD = 0.2  # of the template's T1 maximum, as in nilearn's load_mni152_brain_mask
MARGIN_MM = 9.0  # around the brain: room for larger brains, a smoothing kernel, an imperfect registration


class TemplateImages(NamedTuple):
    """The template on one grid; every array is (I, J, K), zero outside the box of the bundled images."""

    t1w: NDArray[np.float32]  # 0 to 1, skull-stripped
    gm: NDArray[np.float32]  # probability
    wm: NDArray[np.float32]  # probability
    brain_mask: NDArray[np.bool_]


@cache
def template_grid(resolution_mm: float) -> Grid:
    """The template space's isotropic RAS+ grid: symmetric about x = 0, cropped to the brain with a margin.

    The origin of the template space is a voxel centre: flipping axis 0 mirrors left and right exactly.

    Args:
        resolution_mm: voxel size.
    """
    native, mask = native_template()[1], _native_mask()
    voxels = np.argwhere(mask)
    origin = native.matrix[:3, 3]  # 1 mm voxels: an index is a distance
    first = np.floor((origin + voxels.min(0) - MARGIN_MM) / resolution_mm).astype(int)
    last = np.ceil((origin + voxels.max(0) + MARGIN_MM) / resolution_mm).astype(int)
    last[0] = max(last[0], -first[0])
    first[0] = -last[0]
    affine = np.diag([resolution_mm] * 3 + [1.0])
    affine[:3, 3] = first * resolution_mm
    return Grid.of(tuple(last - first + 1), affine)


def template_images(grid: Grid) -> TemplateImages:
    """The template's images, averaged over the extent of the grid's voxels.

    Args:
        grid: any axis-aligned RAS+ grid in template space, such as ``template_grid(3.0)``.
    """
    images, native = native_template()
    t1w, gm, wm = (resample_template(image, native, grid) for image in images)
    mask = resample_template(_native_mask().astype(np.float32), native, grid) >= 0.5
    return TemplateImages(t1w, gm, wm, mask)


def resample_template(data: NDArray, source: Grid, grid: Grid) -> NDArray[np.float32]:
    """Resample with linear interpolation after a Gaussian that keeps coarse voxels free of aliasing.

    Args:
        data: (I, J, K) on ``source``.
        source: an axis-aligned RAS+ grid.
        grid: where the result is wanted, axis-aligned RAS+ in the same space; outside ``source`` is zero.
    """
    widening = np.maximum(np.square(grid.spacing_mm) - np.square(source.spacing_mm), 0)
    sigma = np.sqrt(widening) / FWHM_PER_SIGMA / source.spacing_mm
    smooth = ndimage.gaussian_filter(np.asarray(data, np.float32), sigma, mode="constant")
    to_source = np.linalg.inv(source.matrix) @ grid.matrix
    resampled = ndimage.affine_transform(
        smooth, to_source[:3, :3], to_source[:3, 3], output_shape=grid.shape, order=1, mode="constant"
    )
    return np.ascontiguousarray(resampled, np.float32)


@cache
def native_template() -> tuple[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], Grid]:
    """T1 (0 to 1), GM and WM probability at 1 mm as nilearn carries them, and their grid."""
    from nilearn import datasets

    images = (
        datasets.load_mni152_template(resolution=1),
        datasets.load_mni152_gm_template(resolution=1),
        datasets.load_mni152_wm_template(resolution=1),
    )
    t1w, gm, wm = (np.asarray(image.dataobj, np.float32) for image in images)
    return (t1w, gm, wm), Grid.of(images[0].shape, images[0].affine)


@cache
def _native_mask() -> NDArray[np.bool_]:
    """The brain at 1 mm: nilearn's threshold, largest component, holes filled (ventricles belong to it)."""
    mask = native_template()[0][0] > BRAIN_THRESHOLD
    labels, _ = ndimage.label(mask)
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return ndimage.binary_fill_holes(largest)
