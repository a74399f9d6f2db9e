"""What the mirror image of a voxel predicts for it: people's two sides differ less than people do.

d(v) is the deviation of a raw map from the controls' mean. What is judged instead of d(v) is

    d(v) - b(v) d(v')          b(v) = sum d(v) d(v') / sum d(v')^2 over the controls, pooled over neighbours

with v' the mirror voxel. A lesion on one side stands out more; what both sides share is taken out, a lesion that both
sides have as well.

Not in a paper in this form: between 0 (no mirror) and 1 (a plain difference of the sides) the data decide.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from synthpet.cohort.files import write_bytes
from synthpet.learning.model_files import read_arrays
from synthpet.template.smoothing import FWHM_PER_SIGMA

POOL_FWHM_MM = 40.0  # a slope of one voxel from twenty people would be mostly chance


@dataclass(frozen=True)
class Mirror:
    """Mean of the controls and slope on the mirror side, (I, J, K) each; slope 0 where either side has no brain."""

    mean: NDArray[np.float32]
    slope: NDArray[np.float32]

    @classmethod
    def learn(cls, maps: Iterable[tuple[NDArray, NDArray[np.bool_]]], spacing_mm: Sequence[float]) -> "Mirror":
        """Learn from controls seen one by one; memory does not grow with their number.

        Args:
            maps: raw map (I, J, K) and where it is defined, of each control, on a grid that mirrors about x = 0.
            spacing_mm: voxel size.
        """
        n, total, both, own, cross, square = _sums(maps)
        count = np.maximum(both, 1)
        covariance = cross - own * own[::-1] / count
        variance = square[::-1] - own[::-1] ** 2 / count
        sigma = POOL_FWHM_MM / FWHM_PER_SIGMA / np.asarray(spacing_mm)
        covariance, variance = (gaussian_filter(values * (both > 1), sigma) for values in (covariance, variance))
        slope = np.divide(covariance, variance, out=np.zeros_like(variance), where=variance > 1e-12)
        slope = np.where(both > 1, np.clip(slope, 0, 1), 0)
        return cls((total / np.maximum(n, 1)).astype(np.float32), slope.astype(np.float32))

    def save(self, path: Path) -> Path:
        """Write as ``.npz`` without pickled objects, whole or not at all."""
        stream = io.BytesIO()
        np.savez_compressed(stream, mean=self.mean, slope=self.slope)
        return write_bytes(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Mirror":
        """Read what ``save`` wrote."""
        arrays = read_arrays(path)
        return cls(arrays["mean"], arrays["slope"])

    def less(self, raw: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
        """A raw map less what its mirror image predicts; as it was where the mirror voxel is not defined."""
        expected = self.slope * (raw - self.mean)[::-1]
        return np.where(where & where[::-1], raw - expected, raw).astype(np.float32)


def _sums(maps: Iterable[tuple[NDArray, NDArray[np.bool_]]]) -> list[NDArray[np.float64]]:
    """Voxelwise sums over controls: their number and values; and over those with brain on both sides their number,
    values, products with the mirror voxel and squares.
    """
    sums: list[NDArray[np.float64]] = []
    for raw, where in maps:
        values, both = np.where(where, raw, 0).astype(np.float64), where & where[::-1]
        own = values * both
        added = [np.asarray(term, np.float64) for term in (where, values, both, own, own * own[::-1], own**2)]
        sums = [before + more for before, more in zip(sums, added, strict=True)] if sums else added
    return sums
