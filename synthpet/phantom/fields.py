"""Smooth random fields on a lattice, and reading values off a lattice at points."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from synthpet.cohort.images import Grid
from synthpet.errors import DataError

FWHM = 2 * np.sqrt(2 * np.log(2))  # of a Gaussian of unit standard deviation


@dataclass(frozen=True)
class Lattice:
    """A box of isotropic voxels aligned with the axes of RAS+ space.

    Args:
        shape: voxels along I, J, K.
        origin_mm: centre of the first voxel.
        spacing_mm: voxel size.
    """

    shape: tuple[int, int, int]
    origin_mm: tuple[float, float, float]
    spacing_mm: float

    @classmethod
    def of(cls, grid: Grid) -> "Lattice":
        """The lattice of a cohort's grid.

        Raises:
            DataError: the grid is not isotropic or not aligned with the axes.
        """
        spacing = grid.spacing_mm[0]
        if not np.allclose(grid.matrix[:3, :3], spacing * np.eye(3), atol=1e-3):
            raise DataError(f"E_GRID the cohort's grid is {grid}; expected isotropic voxels along the axes (RAS+)")
        return cls(grid.shape, tuple(grid.matrix[:3, 3].tolist()), spacing)  # type: ignore[arg-type]

    @property
    def affine(self) -> NDArray[np.float64]:
        """The (4, 4) matrix from voxel indices to millimetres."""
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = self.origin_mm
        return affine

    def points_mm(self) -> NDArray[np.float32]:
        """The voxel centres as (3, I, J, K)."""
        axes = [o + self.spacing_mm * np.arange(n) for o, n in zip(self.origin_mm, self.shape, strict=True)]
        points = np.empty((3, *self.shape), np.float32)
        for component, axis in zip(points, np.meshgrid(*axes, indexing="ij", sparse=True), strict=True):
            component[...] = axis
        return points

    def resampled(self, spacing_mm: float) -> "Lattice":
        """A lattice of another spacing over the same box, never smaller than it."""
        low = np.array(self.origin_mm) - self.spacing_mm / 2
        shape = tuple(int(np.ceil(n * self.spacing_mm / spacing_mm - 1e-6)) for n in self.shape)
        return Lattice(shape, tuple((low + spacing_mm / 2).tolist()), spacing_mm)  # type: ignore[arg-type]

    def doubled(self) -> "Lattice":
        """The lattice of half the spacing: 2x2x2 of its voxels make one of this."""
        origin = tuple(o - self.spacing_mm / 4 for o in self.origin_mm)
        return Lattice(tuple(2 * n for n in self.shape), origin, self.spacing_mm / 2)  # type: ignore[arg-type]

    def sample(self, values: NDArray, points_mm: NDArray) -> NDArray[np.float32]:
        """Values (I, J, K) at points (3, ...) by linear interpolation; the edge value beyond the box."""
        origin = np.reshape(self.origin_mm, (3, *[1] * (points_mm.ndim - 1)))
        indices = (points_mm - origin) / self.spacing_mm
        return map_coordinates(values, indices, order=1, mode="nearest", output=np.float32)

    def resample(self, values: NDArray, other: "Lattice") -> NDArray[np.float32]:
        """Values (I, J, K) on another lattice, as ``sample`` at all its voxels but axis by axis and much faster."""
        for axis in range(3):
            centres = other.origin_mm[axis] + other.spacing_mm * np.arange(other.shape[axis])
            index = np.clip((centres - self.origin_mm[axis]) / self.spacing_mm, 0, self.shape[axis] - 1)
            low = np.minimum(index.astype(int), self.shape[axis] - 2)
            weight = (index - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
            below, above = values.take(low, axis), values.take(low + 1, axis)
            values = below + weight * (above - below)
        return values

    def random_field(
        self, rng: np.random.Generator, fwhm_mm: float, *, symmetric: float = 0.0, less_fwhm_mm: float | None = None
    ) -> NDArray[np.float32]:
        """White noise filtered by a Gaussian of ``fwhm_mm``: (I, J, K), mean 0, standard deviation 1.

        Args:
            rng: source of randomness.
            fwhm_mm: of the Gaussian.
            symmetric: share of the variance that mirror images (about the middle of axis 0) have in common.
            less_fwhm_mm: take out what a wider Gaussian leaves: a difference of Gaussians, without wide changes.
        """
        field = self._filtered(rng, fwhm_mm, less_fwhm_mm)
        if not symmetric:
            return field
        both = self._filtered(rng, fwhm_mm, less_fwhm_mm)
        both = (both + both[::-1]) / np.sqrt(2, dtype=np.float32)
        return np.sqrt(1 - symmetric, dtype=np.float32) * field + np.sqrt(symmetric, dtype=np.float32) * both

    def _filtered(self, rng: np.random.Generator, fwhm_mm: float, less_fwhm_mm: float | None) -> NDArray[np.float32]:
        """As ``random_field`` without symmetry, (I, J, K)."""
        noise = rng.standard_normal(self.shape, dtype=np.float32)
        sigma = fwhm_mm / FWHM / self.spacing_mm
        field = gaussian_filter(noise, sigma, mode="wrap")
        if less_fwhm_mm is None:
            return field / np.sqrt(_squares(sigma, sigma))
        wide = less_fwhm_mm / FWHM / self.spacing_mm
        variance = _squares(sigma, sigma) - 2 * _squares(sigma, wide) + _squares(wide, wide)
        return (field - gaussian_filter(noise, wide, mode="wrap")) / np.sqrt(variance)


@lru_cache
def _squares(sigma: float, other: float) -> np.float32:
    """Sum over a volume of the product of two Gaussian kernels, widths in voxels."""
    half = 4 * int(np.ceil(max(sigma, other))) + 4
    impulse = np.zeros(2 * half + 1)
    impulse[half] = 1
    return np.float32(np.sum(gaussian_filter(impulse, sigma) * gaussian_filter(impulse, other)) ** 3)
