"""The detector of this project: siamese autoencoder, one-class SVM, control-calibrated z-map.

The published recipe (Alaverdyan 2020) scores raw latent vectors of T1 and PET by the SVM's decision value. Options
that depart from it, each named in the configuration: what harmless anatomy explains is taken out of the latent vectors
(``space``), only the directions in which less uptake moves them are kept, the score is a kernel distance
instead of a decision value that saturates, and the map is weighted by the PET deviating in the direction that is
looked for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.cohort.files import write_array
from synthpet.cohort.scan import Scan
from synthpet.errors import UsageError
from synthpet.runtime.console import progress
from synthpet.runtime.device import device_name
from uad.detectors.base import Assignment
from uad.detectors.control_statistics import ControlStatistics, to_z, towards, weight_by_direction
from uad.detectors.latent.controls import Controls, fit_in_blocks, leave_one_out_in_blocks
from uad.detectors.latent.representation.directions import lower_uptake, main_directions
from uad.detectors.latent.representation.latents import dense_latents
from uad.detectors.latent.representation.storage import load_autoencoder
from uad.detectors.latent.space import LatentSpace
from uad.detectors.latent.support.storage import load_estimator, save_estimator
from uad.detectors.latent.support.subject import SubjectOneClassSVM
from uad.detectors.latent.support.svdd import VoxelwiseSvdd
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM
from uad.detectors.zmap import ZMap
from uad.normative.sets import NormativeSet, check_normative

SPACE, SUPPORT, STATISTICS, PET_STATISTICS = "space.npz", "support", "statistics.npz", "pet.npz"
AUTOENCODER = ("autoencoder.safetensors", "autoencoder.json", "representation.json")
N_SIMULATED = 4  # Not in the paper: controls in which lower uptake is simulated
VOXELWISE = {"ocsvm_voxel": VoxelwiseOneClassSVM, "svdd": VoxelwiseSvdd}
SUBJECT, AMPLITUDE = "ocsvm_subject", "latent_zmap"
METHODS = (*VOXELWISE, SUBJECT, AMPLITUDE)
DECISION, DISTANCE = "decision", "distance"


class LatentDetector:
    """Learn the latent vectors of controls; score how far a person lies outside.

    Args:
        folder: receives the autoencoder, the controls' latent vectors and statistics.
        seed: of the autoencoder.
        method: ``ocsvm_voxel`` or ``svdd``: a machine at every voxel over the controls; ``ocsvm_subject``: one machine
            on each evaluated person's own latent vectors; ``latent_zmap``: no machine, the z-map of the latent vectors
            along the first of the directions, signed.
        autoencoder: options of ``fit_autoencoder``.
        nu: of the one-class SVM.
        gamma: of its kernel, ``scale`` or a number; but for raw ones, latent vectors have mean square 1.
        latents: raw, whitened or conditional, see ``uad.detectors.latent.space``.
        smooth_fwhm_mm: pools latent vectors over neighbours.
        n_directions: keep only this many directions in which less uptake moves the latent vectors; None: all.
        score: decision (the SVM's decision value, which saturates) or distance (``kernel_distance``, which does not).
        pool_fwhm_mm: pools mean and spread of the controls' scores over neighbours.
        score_every: voxelwise machines score the controls at every n-th voxel along each axis; 1: at every voxel.
        direction: hypo, hyper or both: which PET deviations weigh.
        accelerator: ``auto``, ``cpu`` or ``gpu``: where it computes.

    Raises:
        UsageError: an unknown method, or options that do not go together.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    images_vary: ClassVar[bool] = True

    def __init__(
        self, folder: Path, seed: int, *, method: str, autoencoder: dict, nu: float, gamma: float | str, latents: str,
        smooth_fwhm_mm: float, n_directions: int | None, score: str, pool_fwhm_mm: float, score_every: int,
        direction: str, accelerator: str = "cpu",
    ) -> None:  # fmt: skip
        if method not in METHODS:
            raise UsageError(f"detector.method={method}: expected one of {', '.join(METHODS)}")
        if method == AMPLITUDE and n_directions is None:
            raise UsageError(f"detector.method={method}: needs detector.n_directions=1, found null")
        if score not in (DECISION, DISTANCE):
            raise UsageError(f"detector.score={score}: expected {DECISION} or {DISTANCE}")
        if latents == "conditional" and len(autoencoder.get("modalities", "..")) < 2:
            raise UsageError("detector.latents=conditional: needs two images, found one; expected whitened or raw")
        if score_every > 1 and not pool_fwhm_mm:
            raise UsageError(f"detector.score_every={score_every}: needs detector.pool_fwhm_mm to fill in, found 0")
        self.folder, self.seed, self.method, self.autoencoder = folder, seed, method, autoencoder
        self.accelerator = accelerator
        self.nu, self.gamma, self.latents, self.smooth_fwhm_mm = nu, gamma, latents, smooth_fwhm_mm
        self.n_directions, self.score = n_directions, score
        self.pool_fwhm_mm, self.score_every, self.direction = pool_fwhm_mm, score_every, direction

    @classmethod
    def looks_at(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """What the autoencoder reads: ``images``, or else its own ``modalities``."""
        return tuple(options.get("images") or options["autoencoder"]["modalities"])

    @classmethod
    def of(cls, options: Mapping[str, Any], assignment: Assignment) -> Self:
        """A detector that has learned nothing yet; ``options`` of its YAML file."""
        own = {key: value for key, value in options.items() if key not in ("name", "seeds", "images")}
        images, autoencoder = cls.looks_at(options), options["autoencoder"]
        shares = len(images) if autoencoder.get("branches") == "separate" else 1
        latent_dim = -(-autoencoder["latent_dim"] // shares) * shares  # an equal share for each image
        own["autoencoder"] = {**autoencoder, "modalities": list(images), "latent_dim": latent_dim}
        return cls(assignment.folder, assignment.seed, accelerator=assignment.accelerator, **own)

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the modalities that the autoencoder reads."""
        return tuple(self.autoencoder.get("modalities", ("t1w", "pet")))

    @property
    def about(self) -> str:
        """The image whose change is looked for: the PET, or the last where there is none."""
        return "pet" if "pet" in self.images else self.images[-1]

    def files(self, normative: NormativeSet, cohort: Cohort) -> tuple[Path, ...]:
        """Every image that determines what ``fit`` learns."""
        return normative.files()

    def fit(self, normative: NormativeSet, cohort: Cohort) -> Self:
        """Train the autoencoder, extract latent vectors, learn mean and spread of the controls' scores.

        Raises:
            DataLeakageError: a patient or held-out control is among the normative set.
        """
        from uad.detectors.latent.representation.fitting import (
            fit_autoencoder,  # imports Lightning, which a trained one does not need
        )

        check_normative(normative, cohort)
        self.folder.mkdir(parents=True, exist_ok=True)
        volumes = self._cache(normative)
        device = device_name(self.accelerator)
        options = {"folder": self.folder, "seed": self.seed, "accelerator": device, **self.autoencoder}
        self.model_ = fit_autoencoder(volumes, **options).to(device)
        controls = Controls(volumes, self.folder)
        latents = self._extract(controls, cohort.grid.spacing_mm)
        if self.method in VOXELWISE:
            self.support_ = fit_in_blocks(self._new_machine, latents, controls.array("weights", latents.shape[:2]))
        self.statistics_ = self._statistics(controls, latents)
        self.pet_ = ZMap(image=self.about, direction="both").fit(normative, cohort)
        controls.remove()
        return self

    def save(self, folder: Path) -> list[Path]:
        """Write what ``fit`` learned beside the autoencoder; return every file."""
        return [
            self.space_.save(folder / SPACE),
            self.statistics_.save(folder / STATISTICS),
            self.pet_.statistics_.save(folder / PET_STATISTICS),
            *(save_estimator(self.support_, folder / SUPPORT) if self.method in VOXELWISE else ()),
            *(folder / name for name in AUTOENCODER),
        ]

    def restore(self, folder: Path, cohort: Cohort) -> None:
        """Read what ``save`` wrote."""
        self.space_ = LatentSpace.load(folder / SPACE)
        self.statistics_ = ControlStatistics.load(folder / STATISTICS)
        self.pet_ = ZMap(image=self.about, direction="both")
        self.pet_.statistics_ = ControlStatistics.load(folder / PET_STATISTICS)
        self.pet_.spacing_mm_ = cohort.grid.spacing_mm
        self.model_ = load_autoencoder(folder).to(device_name(self.accelerator))
        if self.method in VOXELWISE:
            self.support_ = load_estimator(folder / SUPPORT).set_params(device=device_name(self.accelerator))

    def z_map(self, scan: Scan) -> dict[str, NDArray[np.float32]]:
        """The maps of one person: ``z``, high = abnormal; ``z_pet``, signed, negative = less uptake (of the PET, or of
        the last of the images where there is no PET); (I, J, K).
        """
        mask, signed = scan.mask, f"z_{self.about}"
        where = self.space_.where
        latents = dense_latents(self.model_, self._stack(scan), where)
        score = self._score(self.space_.apply(latents, mask[where]), mask[where])
        z = to_z(_fill(where, score), mask & where, self.statistics_)
        z_pet = self.pet_.z_map(scan)[signed]
        if self.method == AMPLITUDE:  # has a sign of its own: high = less uptake
            return {"z": towards(-z, self.direction), signed: z_pet}
        return {"z": weight_by_direction(z, z_pet, self.direction), signed: z_pet}

    def _cache(self, normative: NormativeSet) -> list[Path]:
        paths = []
        for member, scan in zip(normative.members, normative.scans(), strict=True):
            paths.append(self.folder / f"{member.participant_id}.npy")
            write_array(paths[-1], self._stack(scan))
        return paths

    def _stack(self, scan: Scan) -> NDArray[np.float32]:
        """(C + 1, I, J, K): the images within the brain, then the mask, as the autoencoder's training reads them."""
        return np.stack([*(scan[name] * scan.mask for name in self.images), scan.mask]).astype(np.float32)

    def _extract(self, controls: Controls, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
        """Learn the space of latent vectors; the controls' vectors in it, (n_controls, n_voxels, e), a memory map."""
        masks, where = controls.masks, controls.where
        latents = controls.array("raw-latents", (*masks.shape, self.model_.latent_dim))
        for k, path in enumerate(progress(controls.volumes, "latent vectors of the controls")):
            latents[k] = dense_latents(self.model_, np.load(path), where)
        self.space_ = LatentSpace.learn(
            self.latents, latents, masks, where, spacing_mm, self.smooth_fwhm_mm, self._share()
        )
        if self.n_directions is not None:
            answers = np.concatenate(list(self._answers(controls.volumes[:N_SIMULATED], latents, masks)))
            self.space_ = self.space_.restrict(main_directions(answers, self.n_directions))
        found = controls.array("latents", (*masks.shape, self.space_.matrix.shape[1]))
        for k, (control, mask) in enumerate(zip(latents, masks, strict=True)):
            found[k] = self.space_.apply(control, mask)
        if self.space_.centred:  # so that a gamma means the same whatever the autoencoder's units
            rms = float(np.sqrt(np.mean([np.square(control).mean() for control in found])))
            self.space_ = self.space_.restrict(np.eye(found.shape[2], dtype=np.float32) / rms)
            for control in found:
                control /= rms
        controls.drop("raw-latents")
        return found

    def _share(self) -> slice:
        """Where the branch of the image whose change is looked for lies in the latent vector."""
        width, k = self.model_.latent_dim // len(self.images), self.images.index(self.about)
        return slice(k * width, (k + 1) * width)

    def _answers(
        self, volumes: Sequence[Path], latents: NDArray[np.float32], masks: NDArray[np.bool_]
    ) -> Iterator[NDArray[np.float32]]:
        """How the latent vectors of controls change where less uptake is simulated, (n_places, e) each."""
        where = self.space_.where
        rows = np.cumsum(where.ravel()).reshape(where.shape) - 1
        rng = np.random.default_rng(self.seed)
        for path, before, mask in zip(volumes, latents, masks, strict=False):
            volume = np.load(path)
            changed, places = lower_uptake(
                volume, self.images.index(self.about), (volume[-1] > 0) & where, self.space_.spacing_mm, rng
            )
            after = dense_latents(self.model_, changed, where)
            change = self.space_.apply(after, mask) - self.space_.apply(before, mask)
            yield change[rows[tuple(places.T)]]

    def _statistics(self, controls: Controls, latents: NDArray[np.float32]) -> ControlStatistics:
        """Mean and spread of the controls' scores, each from machines that did not see that control.

        A person's own machine sees nobody else. Latents (n_controls, n_voxels, e).
        """
        where = self.space_.where
        scores: Iterable[NDArray]
        if self.method not in VOXELWISE:
            seen = where
            scores = (self._score(control, mask) for control, mask in zip(latents, controls.masks, strict=True))
        else:
            seen = np.zeros_like(where)
            seen[:: self.score_every, :: self.score_every, :: self.score_every] = True
            seen &= where
            voxels, distance = np.flatnonzero(seen[where]), self.score == DISTANCE
            left_out = controls.array("left-out", (len(latents), len(voxels)), np.float64)
            leave_one_out_in_blocks(self._new_machine, latents, voxels, distance, left_out)
            scores = left_out if distance else (-values for values in left_out)
        maps = ((_fill(seen, score), brain & seen) for score, brain in zip(scores, controls.brains(), strict=True))
        return ControlStatistics.of(
            maps,
            self.space_.spacing_mm,
            mean_fwhm_mm=self.pool_fwhm_mm,
            spread_fwhm_mm=self.pool_fwhm_mm,
            n=controls.n * where,
        )

    def _new_machine(self) -> VoxelwiseOneClassSVM:
        device = device_name(self.accelerator)
        return VOXELWISE[self.method](nu=self.nu, gamma=self.gamma, device=device)  # type: ignore[arg-type]

    def _score(self, latents: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Scores of one person, (n_voxels,), high = abnormal."""
        if self.method == AMPLITUDE:
            return latents[:, 0].astype(np.float64)
        machine = self.support_ if self.method in VOXELWISE else self._own_machine(latents[mask])
        return machine.kernel_distance(latents) if self.score == DISTANCE else -machine.decision_function(latents)

    def _own_machine(self, latents: NDArray[np.float32]) -> SubjectOneClassSVM:
        return SubjectOneClassSVM(nu=self.nu, gamma=self.gamma, random_state=self.seed).fit(latents)  # type: ignore[arg-type]


def _fill(where: NDArray[np.bool_], values: NDArray) -> NDArray[np.float32]:
    """Values of the voxels of a mask as a volume, 0 elsewhere."""
    volume = np.zeros(where.shape, np.float32)
    volume[where] = values
    return volume
