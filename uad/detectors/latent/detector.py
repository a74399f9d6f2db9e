"""The detector of this project: siamese autoencoder, one-class SVM, control-calibrated z-map.

The published recipe (Alaverdyan 2020) scores raw latent vectors of T1 and PET by the SVM's decision value. Options
that depart from it, each named in the configuration: what harmless anatomy explains is taken out of the latent vectors
(``space``), only the directions in which less uptake moves them are kept, the score is a kernel distance
instead of a decision value that saturates, and the map is weighted by the PET deviating in the direction that is
looked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from synthpet.runtime.options import own_options
from uad.detectors.base import Assignment
from uad.detectors.control_statistics import ControlStatistics, to_z, towards, weight_by_direction
from uad.detectors.latent.representation.directions import lower_uptake, main_directions
from uad.detectors.latent.representation.latents import dense_latents
from uad.detectors.latent.representation.options import AutoencoderOptions
from uad.detectors.latent.representation.storage import load_autoencoder
from uad.detectors.latent.scorers.base import DECISION, DISTANCE, Scorer
from uad.detectors.latent.scorers.controls import Controls
from uad.detectors.latent.scorers.registry import SCORERS
from uad.detectors.latent.space import LatentSpace
from uad.detectors.zmap import ZMap
from uad.normative.sets import NormativeSet, check_normative

SPACE, SUPPORT, STATISTICS, PET_STATISTICS = "space.npz", "support", "statistics.npz", "pet.npz"
AUTOENCODER = ("autoencoder.safetensors", "autoencoder.json", "representation.json")
N_SIMULATED = 4  # Not in the paper: controls in which lower uptake is simulated


@dataclass(frozen=True)
class LatentOptions:
    """What a detector on latent vectors takes.

    Args:
        method: the scorer, a key of ``scorers.registry``: ``ocsvm_voxel`` or ``svdd``: a machine at every voxel over
            the controls; ``ocsvm_subject``: one machine on each evaluated person's own latent vectors;
            ``latent_zmap``: no machine, the z-map of the latent vectors along the first of the directions, signed.
        autoencoder: the network and its training.
        nu: of the one-class SVM.
        gamma: of its kernel, ``scale`` or a number; but for raw ones, latent vectors have mean square 1.
        latents: raw, whitened or conditional, see ``space``.
        smooth_fwhm_mm: pools latent vectors over neighbours.
        n_directions: keep only this many directions in which less uptake moves the latent vectors; None: all.
        score: decision (the SVM's decision value, which saturates) or distance (``kernel_distance``, which does not).
        pool_fwhm_mm: pools mean and spread of the controls' scores over neighbours.
        score_every: voxelwise machines score the controls at every n-th voxel along each axis; 1: everywhere.
        direction: hypo, hyper or both: which deviations of the PET weigh.

    Raises:
        UsageError: options that do not go together.
    """

    method: str
    autoencoder: AutoencoderOptions
    nu: float
    gamma: float | str
    latents: str
    smooth_fwhm_mm: float
    n_directions: int | None
    score: str
    pool_fwhm_mm: float
    score_every: int
    direction: str

    def __post_init__(self) -> None:
        if self.score not in (DECISION, DISTANCE):
            raise UsageError(f"detector.score={self.score}: expected {DECISION} or {DISTANCE}")
        if self.latents == "conditional" and len(self.autoencoder.modalities) < 2:
            raise UsageError("detector.latents=conditional: needs two images, found one; expected whitened or raw")
        if self.score_every > 1 and not self.pool_fwhm_mm:
            raise UsageError(
                f"detector.score_every={self.score_every}: needs detector.pool_fwhm_mm to fill in, found 0"
            )


class LatentDetector:
    """Learn the latent vectors of controls; score how far a person lies outside.

    Args:
        folder: receives the autoencoder, the controls' latent vectors and statistics.
        seed: of the autoencoder.
        options: by name, those of ``LatentOptions``.
        accelerator: ``auto``, ``cpu`` or ``gpu``: where it computes.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    measured_only: ClassVar[bool] = False
    images_vary: ClassVar[bool] = True

    def __init__(self, folder: Path, seed: int, options: LatentOptions, accelerator: str = "cpu") -> None:
        self.folder, self.seed, self.options, self.accelerator = folder, seed, options, accelerator
        scorer = SCORERS.load(options.method)
        self.scorer: Scorer = scorer.of(vars(options), seed, device_name(accelerator))

    @classmethod
    def looks_at(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """What the autoencoder reads: ``images``, or else its own ``modalities``."""
        return tuple(options.get("images") or options["autoencoder"]["modalities"])

    @classmethod
    def of(cls, options: Mapping[str, Any], assignment: Assignment) -> Self:
        """A detector that has learned nothing yet; ``options`` of its YAML file."""
        return cls(assignment.folder, assignment.seed, cls._own(options), assignment.accelerator)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Refuse what is none of its options, and what its scorer cannot work with."""
        own = cls._own(options)
        SCORERS.load(own.method).of(vars(own), 0, "cpu")

    @classmethod
    def _own(cls, options: Mapping[str, Any]) -> LatentOptions:
        shared = ("name", "seeds", "images")
        images = cls.looks_at(options)
        autoencoder = own_options(AutoencoderOptions, "detector.autoencoder", options["autoencoder"], ())
        shares = len(images) if autoencoder.branches == "separate" else 1
        latent_dim = -(-autoencoder.latent_dim // shares) * shares  # an equal share for each image
        seen = replace(autoencoder, modalities=images, latent_dim=latent_dim)
        return own_options(LatentOptions, "detector", {**options, "autoencoder": seen}, shared)

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the modalities that the autoencoder reads."""
        return tuple(self.options.autoencoder.modalities)

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
        learned = fit_autoencoder(volumes, self.folder, self.options.autoencoder, seed=self.seed, accelerator=device)
        self.model_ = learned.to(device)
        controls = Controls(volumes, self.folder)
        latents = self._extract(controls, cohort.grid.spacing_mm)
        self.scorer.fit(latents, controls)
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
            *self.scorer.save(folder / SUPPORT),
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
        self.scorer.restore(folder / SUPPORT)

    def z_map(self, scan: Scan) -> dict[str, NDArray[np.float32]]:
        """The maps of one person: ``z``, high = abnormal; ``z_pet``, signed, negative = less uptake (of the PET, or of
        the last of the images where there is no PET); (I, J, K).
        """
        mask, signed = scan.mask, f"z_{self.about}"
        where = self.space_.where
        latents = dense_latents(self.model_, self._stack(scan), where)
        score = self.scorer.score(self.space_.apply(latents, mask[where]), mask[where])
        z = to_z(_fill(where, score), mask & where, self.statistics_)
        z_pet = self.pet_.z_map(scan)[signed]
        if self.scorer.signed:  # has a sign of its own: high = less uptake
            return {"z": towards(-z, self.options.direction), signed: z_pet}
        return {"z": weight_by_direction(z, z_pet, self.options.direction), signed: z_pet}

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
            self.options.latents, latents, masks, where, spacing_mm, self.options.smooth_fwhm_mm, self._share()
        )
        if self.options.n_directions is not None:
            answers = np.concatenate(list(self._answers(controls.volumes[:N_SIMULATED], latents, masks)))
            self.space_ = self.space_.restrict(main_directions(answers, self.options.n_directions))
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

        Latents (n_controls, n_voxels, e).
        """
        scores, seen = self.scorer.control_scores(latents, controls)
        maps = ((_fill(seen, score), brain & seen) for score, brain in zip(scores, controls.brains(), strict=True))
        return ControlStatistics.of(
            maps,
            self.space_.spacing_mm,
            mean_fwhm_mm=self.options.pool_fwhm_mm,
            spread_fwhm_mm=self.options.pool_fwhm_mm,
            n=controls.n * controls.where,
        )


def _fill(where: NDArray[np.bool_], values: NDArray) -> NDArray[np.float32]:
    """Values of the voxels of a mask as a volume, 0 elsewhere."""
    volume = np.zeros(where.shape, np.float32)
    volume[where] = values
    return volume
