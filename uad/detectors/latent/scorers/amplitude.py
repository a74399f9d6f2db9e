"""No machine: the first component of the latent vectors itself, signed, along the way that less uptake moves them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from synthpet.errors import UsageError
from uad.detectors.latent.scorers.base import ControlScores
from uad.detectors.latent.scorers.controls import Controls


class Amplitude:
    """What a z-map of the latent vectors is made from: what the machines add can be told by it."""

    signed: ClassVar[bool] = True

    @classmethod
    def of(cls, options: Mapping[str, Any], seed: int, device: str) -> Self:
        """Needs a direction.

        Raises:
            UsageError: ``n_directions`` is null.
        """
        if options["n_directions"] is None:
            raise UsageError(f"detector.method={options['method']}: needs detector.n_directions=1, found null")
        return cls()

    def fit(self, latents: NDArray[np.float32], controls: Controls) -> None:
        """There is nothing to learn."""

    def control_scores(self, latents: NDArray[np.float32], controls: Controls) -> ControlScores:
        """Each control's own."""
        scores = (self.score(control, mask) for control, mask in zip(latents, controls.masks, strict=True))
        return ControlScores(scores, controls.where)

    def score(self, latents: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The first component, (n_voxels,)."""
        return latents[:, 0].astype(np.float64)

    def save(self, stem: Path) -> list[Path]:
        """Nothing was learned."""
        return []

    def restore(self, stem: Path) -> None:
        """Nothing was learned."""
