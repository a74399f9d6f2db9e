"""What tells of a voxel's uptake: latent vectors of the PET, of the T1, of the expected PET and of the mirror image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synthpet.template.smoothing import smooth_rows
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.latents import dense_latents

T1W_FWHM_MM, AROUND_FWHM_MM = 10.0, 40.0  # what T1 shows nearby, and what the uptake around the mirror voxel is like
T1W, PET, EXPECTED, MASK = range(4)  # channels of a cached volume


class Readable(Protocol):
    """What is read of a person at the voxels of ``where``; columns are those of ``of``."""

    @property
    def where(self) -> NDArray[np.bool_]:
        """(I, J, K), the voxels."""

    @property
    def spacing_mm(self) -> Sequence[float]:
        """Voxel size."""

    @property
    def targets(self) -> slice:
        """Columns of what is judged, the first ones; along the first of them, more is less uptake."""

    @property
    def own(self) -> slice:
        """Columns of what is expected from the person's T1."""

    @property
    def all_known(self) -> slice:
        """Columns of ``own`` and of the mirror image."""

    @property
    def width(self) -> int:
        """How many columns there are."""

    def of(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        """One person's, (n_voxels, width), NaN where the person or the mirror image has no brain."""


@dataclass(frozen=True)
class Evidence:
    """The encoder, and what is read from it at the voxels of ``where``.

    Args:
        model: with a branch for the T1, then one for the PET.
        directions: (d, k), orthonormal, of the PET's latent vectors; along the first, more is less uptake.
        where: (I, J, K), on a grid that mirrors about x = 0.
        spacing_mm: voxel size.
    """

    model: SiameseAutoencoder
    directions: NDArray[np.float32]
    where: NDArray[np.bool_]
    spacing_mm: Sequence[float]

    @property
    def targets(self) -> slice:
        """Columns of the person's own PET."""
        return slice(0, self.directions.shape[1])

    @property
    def own(self) -> slice:
        """Columns of what is expected from the person's T1: the expected PET and the T1 itself."""
        k = self.directions.shape[1]
        return slice(k, 2 * k + self.model.latent_dim // 2)

    @property
    def all_known(self) -> slice:
        """Columns of ``own`` and of the mirror image."""
        return slice(self.own.start, self.width)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return 3 * self.directions.shape[1] + self.model.latent_dim // 2 + 1

    def of(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        """One person's, (n_voxels, width), NaN where the person or the mirror image has no brain.

        Args:
            volume: (4, I, J, K), T1, PET, expected PET and mask; 0 outside the mask.
        """
        brain, mirror = volume[MASK] > 0, volume[:, ::-1]
        t1w, pet = self._encode(volume, PET)
        _, expected = self._encode(volume, EXPECTED)
        _, opposite = self._encode(mirror, PET)
        other_brain = mirror[MASK] > 0
        around = self._smooth(opposite[:, :1], other_brain, AROUND_FWHM_MM)
        here = np.concatenate([pet, expected, self._smooth(t1w, brain, T1W_FWHM_MM)], axis=1)
        there = np.concatenate([opposite, around], axis=1)
        known = (brain[self.where], other_brain[self.where])
        parts = [np.where(mask[:, None], part, np.nan) for part, mask in zip((here, there), known, strict=True)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _encode(self, volume: NDArray[np.float32], channel: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The T1's latent vectors, and those of one of the PETs along the directions."""
        latents = dense_latents(self.model, np.ascontiguousarray(volume[[T1W, channel]]), self.where)
        half = self.model.latent_dim // 2
        return latents[:, :half], latents[:, half:] @ self.directions

    def _smooth(self, values: NDArray[np.float32], brain: NDArray[np.bool_], fwhm_mm: float) -> NDArray[np.float32]:
        return smooth_rows(values, self.where, self.where & brain, fwhm_mm, self.spacing_mm)
