"""One machine at every voxel, over the controls: a one-class SVM, or the smallest sphere around them (SVDD)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from uad.detectors.latent.scorers.base import DISTANCE, ControlScores
from uad.detectors.latent.scorers.controls import Controls, fit_in_blocks, leave_one_out_in_blocks
from uad.detectors.latent.support.storage import load_estimator, save_estimator
from uad.detectors.latent.support.svdd import VoxelwiseSvdd
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM


class OneClassSVM:
    """A one-class SVM at every voxel.

    Args:
        distance: whether the score is the kernel distance, which does not saturate, or the decision value, negated.
        every: the controls are scored at every ``every``-th voxel along each axis.
        parameters: of the machine.
    """

    signed: ClassVar[bool] = False
    machine: ClassVar[type[VoxelwiseOneClassSVM]] = VoxelwiseOneClassSVM

    def __init__(self, *, distance: bool, every: int, **parameters: Any) -> None:
        self.distance, self.every, self.parameters = distance, every, parameters

    @classmethod
    def of(cls, options: Mapping[str, Any], seed: int, device: str) -> Self:
        """From ``nu``, ``gamma``, ``score`` and ``score_every``."""
        own = {key: options[key] for key in ("nu", "gamma")}
        return cls(distance=options["score"] == DISTANCE, every=options["score_every"], device=device, **own)

    def fit(self, latents: NDArray[np.float32], controls: Controls) -> None:
        """Solve the machines of some voxels at a time."""
        self.support_ = fit_in_blocks(self._new, latents, controls.array("weights", latents.shape[:2]))

    def control_scores(self, latents: NDArray[np.float32], controls: Controls) -> ControlScores:
        """Each control's score by machines of the others."""
        seen = np.zeros_like(controls.where)
        seen[:: self.every, :: self.every, :: self.every] = True
        seen &= controls.where
        voxels = np.flatnonzero(seen[controls.where])
        left_out = controls.array("left-out", (len(latents), len(voxels)), np.float64)
        leave_one_out_in_blocks(self._new, latents, voxels, self.distance, left_out)
        return ControlScores(left_out if self.distance else (-values for values in left_out), seen)

    def score(self, latents: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Kernel distance, or the decision value negated, (n_voxels,)."""
        return self.support_.kernel_distance(latents) if self.distance else -self.support_.decision_function(latents)

    def save(self, stem: Path) -> list[Path]:
        """Write the machines."""
        return save_estimator(self.support_, stem)

    def restore(self, stem: Path) -> None:
        """Read what ``save`` wrote."""
        self.support_ = load_estimator(stem).set_params(device=self.parameters["device"])

    def _new(self) -> VoxelwiseOneClassSVM:
        return self.machine(**self.parameters)


class Svdd(OneClassSVM):
    """The smallest sphere around the controls at every voxel (support vector data description)."""

    machine = VoxelwiseSvdd
