"""Options of ``detector.autoencoder``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synthpet.runtime.options import plain

NETWORK = ("modalities", "patch_size", "latent_dim", "channels", "branches", "decoder")


@dataclass(frozen=True)
class AutoencoderOptions:
    """A siamese autoencoder and its training.

    Args:
        modalities: as for ``SiameseAutoencoder``.
        patch_size: likewise.
        latent_dim: likewise.
        channels: likewise.
        branches: likewise.
        decoder: likewise.
        alpha: weight of the similarity term.
        n_steps: batches.
        batch_size: patches of a batch in each of the two controls.
        tile: neighbouring patches of a block along each in-plane axis; 1 draws every patch on its own.
        learning_rate: of Adam.
        steps_per_checkpoint: a checkpoint is written after so many steps.
        precision: of Lightning, or ``auto``.
    """

    modalities: Sequence[str] = ("t1w", "pet")
    patch_size: Sequence[int] = (15, 15, 1)
    latent_dim: int = 32
    channels: Sequence[int] = (16, 24, 48)
    branches: str = "joint"
    decoder: str = "perceptron"
    alpha: float = 0.005
    n_steps: int = 4000
    batch_size: int = 512
    tile: int = 7
    learning_rate: float = 1e-2
    steps_per_checkpoint: int = 500
    precision: str = "auto"

    @property
    def network(self) -> dict[str, Any]:
        """Those of ``SiameseAutoencoder``, as plain values."""
        return {name: plain(getattr(self, name)) for name in NETWORK}
