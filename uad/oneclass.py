"""The detector of this project: siamese autoencoder, one-class SVM per voxel, control-calibrated z-map.

The published recipe (Alaverdyan 2020) scores raw latent vectors of T1 and PET by the SVM's decision value. Options
that depart from it, each named in the configuration: every voxel's control mean is taken out and the rest whitened
(harmless anatomy dominates raw latents), the score is log(sum_i a_i k(x_i, x) / rho) instead of a decision value that
saturates, and the map is weighted by the PET deviating in the direction that is looked for.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.cohort.files import write_bytes
from synthpet.console import progress
from uad.maps import ControlStatistics, to_z, weight_by_direction
from uad.normative import NormativeSet, Scan, check_normative
from uad.representation.fitting import fit_autoencoder
from uad.representation.latents import dense_latents
from uad.representation.storage import load_autoencoder
from uad.rivals.zmap import ZMap
from uad.support.voxelwise import VoxelwiseOneClassSVM

LATENTS, SPACE_OF_LATENTS, STATISTICS, PET_STATISTICS = "latents.npy", "latents.npz", "statistics.npz", "pet.npz"
MIN_SHARE = 0.5  # Not in the paper: voxels where at least this share of the controls has brain are judged


class OneClassDetector:
    """Learn the latent vectors of controls at every voxel; score how far a person lies outside.

    Args:
        folder: receives the autoencoder, the controls' latent vectors and statistics.
        seed: of the autoencoder.
        autoencoder: options of ``fit_autoencoder``.
        nu: of the one-class SVM.
        gamma: of its kernel, ``scale`` or a number.
        residual: whether each voxel's control mean is taken out and the rest whitened.
        log_score: whether the score is the logarithm that does not saturate.
        pool_fwhm_mm: pools mean and spread of the controls' scores over neighbours.
        direction: hypo, hyper or both: which PET deviations weigh.
    """

    def __init__(
        self, folder: Path, seed: int, *, autoencoder: dict, nu: float, gamma: float | str, residual: bool,
        log_score: bool, pool_fwhm_mm: float, direction: str,
    ) -> None:  # fmt: skip
        self.folder, self.seed, self.autoencoder = folder, seed, autoencoder
        self.nu, self.gamma, self.residual, self.log_score = nu, gamma, residual, log_score
        self.pool_fwhm_mm, self.direction = pool_fwhm_mm, direction

    def files(self, normative: NormativeSet, cohort: Cohort) -> tuple[Path, ...]:
        """Every image that determines what ``fit`` learns."""
        return normative.files()

    def fit(self, normative: NormativeSet, cohort: Cohort) -> "OneClassDetector":
        """Train the autoencoder, extract latent vectors, learn the spread of cross-fitted control scores.

        Raises:
            DataLeakageError: a patient or held-out control is among the normative set.
        """
        check_normative(normative, cohort)
        self.folder.mkdir(parents=True, exist_ok=True)
        volumes = self._cache(normative)
        model = fit_autoencoder(volumes, folder=self.folder, seed=self.seed, **self.autoencoder)
        masks = np.stack([np.load(path, mmap_mode="r")[2] > 0 for path in volumes])
        self.where_ = masks.mean(axis=0) >= MIN_SHARE
        latents = np.lib.format.open_memmap(
            self.folder / LATENTS, "w+", np.float32, (len(volumes), int(self.where_.sum()), model.latent_dim)
        )
        for k, path in enumerate(progress(volumes, "latent vectors of the controls")):
            latents[k] = dense_latents(model, np.load(path), self.where_)
        self._learn_space(latents)
        for k in range(len(latents)):
            latents[k] = self._to_space(latents[k])
        latents.flush()
        self._fit_support()
        maps = (
            (self._volume(-score), mask & self.where_)
            for score, mask in zip(self.support_.leave_one_out(log=self.log_score), masks, strict=True)
        )
        self.statistics_ = ControlStatistics.of(
            maps, cohort.grid.spacing_mm, mean_fwhm_mm=self.pool_fwhm_mm, spread_fwhm_mm=self.pool_fwhm_mm
        )
        self.pet_ = ZMap(direction="both").fit(normative, cohort)
        for path in volumes:
            path.unlink()
        return self

    def save(self, folder: Path) -> list[Path]:
        """Write what ``fit`` learned beside the autoencoder; return every file."""
        space = io.BytesIO()
        np.savez(space, where=self.where_, mean=self.mean_, whitening=self.whitening_)
        return [
            write_bytes(folder / SPACE_OF_LATENTS, space.getvalue()),
            self.statistics_.save(folder / STATISTICS),
            self.pet_.statistics_.save(folder / PET_STATISTICS),
            *(
                folder / name
                for name in (LATENTS, "autoencoder.safetensors", "autoencoder.json", "representation.json")
            ),
        ]

    def restore(self, folder: Path, cohort: Cohort) -> None:
        """Read what ``save`` wrote."""
        with np.load(folder / SPACE_OF_LATENTS, allow_pickle=False) as found:
            self.where_, self.mean_, self.whitening_ = found["where"], found["mean"], found["whitening"]
        self.statistics_ = ControlStatistics.load(folder / STATISTICS)
        self.pet_ = ZMap(direction="both")
        self.pet_.statistics_ = ControlStatistics.load(folder / PET_STATISTICS)
        self.pet_.spacing_mm_ = cohort.grid.spacing_mm
        self.model_ = load_autoencoder(folder)
        self._fit_support()

    def z_map(
        self, t1w: NDArray[np.float32], pet: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.float32]]:
        """The maps of one person: ``z``, high = abnormal; ``z_pet``, signed, negative = less uptake; (I, J, K)."""
        z = to_z(self._volume(-self._score(Scan(t1w, pet, mask))), mask & self.where_, self.statistics_)
        z_pet = self.pet_.z_map(t1w, pet, mask)["z_pet"]
        return {"z": weight_by_direction(z, z_pet, self.direction), "z_pet": z_pet}

    def _cache(self, normative: NormativeSet) -> list[Path]:
        paths = []
        for member, scan in zip(normative.members, normative.scans(), strict=True):
            paths.append(self.folder / f"{member.participant_id}.npy")
            np.save(paths[-1], _stack(scan))
        return paths

    def _learn_space(self, latents: NDArray[np.float32]) -> None:
        """Mean latent vector of each voxel, (n_voxels, d), and the whitening of what remains, (d, d)."""
        n, n_voxels, d = latents.shape
        self.mean_ = latents.mean(axis=0) if self.residual else np.zeros((n_voxels, d), np.float32)
        self.whitening_ = np.eye(d, dtype=np.float32)
        if self.residual:
            covariance = np.zeros((d, d))
            for control in latents:
                rest = control - self.mean_
                covariance += rest.T @ rest / (n * n_voxels)
            values, vectors = np.linalg.eigh(covariance)
            self.whitening_ = (vectors / np.sqrt(np.maximum(values, 1e-4 * values.max()))).astype(np.float32)

    def _to_space(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        return (latents - self.mean_) @ self.whitening_

    def _fit_support(self) -> None:
        latents = np.load(self.folder / LATENTS, mmap_mode="r")
        self.support_ = VoxelwiseOneClassSVM(nu=self.nu, gamma=self.gamma).fit(np.asarray(latents))  # type: ignore[arg-type]

    def _score(self, scan: Scan) -> NDArray[np.float64]:
        latents = self._to_space(dense_latents(self.model_, _stack(scan), self.where_))
        score = self.support_.log_decision_function if self.log_score else self.support_.decision_function
        return score(latents)

    def _volume(self, values: NDArray) -> NDArray[np.float32]:
        volume = np.zeros(self.where_.shape, np.float32)
        volume[self.where_] = values
        return volume


def _stack(scan: Scan) -> NDArray[np.float32]:
    """(3, I, J, K): T1, PET within the brain, mask, as the autoencoder's training reads them."""
    channels: Sequence[NDArray] = (scan.t1w, scan.pet * scan.mask, scan.mask)
    return np.stack(channels).astype(np.float32)
