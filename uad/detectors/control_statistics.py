"""From raw anomaly maps to z-maps: what is normal at each voxel, learned from controls, pooled over neighbours.

A place where controls vary must not shine, nor a place where few of them have brain. So mean and spread are counted
within each control's own mask and pooled by Gaussian weights that stop at the masks' edge.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from synthpet.cohort.files import write_bytes
from synthpet.errors import DataError, UsageError
from synthpet.learning.model_files import read_arrays
from synthpet.statistics.single_case import crawford_howell_z
from synthpet.template.smoothing import FWHM_PER_SIGMA

DIRECTIONS = ("hypo", "hyper", "both")
MIN_SHARE = 0.5  # Not in the paper: a voxel is judged where at least this share of the controls has brain
MIN_RELATIVE_SPREAD = 0.1  # Not in the paper: of the median spread; keeps a place without spread from shining


@dataclass(frozen=True)
class ControlStatistics:
    """Mean and spread of the controls' raw maps at each voxel.

    Args:
        n: (I, J, K), how many controls have brain there.
        mean: (I, J, K), float32, 0 where ``judged`` is false.
        spread: (I, J, K), float32, sample standard deviation, 1 where ``judged`` is false.
        judged: (I, J, K), where at least ``MIN_SHARE`` of the controls, and 2, have brain.
    """

    n: NDArray[np.int32]
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    judged: NDArray[np.bool_]

    @classmethod
    def of(
        cls, maps: Iterable[tuple[NDArray, NDArray[np.bool_]]], spacing_mm: Sequence[float], *,
        mean_fwhm_mm: float = 0.0, spread_fwhm_mm: float = 0.0, n: NDArray[np.int64] | None = None,
    ) -> "ControlStatistics":  # fmt: skip
        """Statistics of controls seen one by one: memory does not grow with their number.

        The spread is about the pooled mean: what pooling takes from the mean's detail is added to the spread.

        Args:
            maps: raw map (I, J, K) and brain mask of each control; where a detector learns from the controls, each
                map must come from a detector that did not see that control.
            spacing_mm: voxel size.
            mean_fwhm_mm: Gaussian that pools the mean over neighbours, for raw values that should be alike nearby
                (decision values); 0 for values with detail of their own (PET).
            spread_fwhm_mm: the same for the spread.
            n: (I, J, K), how many controls have brain at each voxel, where ``maps`` are of some voxels only (their
                masks say which) and pooling fills in the others; by default the masks are whole.

        Raises:
            DataError: fewer than two controls, different shapes, or values that are not finite.

        Source: running moments: Welford, Technometrics 4 (1962) 419.
        """
        moments = Moments.of(maps)
        return moments.statistics(spacing_mm, mean_fwhm_mm=mean_fwhm_mm, spread_fwhm_mm=spread_fwhm_mm, n=n)

    def save(self, path: Path) -> Path:
        """Write as ``.npz`` without pickled objects, whole or not at all."""
        stream = io.BytesIO()
        np.savez_compressed(stream, n=self.n, mean=self.mean, spread=self.spread, judged=self.judged)
        return write_bytes(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> "ControlStatistics":
        """Read what ``save`` wrote."""
        names = ("n", "mean", "spread", "judged")
        arrays = read_arrays(path, names)
        return cls(*(arrays[name] for name in names))


def to_z(
    raw: NDArray, mask: NDArray[np.bool_], statistics: ControlStatistics, *, small_sample: bool = False
) -> NDArray[np.float32]:
    """How far a raw map lies from the controls, in standard deviations; 0 outside the mask and where not judged.

    Args:
        raw: (I, J, K), the kind of map that the statistics are of.
        mask: (I, J, K) brain of the same person.
        statistics: of the controls.
        small_sample: allow for the uncertainty of mean and spread of n controls: t = (x - mean) / (spread
            sqrt((n + 1) / n)) with n - 1 degrees of freedom, turned into the z of the same tail probability.

    Source: Crawford & Howell, Clin Neuropsychol 12 (1998) 482.
        Not in the paper: n - 1 degrees of freedom also where the spread is pooled, which is cautious.
    """
    where = np.asarray(mask, bool) & statistics.judged
    deviation = (raw[where].astype(np.float64) - statistics.mean[where]) / statistics.spread[where]
    z = np.zeros(where.shape, np.float32)
    z[where] = crawford_howell_z(deviation, statistics.n[where]) if small_sample else deviation
    return z


def towards(signed_z: NDArray[np.float32], direction: str) -> NDArray[np.float32]:
    """A signed z-map (negative = less than normal) as an anomaly map, high = abnormal.

    Args:
        signed_z: (I, J, K).
        direction: hypo (less is abnormal), hyper (more is), both (either).
    """
    _check_direction(direction)
    return {"hypo": np.negative, "hyper": np.positive, "both": np.abs}[direction](signed_z)


def weight_by_direction(z: NDArray[np.float32], pet_z: NDArray[np.float32], direction: str) -> NDArray[np.float32]:
    """An unsigned z-map, weighted by the probability that the PET deviates in the direction that is looked for.

    An unsigned score pays twice for its false alarms: for what is more and for what is less than normal.

    Args:
        z: (I, J, K), high = abnormal.
        pet_z: (I, J, K), smooth signed z-map of the PET, negative = less uptake than normal.
        direction: hypo, hyper, or both (no weight).

    Source: Not in the paper: the weight is the normal distribution function of -pet_z (hypo) or pet_z (hyper).
    """
    _check_direction(direction)
    if direction == "both":
        return z
    return (z * stats.norm.cdf(towards(pet_z, direction))).astype(np.float32)


def _check_direction(direction: str) -> None:
    if direction not in DIRECTIONS:
        raise UsageError(f"direction={direction}: expected one of {', '.join(DIRECTIONS)}")


@dataclass(frozen=True)
class Moments:
    """Per voxel, (I, J, K): number of controls, mean and sum of squared deviations within their masks.

    ``n_controls``: how many there are in all.
    """

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    n_controls: int

    @classmethod
    def of(cls, maps: Iterable[tuple[NDArray, NDArray[np.bool_]]]) -> "Moments":
        """Of raw maps and masks, one at a time in memory.

        Raises:
            DataError: fewer than two controls, different shapes, or values that are not finite.
        """
        n_controls = 0
        for raw, mask in maps:
            mask = np.asarray(mask, bool)
            if n_controls == 0:
                n, mean, squares = np.zeros(mask.shape, np.int64), np.zeros(mask.shape), np.zeros(mask.shape)
            if not raw.shape == mask.shape == n.shape:
                raise DataError(
                    f"E_GRID control {n_controls + 1}: shapes {raw.shape}, {mask.shape}; expected {n.shape}"
                )
            if bad := int(np.count_nonzero(~np.isfinite(raw[mask]))):
                raise DataError(f"E_NONFINITE control {n_controls + 1}: n={bad} voxels of the raw map are not finite")
            n_controls += 1
            n[mask] += 1
            delta = raw[mask] - mean[mask]
            mean[mask] += delta / n[mask]
            squares[mask] += delta * (raw[mask] - mean[mask])
        if n_controls < 2:
            raise DataError(f"E_CONTROLS found {n_controls} control maps; expected at least 2")
        return cls(n, mean, squares, n_controls)

    def without(self, raw: NDArray, mask: NDArray[np.bool_]) -> "Moments":
        """Those of all others, (raw, mask) being one of the controls."""
        mask = np.asarray(mask, bool)
        n = self.n - mask
        others = mask & (n > 0)
        mean, squares = self.mean.copy(), self.squares.copy()
        delta = raw[others] - self.mean[others]
        mean[others] -= delta / n[others]
        squares[others] = np.maximum(squares[others] - delta * (raw[others] - mean[others]), 0)
        mean[mask & ~others] = squares[mask & ~others] = 0
        return Moments(n, mean, squares, self.n_controls - 1)

    def statistics(
        self, spacing_mm: Sequence[float], *, mean_fwhm_mm: float = 0.0, spread_fwhm_mm: float = 0.0,
        n: NDArray[np.int64] | None = None,
    ) -> ControlStatistics:  # fmt: skip
        """Mean and spread, pooled; arguments as for ``ControlStatistics.of``.

        Raises:
            DataError: no voxel in common.
        """
        n = self.n if n is None else n
        judged = n >= max(2, int(np.ceil(MIN_SHARE * self.n_controls)))
        if not judged.any():
            raise DataError(
                f"E_CONTROLS {self.n_controls} controls have no voxel in common; expected at least 2 that do"
            )
        pooled = _pool(self.mean, self.n, mean_fwhm_mm, spacing_mm)
        squares = self.squares + self.n * (self.mean - pooled) ** 2
        freedom = np.maximum(self.n - 1, 0)
        variance = _pool(squares / np.maximum(freedom, 1), freedom, spread_fwhm_mm, spacing_mm)
        spread = np.sqrt(np.maximum(variance, 0))
        floor = MIN_RELATIVE_SPREAD * np.median(spread[judged])
        spread = np.maximum(spread, floor if floor > 0 else 1.0)
        return ControlStatistics(
            n=n.astype(np.int32),
            mean=np.where(judged, pooled, 0).astype(np.float32),
            spread=np.where(judged, spread, 1).astype(np.float32),
            judged=judged,
        )


def _pool(
    values: NDArray[np.float64], weights: NDArray[np.int64], fwhm_mm: float, spacing_mm: Sequence[float]
) -> NDArray[np.float64]:
    """Gaussian mean over neighbours of (I, J, K) values with weights: what weighs nothing does not count."""
    if fwhm_mm == 0:
        return values
    sigma = [fwhm_mm / FWHM_PER_SIGMA / spacing for spacing in spacing_mm]
    total = ndimage.gaussian_filter(weights.astype(np.float64), sigma, mode="constant")
    pooled = ndimage.gaussian_filter(values * weights, sigma, mode="constant")
    return np.divide(pooled, total, out=np.zeros_like(pooled), where=total > 1e-6)
