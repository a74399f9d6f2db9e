"""Between this project's arrays (RAS+, I J K) and ITK's images (LPS+); N4 and resampling of SimpleITK.

One thread throughout: ITK's sums depend on the number of threads, and equal input shall give equal bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's customary name
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.template.smoothing import FWHM_PER_SIGMA

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
N4_SPACING_MM = 4.0
N4_ITERATIONS = (50, 50, 50, 50)
IDENTITY = sitk.Transform(3, sitk.sitkIdentity)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold SimpleITK to one thread; a filter's own setting does not reach the filters that it uses inside."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def lps_geometry(grid: Grid) -> tuple[NDArray, NDArray, NDArray]:
    """ITK's origin (3,), spacing (3,) and direction (3, 3) of a grid."""
    lps = RAS_TO_LPS @ grid.matrix
    spacing = np.asarray(grid.spacing_mm)
    return lps[:3, 3], spacing, lps[:3, :3] / spacing


def to_itk(data: NDArray, grid: Grid) -> sitk.Image:
    """An (I, J, K) array as an ITK image of float32 at the same place."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.asarray(data, np.float32).T))
    origin, spacing, direction = lps_geometry(grid)
    image.SetOrigin(origin.tolist())
    image.SetSpacing(spacing.tolist())
    image.SetDirection(direction.ravel().tolist())
    return image


def from_itk(image: sitk.Image) -> NDArray[np.float32]:
    """The (I, J, K) array of an ITK image."""
    return np.ascontiguousarray(sitk.GetArrayViewFromImage(image).T, np.float32)


@one_thread()
def resample(
    data: NDArray, source: Grid, grid: Grid, transform: sitk.Transform, *, nearest: bool = False
) -> NDArray[np.float32]:
    """Interpolate once: linearly, or take the nearest voxel.

    Args:
        data: (I, J, K) on ``source``.
        source: where ``data`` lies.
        grid: where the result is wanted; zero where it lies outside ``source``.
        transform: maps points of ``grid``'s space to points of ``source``'s space, LPS+ millimetres.
        nearest: take the nearest voxel, for labels.
    """
    resampler = sitk.ResampleImageFilter()
    origin, spacing, direction = lps_geometry(grid)
    resampler.SetSize(list(grid.shape))
    resampler.SetOutputOrigin(origin.tolist())
    resampler.SetOutputSpacing(spacing.tolist())
    resampler.SetOutputDirection(direction.ravel().tolist())
    resampler.SetTransform(transform)
    resampler.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    return from_itk(resampler.Execute(to_itk(data, source)))


def coarser_grid(grid: Grid, spacing_mm: float) -> Grid:
    """The grid with voxels of ``spacing_mm`` over the same box, along the same axes."""
    step = spacing_mm / np.asarray(grid.spacing_mm)
    shape = tuple(int(n) for n in np.ceil(np.asarray(grid.shape) / step))
    affine = grid.matrix @ np.diag([*step, 1])
    affine[:3, 3] = (grid.matrix @ [*((step - 1) / 2), 1])[:3]
    return Grid.of(shape, affine)


def antialias(data: NDArray, source: Grid, spacing_mm: float) -> NDArray[np.float32]:
    """Blur (I, J, K) data so that sampling it every ``spacing_mm`` does not alias; finer axes blur more.

    The Gaussian's FWHM and the source voxel add in squares to ``spacing_mm``, as for the template's images.
    """
    sigma = antialias_fwhm_mm(source, spacing_mm) / FWHM_PER_SIGMA / source.spacing_mm
    return ndimage.gaussian_filter(np.asarray(data, np.float32), sigma, mode="constant")


def antialias_fwhm_mm(source: Grid, spacing_mm: float) -> NDArray[np.float64]:
    """Widths of the Gaussian of ``antialias`` along I, J, K, (3,)."""
    return np.sqrt(np.maximum(spacing_mm**2 - np.square(source.spacing_mm), 0))


@one_thread()
def correct_bias(t1w: NDArray[np.float32], mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float32]:
    """Divide by the bias field that N4 finds on a coarse copy; the mean of the brain is kept.

    Source: Tustison et al., IEEE Trans. Med. Imaging 29 (2010) 1310.

    Args:
        t1w: (I, J, K) on ``grid``.
        mask: (I, J, K) brain.
        grid: the native grid.
    """
    shrink = [max(1, round(N4_SPACING_MM / spacing)) for spacing in grid.spacing_mm]
    image = to_itk(np.where(mask, t1w, 0), grid)
    brain = sitk.Cast(to_itk(mask, grid), sitk.sitkUInt8)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(list(N4_ITERATIONS))
    n4.Execute(sitk.Shrink(image, shrink), sitk.Shrink(brain, shrink))
    field = np.exp(from_itk(n4.GetLogBiasFieldAsImage(image)))
    return (t1w / (field / field[mask].mean())).astype(np.float32)
