"""What is left of the latent vectors once the evidence has predicted them, in units of its spread."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uad.detectors.control_statistics import ControlStatistics, Moments, to_z, towards
from uad.detectors.latent.local_ridge import LocalRidge, Nodes
from uad.detectors.latent.scorers.controls import Controls

Maps = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Judged:
    """Maps (I, J, K) of one person.

    Args:
        z: high = abnormal in the direction looked for.
        less: less uptake than predicted, in units of its spread; negative: more.
    """

    z: NDArray[np.float32]
    less: NDArray[np.float32]


class Judge:
    """One prediction of the targets from the evidence; what it leaves along the first of them is the map.

    Args:
        nodes: where slopes are learned.
        columns: of the evidence, that predict; those of the targets come first in it.
        n_targets: how many those are.
        options: ``spread_fwhm_mm`` and ``direction``.
        small_sample: of the map: allow for the uncertainty of a few controls (``to_z``), of which those that are left
            out are judged by one fewer than a patient is.
    """

    def __init__(
        self, nodes: Nodes, columns: slice, n_targets: int, options: Any, *, small_sample: bool = False
    ) -> None:
        self.nodes, self.columns, self.n_targets, self.options = nodes, columns, n_targets, options
        self.small_sample = small_sample

    def fit(self, deviations: NDArray[np.float32], controls: Controls, *, independent: bool) -> list[Judged]:
        """Learn from controls; return the maps of each as if it had been left out.

        Args:
            deviations: (n_controls, n_voxels, width) of the evidence from its mean, 0 where unknown.
            controls: theirs.
            independent: the expected PET of a control knows nothing of the other controls. Where they trained the
                generators, what is left of the others leans away from a control already: see ``Residual.left_out``.
        """
        _, less = self._learn(deviations, controls, independent)
        return [self._signed(one) for one in less]

    def judge(self, deviations: NDArray[np.float32], brain: NDArray[np.bool_]) -> Judged:
        """The maps of one person from whom nothing was learned; deviations (n_voxels, width), mask (I, J, K)."""
        return self._signed(self._z(deviations, brain, small_sample=self.small_sample)[0])

    def save(self, folder: Path, name: str) -> list[Path]:
        """Write what was learned; names begin with ``name``."""
        spreads = [found.save(folder / f"{name}-spread-{k}.npz") for k, found in enumerate(self.spreads)]
        return [self.ridge.save(folder / f"{name}-ridge.npz"), *spreads]

    def restore(self, folder: Path, name: str) -> None:
        """Read what ``save`` wrote."""
        self.ridge = LocalRidge.load(folder / f"{name}-ridge.npz")
        paths = [folder / f"{name}-spread-{k}.npz" for k in range(self.n_targets)]
        self.spreads = [ControlStatistics.load(path) for path in paths]

    def _learn(
        self, deviations: NDArray[np.float32], controls: Controls, independent: bool
    ) -> tuple[NDArray[np.float32], Maps]:
        """Slopes and spreads; what is left of each control by those of the others, in units of its spread.

        Returns:
            About the mean of all, (n_controls, n_voxels, k), a memory map; and ``Judged.less`` of each.
        """
        left, brains = self._left_out(deviations, controls.masks), self._brains(controls)
        maps = [[self._fill(rest[:, k]) for rest in left] for k in range(self.n_targets)]
        self.spreads = [_about_0(self._statistics(found, brains)) for found in maps]
        vectors, less = controls.array("vectors", left.shape), []
        for k, found in enumerate(maps):
            others = leave_one_out(found, brains, self.nodes.spacing_mm, spread_fwhm_mm=self.options.spread_fwhm_mm)
            for i, one in enumerate(others):
                centred = _about_0(one)
                vectors[i, :, k] = to_z(found[i], brains[i], centred)[self.nodes.where]
                if k == 0:
                    by = one if independent else centred
                    less.append(to_z(found[i], brains[i], by, small_sample=self.small_sample))
        return vectors, less

    def _z(self, deviations: NDArray[np.float32], brain: NDArray[np.bool_], *, small_sample: bool = False) -> Maps:
        """What is left of one person in units of its spread, a map for each target."""
        rest = deviations[:, : self.n_targets] - self.ridge.predict(deviations[:, self.columns])
        maps = (self._fill(values) for values in rest.T)
        return [
            to_z(one, brain, spread, small_sample=small_sample) for one, spread in zip(maps, self.spreads, strict=True)
        ]

    def _signed(self, less: NDArray[np.float32]) -> Judged:
        return Judged(towards(-less, self.options.direction), less)

    def _brains(self, controls: Controls) -> list[NDArray[np.bool_]]:
        return [self._fill(mask) > 0 for mask in controls.masks]

    def _left_out(self, deviations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        """What is left of each control's targets, by slopes of the others: (n_controls, n_voxels, k), about the mean.

        Moments of the others about their own mean follow from those of all: they are less by n / (n - 1) times the
        control's own.
        """
        targets = slice(0, self.n_targets)
        n = masks.sum(axis=0)
        weights = n / np.maximum(n - 1, 1)
        total = sum(self._moments(one, mask) for one, mask in zip(deviations, masks, strict=True))
        self.ridge = self.nodes.solve(np.asarray(total))
        left = np.empty((*deviations.shape[:2], self.n_targets), np.float32)
        for i, (one, mask) in enumerate(zip(deviations, masks, strict=True)):
            ridge = self.nodes.solve(total - self._moments(one, mask * weights))
            left[i] = (one[:, targets] - ridge.predict(one[:, self.columns])) * mask[:, None]
        return left

    def _moments(self, one: NDArray[np.float32], weights: NDArray[Any]) -> NDArray[np.float64]:
        return self.nodes.moments(one[:, self.columns], one[:, : self.n_targets], weights.astype(np.float32))

    def _statistics(self, maps: Maps, brains: Sequence[NDArray[np.bool_]]) -> ControlStatistics:
        fwhm_mm = self.options.spread_fwhm_mm
        return ControlStatistics.of(zip(maps, brains, strict=True), self.nodes.spacing_mm, spread_fwhm_mm=fwhm_mm)

    def _fill(self, values: NDArray[Any]) -> NDArray[np.float32]:
        volume = np.zeros(self.nodes.where.shape, np.float32)
        volume[self.nodes.where] = values
        return volume


def _about_0(found: ControlStatistics) -> ControlStatistics:
    """Without a mean: deviations already are about that of all controls."""
    return replace(found, mean=np.zeros_like(found.mean))


def leave_one_out(
    maps: Maps, brains: Sequence[NDArray[np.bool_]], spacing_mm: Sequence[float], *, mean_fwhm_mm: float = 0.0,
    spread_fwhm_mm: float = 0.0,
) -> Iterator[ControlStatistics]:  # fmt: skip
    """Of each control the statistics of all others; arguments as for ``ControlStatistics.of``."""
    moments = Moments.of(zip(maps, brains, strict=True))
    for one, brain in zip(maps, brains, strict=True):
        others = moments.without(one, brain)
        yield others.statistics(spacing_mm, mean_fwhm_mm=mean_fwhm_mm, spread_fwhm_mm=spread_fwhm_mm)
