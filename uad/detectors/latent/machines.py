"""A one-class SVM at each voxel on what the prediction leaves, in place of its z along one direction."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uad.detectors.control_statistics import ControlStatistics, to_z, weight_by_direction
from uad.detectors.latent.judge import Judge, Judged, Maps, leave_one_out
from uad.detectors.latent.local_ridge import Nodes
from uad.detectors.latent.scorers.base import DISTANCE, Scorer
from uad.detectors.latent.scorers.controls import Controls
from uad.detectors.latent.scorers.registry import SCORERS


class MachineJudge(Judge):
    """Machines judge all targets at once; their scores, in units of those of controls left out, weigh by direction.

    Args:
        nodes: as ``Judge``, and so ``columns`` and ``n_targets``.
        options: those of ``Judge``, ``nu``, ``gamma`` and ``pool_fwhm_mm``.
        device: of torch, where the machines are solved.
    """

    def __init__(self, nodes: Nodes, columns: slice, n_targets: int, options: Any, device: str) -> None:
        super().__init__(nodes, columns, n_targets, options)
        own = {"nu": options.nu, "gamma": options.gamma, "score": DISTANCE, "score_every": 1}
        self.machines: Scorer = SCORERS.load("ocsvm_voxel").of(own, 0, device)

    def fit(self, deviations: NDArray[np.float32], controls: Controls, *, independent: bool) -> list[Judged]:
        """As ``Judge.fit``."""
        vectors, less = self._learn(deviations, controls, independent)  # machines see differences: a common origin
        self.machines.fit(vectors, controls)
        scores = [self._fill(score) for score in self.machines.control_scores(vectors, controls).scores]
        brains, spacing = self._brains(controls), self.nodes.spacing_mm
        pooling = {"mean_fwhm_mm": self.options.pool_fwhm_mm, "spread_fwhm_mm": self.options.pool_fwhm_mm}
        self.scale = ControlStatistics.of(zip(scores, brains, strict=True), spacing, **pooling)
        others = leave_one_out(scores, brains, spacing, **pooling)
        others = others if independent else (replace(one, mean=self.scale.mean) for one in others)
        return [self._judged(*one) for one in zip(scores, less, brains, others, strict=True)]

    def judge(self, deviations: NDArray[np.float32], brain: NDArray[np.bool_]) -> Judged:
        """As ``Judge.judge``."""
        z, where = self._z(deviations, brain), self.nodes.where
        score = self.machines.score(_vectors(z, where), brain[where])
        return self._judged(self._fill(score), z[0], brain & where, self.scale)

    def save(self, folder: Path, name: str) -> list[Path]:
        """As ``Judge.save``, with the machines."""
        scale = self.scale.save(folder / f"{name}-statistics.npz")
        return [*super().save(folder, name), scale, *self.machines.save(folder / f"{name}-support")]

    def restore(self, folder: Path, name: str) -> None:
        """Read what ``save`` wrote."""
        super().restore(folder, name)
        self.scale = ControlStatistics.load(folder / f"{name}-statistics.npz")
        self.machines.restore(folder / f"{name}-support")

    def _judged(
        self, score: NDArray[np.float32], less: NDArray[np.float32], brain: NDArray[np.bool_], scale: ControlStatistics
    ) -> Judged:
        return Judged(weight_by_direction(to_z(score, brain, scale), -less, self.options.direction), less)


def _vectors(z: Maps, where: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.stack([values[where] for values in z], axis=1)
