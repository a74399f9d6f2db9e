"""One machine on each evaluated person's own latent vectors: it sees nobody else (Pinon 2023)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from uad.detectors.latent.scorers.base import DISTANCE, ControlScores
from uad.detectors.latent.scorers.controls import Controls
from uad.detectors.latent.support.subject import SubjectOneClassSVM


class SubjectScorer:
    """A one-class SVM on the person's own vectors.

    Args:
        distance: whether the score is the kernel distance or the decision value, negated.
        parameters: of the machine.
    """

    signed: ClassVar[bool] = False

    def __init__(self, *, distance: bool, **parameters: Any) -> None:
        self.distance, self.parameters = distance, parameters

    @classmethod
    def of(cls, options: Mapping[str, Any], seed: int, device: str) -> Self:
        """From ``nu``, ``gamma`` and ``score``."""
        own = {key: options[key] for key in ("nu", "gamma")}
        return cls(distance=options["score"] == DISTANCE, random_state=seed, **own)

    def fit(self, latents: NDArray[np.float32], controls: Controls) -> None:
        """There is nothing to learn."""

    def control_scores(self, latents: NDArray[np.float32], controls: Controls) -> ControlScores:
        """Each control's score by the control's own machine."""
        scores = (self.score(control, mask) for control, mask in zip(latents, controls.masks, strict=True))
        return ControlScores(scores, controls.where)

    def score(self, latents: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Kernel distance, or the decision value negated, (n_voxels,)."""
        machine = SubjectOneClassSVM(**self.parameters).fit(latents[mask])
        return machine.kernel_distance(latents) if self.distance else -machine.decision_function(latents)

    def save(self, stem: Path) -> list[Path]:
        """Nothing was learned."""
        return []

    def restore(self, stem: Path) -> None:
        """Nothing was learned."""
