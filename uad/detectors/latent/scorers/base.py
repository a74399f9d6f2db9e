"""The protocol of a scorer."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from uad.detectors.latent.scorers.controls import Controls

DECISION, DISTANCE = "decision", "distance"


class ControlScores(NamedTuple):
    """Scores of the controls, each from a scorer that did not see that control.

    Args:
        scores: of each control, at the voxels of ``seen``, high = abnormal.
        seen: (I, J, K), where they were computed.
    """

    scores: Iterable[NDArray[np.float64]]
    seen: NDArray[np.bool_]


class Scorer(Protocol):
    """Learn the controls' latent vectors; score how far a person's lie outside.

    ``signed``: whether a score has a sign of its own (high = less uptake) instead of being weighted by the PET.
    """

    signed: ClassVar[bool] = False

    @classmethod
    def of(cls, options: Mapping[str, Any], seed: int, device: str) -> Self:
        """A scorer that has learned nothing yet.

        Args:
            options: of the detector.
            seed: of whatever it draws.
            device: of torch, where it computes.

        Raises:
            UsageError: values that do not go together.
        """

    def fit(self, latents: NDArray[np.float32], controls: Controls) -> None:
        """Learn from (n_controls, n_voxels, e), a memory map."""

    def control_scores(self, latents: NDArray[np.float32], controls: Controls) -> ControlScores:
        """What a new control would score."""

    def score(self, latents: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n_voxels,), high = abnormal, of one person's latents (n_voxels, e) where ``mask`` (n_voxels,) is brain."""

    def save(self, stem: Path) -> list[Path]:
        """Write what was learned; return the files."""

    def restore(self, stem: Path) -> None:
        """Read what ``save`` wrote."""
