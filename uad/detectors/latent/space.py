"""From the encoder's latent vectors to those that the one-class SVM sees; learned on controls.

x: a latent vector; m: the mean of the controls at its voxel; r = x - m, pooled over neighbours by a Gaussian.

    raw          y = x, as published
    whitened     y = W' r, with W W' the inverse covariance of r over all voxels of all controls
    conditional  y = r_pet - B' r_t1w, with B the least squares prediction of r_pet from r_t1w over all of them:
                 what the person's own T1 (and other images) explains of the PET is no finding

Not in the paper: whitened and conditional. Raw latent vectors differ between people mostly by harmless anatomy.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_bytes
from synthpet.errors import UsageError
from synthpet.learning.model_files import read_arrays
from synthpet.template.smoothing import smooth_rows

KINDS = ("raw", "whitened", "conditional")
MIN_RELATIVE_VARIANCE = 1e-4  # Not in the paper: of the largest; less variable directions are not blown up further


@dataclass(frozen=True)
class LatentSpace:
    """The map from latent vectors x, (n_voxels, d), to y, (n_voxels, e); voxels in the C order of ``where``.

    Args:
        where: (I, J, K), voxels that are judged.
        mean: (n_voxels, d), m; zeros in a raw space.
        matrix: (d, e), what r is multiplied by; the identity in a raw space.
        centred: whether m is taken out; outside a person's own brain r is then 0.
        smooth_fwhm_mm: of the Gaussian over neighbours.
        spacing_mm: voxel size.
    """

    where: NDArray[np.bool_]
    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    centred: bool
    smooth_fwhm_mm: float
    spacing_mm: tuple[float, ...]

    @classmethod
    def learn(
        cls, kind: str, latents: NDArray[np.float32], masks: NDArray[np.bool_], where: NDArray[np.bool_],
        spacing_mm: Sequence[float], smooth_fwhm_mm: float, share: slice | None = None,
    ) -> "LatentSpace":  # fmt: skip
        """Learn from controls, one in memory at a time.

        Args:
            kind: of ``KINDS``; ``conditional`` needs separate branches.
            latents: (n_controls, n_voxels, d), such as a memory map.
            masks: (n_controls, n_voxels), where each control has brain.
            where: (I, J, K), the voxels.
            spacing_mm: voxel size.
            smooth_fwhm_mm: of the Gaussian over neighbours, 0 for none.
            share: of the latent vector that ``conditional`` keeps, less what the others predict of it: the PET's
                branch; None: the second half.

        Raises:
            UsageError: an unknown kind.
        """
        if kind not in KINDS:
            raise UsageError(f"detector.latents={kind}: expected one of {', '.join(KINDS)}")
        n_voxels, d = latents.shape[1:]
        identity = np.eye(d, dtype=np.float32)
        spacing = tuple(spacing_mm)
        if kind == "raw":
            return cls(where, np.zeros((n_voxels, d), np.float32), identity, False, smooth_fwhm_mm, spacing)
        mean = np.zeros((n_voxels, d), np.float32)
        for control, mask in zip(latents, masks, strict=True):
            mean += control * mask[:, None]
        mean /= np.maximum(masks.sum(axis=0), 1)[:, None]
        centred = cls(where, mean, identity, True, smooth_fwhm_mm, spacing)
        covariance, n = np.zeros((d, d)), 0
        for control, mask in zip(latents, masks, strict=True):
            inside = centred.apply(control, mask)[mask]
            covariance += inside.T @ inside
            n += len(inside)
        kept = share or slice(d // 2, d)
        matrix = _whitening(covariance / n) if kind == "whitened" else _conditional(covariance / n, kept)
        return cls(where, mean, matrix, True, smooth_fwhm_mm, spacing)

    def apply(self, latents: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """One person's x, (n_voxels, d), to y, (n_voxels, e); ``mask``: (n_voxels,), where the person has brain."""
        rest = (latents - self.mean) * mask[:, None] if self.centred else latents
        if self.matrix.shape[1] < rest.shape[1]:  # smoothing and the matrix commute: smooth what is fewer
            return np.ascontiguousarray(self._smooth((rest @ self.matrix).astype(np.float32)))
        return np.ascontiguousarray(self._smooth(rest) @ self.matrix, np.float32)

    def restrict(self, directions: NDArray[np.float32]) -> "LatentSpace":
        """The same space seen along some directions only, or in other units: y times (e, k)."""
        return replace(self, matrix=self.matrix @ directions)

    def save(self, path: Path) -> Path:
        """Write as ``.npz`` without pickled objects, whole or not at all."""
        stream = io.BytesIO()
        np.savez(stream, **vars(self))
        return write_bytes(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> "LatentSpace":
        """Read what ``save`` wrote."""
        found = read_arrays(path, (field.name for field in fields(cls)))
        return cls(
            found["where"],
            found["mean"],
            found["matrix"],
            bool(found["centred"]),
            float(found["smooth_fwhm_mm"]),
            tuple(found["spacing_mm"].tolist()),
        )

    def _smooth(self, rest: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gaussian over the voxels that are judged; the edge is taken into account."""
        if not self.smooth_fwhm_mm:
            return rest
        return smooth_rows(rest, self.where, self.where, self.smooth_fwhm_mm, self.spacing_mm)


def _whitening(covariance: NDArray[np.float64]) -> NDArray[np.float32]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors / np.sqrt(np.maximum(values, MIN_RELATIVE_VARIANCE * values.max()))).astype(np.float32)


def _conditional(covariance: NDArray[np.float64], share: slice) -> NDArray[np.float32]:
    """(d, e): the share of e components, such as the PET's, less what the others, such as the T1's, predict of it."""
    d = len(covariance)
    kept = np.arange(d)[share]
    others = np.setdiff1d(np.arange(d), kept)
    predicted, *_ = np.linalg.lstsq(covariance[np.ix_(others, others)], covariance[np.ix_(others, kept)], rcond=1e-8)
    matrix = np.zeros((d, len(kept)))
    matrix[others], matrix[kept] = -predicted, np.eye(len(kept))
    return matrix.astype(np.float32)
