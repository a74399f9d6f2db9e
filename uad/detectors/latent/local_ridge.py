"""Linear prediction whose slopes change smoothly over the brain: ridge regression at the nodes of a coarse grid.

At a node, controls and voxels around it are pooled by a Gaussian: the slopes of one voxel from twenty people would be
mostly chance, one set of slopes for the whole brain would not know that uptake differs between its parts.

    B(node) = (S_xx + penalty n s^2 I)^-1 S_xy        S: pooled sums over controls and voxels of deviations

with n the pooled number of voxels and s the standard deviation of a predictor over the brain. The sums add up over
people, so what is learned without one control is found by taking that control's own sums away.

Not in a paper in this form.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.files import write_bytes
from synthpet.learning.model_files import read_arrays
from synthpet.template.smoothing import FWHM_PER_SIGMA

NODE_MM = 12.0  # between nodes


@dataclass(frozen=True)
class Nodes:
    """A coarse grid over the voxels of a mask.

    Args:
        where: (I, J, K), the voxels; theirs is the order of all rows below.
        spacing_mm: voxel size.
        fwhm_mm: of the Gaussian that pools around a node.
        penalty: on slopes, relative to the variance of a predictor.
    """

    where: NDArray[np.bool_]
    spacing_mm: Sequence[float]
    fwhm_mm: float
    penalty: float

    @property
    def every(self) -> NDArray[np.int64]:
        """Voxels between nodes along each axis."""
        return np.maximum(1, np.round(NODE_MM / np.asarray(self.spacing_mm))).astype(np.int64)

    @property
    def shape(self) -> tuple[int, ...]:
        """(A, B, C), nodes along each axis."""
        return tuple(int(n) for n in -(-np.array(self.where.shape) // self.every))

    def moments(
        self, predictors: NDArray[np.float32], targets: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """One person's sums around each node, not pooled yet: (A, B, C, p + 1, p + 1 + e), linear in the weights.

        Args:
            predictors: (n_voxels, p), deviations from the controls' mean.
            targets: (n_voxels, e), likewise.
            weights: (n_voxels,), 0 where the person has no brain.
        """
        node = np.ravel_multi_index(tuple((np.argwhere(self.where) // self.every).T), self.shape)
        order = np.argsort(node, kind="stable")
        found, starts = np.unique(node[order], return_index=True)
        left = np.concatenate([predictors, np.ones((len(predictors), 1), np.float32)], axis=1)[order]
        right = np.concatenate([left, targets[order]], axis=1) * weights[order, None]
        left = left * (weights[order, None] > 0)
        sums = np.zeros((int(np.prod(self.shape)), left.shape[1], right.shape[1]))
        for place, start, end in zip(found, starts, [*starts[1:], len(order)], strict=True):
            sums[place] = left[start:end].T @ right[start:end]
        return sums.reshape(*self.shape, *sums.shape[1:])

    def solve(self, moments: NDArray[np.float64]) -> "LocalRidge":
        """The slopes from the sums over people of ``moments``."""
        p = moments.shape[3] - 1
        sigma = self.fwhm_mm / FWHM_PER_SIGMA / (self.every * np.asarray(self.spacing_mm))
        pooled = ndimage.gaussian_filter(moments, (*sigma, 0, 0), mode="constant")
        total = moments.sum(axis=(0, 1, 2))
        scale = np.sqrt(np.maximum(np.diag(total)[:p] / total[p, p], 1e-12))
        products = pooled[..., :p, :p] / (scale[:, None] * scale)
        n = np.maximum(pooled[..., p, p], 1e-3)[..., None, None]
        slopes = np.linalg.solve(products + self.penalty * n * np.eye(p), pooled[..., :p, p + 1 :] / scale[:, None])
        return LocalRidge(self.where, self.every, (slopes / scale[:, None]).astype(np.float32))


@dataclass(frozen=True)
class LocalRidge:
    """Slopes at nodes.

    Args:
        where: (I, J, K), voxels that are predicted.
        every: voxels between nodes along each axis.
        slopes: (A, B, C, p, e).
    """

    where: NDArray[np.bool_]
    every: NDArray[np.int64]
    slopes: NDArray[np.float32]

    def predict(self, predictors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_voxels, p) to (n_voxels, e): slopes between nodes are interpolated."""
        at = ((np.argwhere(self.where) + 0.5) / self.every - 0.5).T
        predicted = np.zeros((len(predictors), self.slopes.shape[4]), np.float32)
        for k, values in enumerate(predictors.T):
            for j in range(predicted.shape[1]):
                slope = ndimage.map_coordinates(self.slopes[..., k, j], at, order=1, mode="nearest")
                predicted[:, j] += values * slope
        return predicted

    def save(self, path: Path) -> Path:
        """Write as ``.npz`` without pickled objects, whole or not at all."""
        stream = io.BytesIO()
        np.savez_compressed(stream, **vars(self))
        return write_bytes(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> "LocalRidge":
        """Read what ``save`` wrote."""
        return cls(**read_arrays(path, (field.name for field in fields(cls))))
