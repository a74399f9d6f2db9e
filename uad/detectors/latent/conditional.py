"""What nothing else explains of the PET's latent vectors: not T1, generators or the mirror image.

The siamese autoencoder sees a person's T1 and PET, the T1 with the PET that generators expect from it, and the mirror
image of T1 and PET (``evidence``). At each voxel

    y    the PET's latent vector, seen along the few directions in which less uptake moves it
    x    the latent vectors of the T1 and of the expected PET, and of the mirror image's PET at this voxel and around it

are deviations from the controls' mean. What ``LocalRidge`` predicts of y from x is taken out; the rest along the first
direction, in units of its spread, is the map (``judge``), or a one-class SVM judges all directions at each voxel
(``machines``). What both sides have is then hardly seen, so there is a second prediction without the mirror image, and
the map is a weighted mean of both.

A control's own vectors do not predict themselves: slopes, means and spreads are those of the other controls.

Not in a paper in this form.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, read_image
from synthpet.cohort.files import write_array, write_bytes
from synthpet.cohort.scan import Scan
from synthpet.errors import UsageError
from synthpet.learning.model_files import read_arrays
from synthpet.runtime.console import progress
from synthpet.runtime.device import device_name
from synthpet.runtime.options import own_options
from uad.detectors.base import EXPECTED_PET, SHARED, SYNTHESIS, Assignment
from uad.detectors.latent.evidence import MASK, PET, Evidence, Readable
from uad.detectors.latent.judge import Judge, Judged
from uad.detectors.latent.local_ridge import Nodes
from uad.detectors.latent.machines import MachineJudge
from uad.detectors.latent.representation.directions import lower_uptake, main_directions
from uad.detectors.latent.representation.latents import dense_latents
from uad.detectors.latent.representation.options import AutoencoderOptions
from uad.detectors.latent.representation.storage import load_autoencoder
from uad.detectors.latent.scorers.controls import Controls
from uad.detectors.left_out import LeftOut
from uad.detectors.residual import Synthesise, is_crossfitted, synthesiser, with_real_pet
from uad.normative.sets import NormativeSet, check_normative, check_synthetic

SPACE, MIRROR, PLAIN = "space.npz", "mirror", "plain"
AUTOENCODER = ("autoencoder.safetensors", "autoencoder.json", "representation.json")
IMAGES = ("t1w", "pet")
WITH_MACHINES = "ocsvm_conditional"  # the method; any other: without
N_SIMULATED = 6  # Not in the paper: controls in which lower uptake is simulated
MIRROR_SHARE = 0.75  # Not in the paper: weight of the map that knows the mirror image, beside the one that does not


@dataclass(frozen=True)
class ConditionalOptions:
    """What ``ConditionalDetector`` takes.

    Args:
        autoencoder: of T1 and PET, with separate branches.
        n_directions: of the PET's latent vectors that are predicted, and predict.
        slope_fwhm_mm: pools the slopes of the prediction over neighbours.
        penalty: of the ridge regression, relative to the variance of what predicts.
        mirror: false: without the mirror image.
        spread_fwhm_mm: pools the spread of what is left.
        direction: hypo, hyper or both: which deviations of the PET weigh.

    Raises:
        UsageError: an autoencoder that has no branch of the PET's own.
    """

    autoencoder: AutoencoderOptions
    n_directions: int
    slope_fwhm_mm: float
    penalty: float
    mirror: bool
    spread_fwhm_mm: float
    direction: str

    def __post_init__(self) -> None:
        found = self.autoencoder
        if tuple(found.modalities) != IMAGES or found.branches != "separate" or found.latent_dim % 2:
            raise UsageError(
                f"detector.autoencoder: found modalities={list(found.modalities)}, branches={found.branches}, "
                f"latent_dim={found.latent_dim}; expected [t1w, pet], separate and an even number"
            )


@dataclass(frozen=True)
class MachineOptions(ConditionalOptions):
    """What it takes where one-class SVMs judge, too.

    Args:
        nu: of the one-class SVM.
        gamma: of its kernel.
        pool_fwhm_mm: pools mean and spread of the controls' scores.
    """

    nu: float
    gamma: float
    pool_fwhm_mm: float


class ConditionalDetector:
    """The detector of this module; like ``residual`` it learns from measured PET only.

    Args:
        assignment: folder, seed, and the generators whose synthetic PET is subtracted.
        options: by name.
        synthesise: the expected PET of a person outside the folds.
    """

    needs: ClassVar[tuple[str, ...]] = (SYNTHESIS,)
    measured_only: ClassVar[bool] = True
    images_vary: ClassVar[bool] = False
    evidence_files: ClassVar[tuple[str, ...]] = AUTOENCODER
    evidence_arrays: ClassVar[tuple[str, ...]] = ("directions",)

    def __init__(self, assignment: Assignment, options: ConditionalOptions, synthesise: Synthesise) -> None:
        self.assignment, self.options, self.synthesise = assignment, options, synthesise
        self.device = device_name(assignment.accelerator)

    @classmethod
    def looks_at(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """T1 and PET."""
        return IMAGES

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Refuse what is none of its options."""
        cls._own(options)

    @classmethod
    def of(cls, options: Mapping[str, Any], assignment: Assignment) -> Self:
        """A detector that has learned nothing yet.

        Raises:
            UsageError: there is no synthetic PET.
        """
        synthetic, generators = assignment.synthetic, assignment.generators
        if synthetic is None or generators is None:
            raise UsageError(f"detector={options.get('name')}: needs synthetic PET (`python -m synthpet.complete`)")
        device = device_name(assignment.accelerator)
        return cls(assignment, cls._own(options), synthesiser(generators, synthetic, assignment.cohort, device=device))

    @classmethod
    def _own(cls, options: Mapping[str, Any]) -> ConditionalOptions:
        autoencoder = own_options(AutoencoderOptions, "detector.autoencoder", options["autoencoder"], ())
        kind = MachineOptions if options["method"] == WITH_MACHINES else ConditionalOptions
        return own_options(kind, "detector", {**options, "autoencoder": autoencoder}, SHARED)

    def files(self, normative: NormativeSet, cohort: Cohort) -> tuple[Path, ...]:
        """The measured PET that is learned from, and the synthetic PET that predicts it."""
        members = with_real_pet(normative, cohort)
        expected = (self._expected(cohort).path(member.participant_id, "synthetic_pet") for member in members)
        return (*replace(normative, members=tuple(members)).files(), *expected)

    def fit(self, normative: NormativeSet, cohort: Cohort) -> Self:
        """Learn how evidence is read, the predictions from it, and the machines if there are any.

        Raises:
            DataLeakageError: a patient or held-out control is among the normative set, or a synthetic PET comes from a
                generator that saw its person.
            GridMismatchError: the grid does not mirror about x = 0.
        """
        check_normative(normative, cohort)
        cohort.grid.check_mirrors()
        folder = self.assignment.folder
        folder.mkdir(parents=True, exist_ok=True)
        volumes = self._cache(normative, cohort)
        controls = Controls(volumes, folder)
        self.evidence_ = self._learn_evidence(volumes, controls.where, cohort)
        deviations = self._deviations(controls)
        self.judges_ = self._new_judges()
        independent = not is_crossfitted(self._expected(cohort).root)
        self.left_out_ = [judge.fit(deviations, controls, independent=independent) for judge in self.judges_.values()]
        controls.remove()
        return self

    def left_out(self, normative: NormativeSet, cohort: Cohort) -> LeftOut:
        """The controls' maps by what was learned from all others; the autoencoder saw everybody."""
        found = LeftOut()
        for member, *judged in zip(with_real_pet(normative, cohort), *self.left_out_, strict=True):
            found.add(member.participant_id, _joined(judged)["z"])
        return found

    def save(self, folder: Path) -> list[Path]:
        """Write what ``fit`` learned beside what evidence is read with; return every file."""
        found, stream = self.evidence_, io.BytesIO()
        own = {name: getattr(found, name) for name in self.evidence_arrays}
        np.savez(stream, where=found.where, mean=self.mean_, **own)
        space = write_bytes(folder / SPACE, stream.getvalue())
        written = [path for name, judge in self.judges_.items() for path in judge.save(folder, name)]
        return [space, *written, *(folder / name for name in self.evidence_files)]

    def restore(self, folder: Path, cohort: Cohort) -> None:
        """Read what ``save`` wrote."""
        arrays = read_arrays(folder / SPACE, ("where", "mean", *self.evidence_arrays))
        self.evidence_, self.mean_ = self._read_evidence(folder, arrays, cohort), arrays["mean"]
        self.judges_ = self._new_judges()
        for name, judge in self.judges_.items():
            judge.restore(folder, name)

    def z_map(self, scan: Scan) -> dict[str, NDArray[np.float32]]:
        """The maps of one person: ``z``, high = abnormal; ``z_pet``, signed, negative = less uptake than expected from
        the person's T1; ``expected_pet``, SUVR; (I, J, K).
        """
        expected = self.synthesise(scan)
        volume = _stack(scan, expected)
        deviations = np.nan_to_num(self.evidence_.of(volume) - self.mean_)
        found = _joined([judge.judge(deviations, scan.mask) for judge in self.judges_.values()])
        return found | {EXPECTED_PET: expected}

    def _learn_evidence(self, volumes: list[Path], where: NDArray[np.bool_], cohort: Cohort) -> Readable:
        """Train the autoencoder; see in which directions less uptake moves its latent vectors."""
        from uad.detectors.latent.representation.fitting import (
            fit_autoencoder,  # imports Lightning, which a trained one does not need
        )

        folder, seed = self.assignment.folder, self.assignment.seed
        learned = fit_autoencoder(volumes, folder, self.options.autoencoder, seed=seed, accelerator=self.device)
        none = np.eye(learned.latent_dim // 2, dtype=np.float32)
        evidence = Evidence(learned.to(self.device), none, where, cohort.grid.spacing_mm)
        return replace(evidence, directions=self._directions(evidence, volumes))

    def _read_evidence(self, folder: Path, arrays: Mapping[str, NDArray], cohort: Cohort) -> Readable:
        model = load_autoencoder(folder).to(self.device)
        return Evidence(model, arrays["directions"], arrays["where"], cohort.grid.spacing_mm)

    def _new_judges(self) -> dict[str, Judge]:
        evidence, options = self.evidence_, self.options
        nodes = Nodes(evidence.where, evidence.spacing_mm, options.slope_fwhm_mm, options.penalty)
        columns = {PLAIN: evidence.own} | ({MIRROR: evidence.all_known} if options.mirror else {})
        return {name: self._new_judge(nodes, some) for name, some in columns.items()}

    def _new_judge(self, nodes: Nodes, columns: slice) -> Judge:
        k, options = self.evidence_.targets.stop, self.options
        if isinstance(options, MachineOptions):
            return MachineJudge(nodes, columns, k, options, self.device)
        return Judge(nodes, columns, k, options)

    def _expected(self, cohort: Cohort) -> Cohort:
        return replace(cohort, root=Path(self.assignment.synthetic or ""))  # ``of`` has seen to it

    def _cache(self, normative: NormativeSet, cohort: Cohort) -> list[Path]:
        """The controls' volumes, on the disk."""
        members, expected = with_real_pet(normative, cohort), self._expected(cohort)
        subjects = {s.participant_id: s for s in cohort.subjects}
        check_synthetic(cohort, expected.root, [(subjects[m.participant_id], "synthetic_pet") for m in members])
        paths = []
        for member in members:
            paths.append(self.assignment.folder / f"{member.participant_id}.npy")
            pet, _ = read_image(expected.path(member.participant_id, "synthetic_pet"), grid=cohort.grid)
            write_array(paths[-1], _stack(normative.load(member), pet))
        return paths

    def _directions(self, evidence: Evidence, volumes: list[Path]) -> NDArray[np.float32]:
        """In which directions less uptake moves the PET's latent vectors of controls: a prior on lesions."""
        rng = np.random.default_rng(self.assignment.seed)
        where, half = evidence.where, evidence.model.latent_dim // 2
        rows = np.cumsum(where.ravel()).reshape(where.shape) - 1
        answers = []
        for path in volumes[:N_SIMULATED]:
            volume = np.load(path)
            changed, places = lower_uptake(volume, PET, (volume[MASK] > 0) & where, evidence.spacing_mm, rng)
            after, before = (dense_latents(evidence.model, image[:2], where)[:, half:] for image in (changed, volume))
            answers.append((after - before)[rows[tuple(places.T)]])
        return main_directions(np.concatenate(answers), self.options.n_directions)

    def _deviations(self, controls: Controls) -> NDArray[np.float32]:
        """The controls' evidence less its mean, (n_controls, n_voxels, width), a memory map."""
        found = controls.array("evidence", (*controls.masks.shape, self.evidence_.width))
        total, n = np.zeros(found.shape[1:]), np.zeros(found.shape[1:], np.int64)
        for k, path in enumerate(progress(controls.volumes, "evidence of the controls")):
            found[k] = self.evidence_.of(np.load(path))
            total += np.nan_to_num(found[k])
            n += np.isfinite(found[k])
        self.mean_ = (total / np.maximum(n, 1)).astype(np.float32)
        for one in found:
            one[:] = np.nan_to_num(one - self.mean_)
        return found


def _stack(scan: Scan, expected: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4, I, J, K): T1, PET and expected PET within the brain, and the mask."""
    images = (scan["t1w"], scan["pet"], expected)
    return np.stack([*(image * scan.mask for image in images), scan.mask]).astype(np.float32)


def _joined(found: list[Judged]) -> dict[str, NDArray[np.float32]]:
    """The map without the mirror image, which comes first, and with it, as one."""
    plain, *mirror = found
    z = MIRROR_SHARE * mirror[0].z + (1 - MIRROR_SHARE) * plain.z if mirror else plain.z
    return {"z": z.astype(np.float32), "z_pet": -plain.less}
