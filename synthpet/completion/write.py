"""Complete a control set: the target of every control, synthesised by a generator that never saw that control's own.

The target is a PET unless the generators say otherwise. A paired control's PET comes from its own fold's generator
(cross-fitting); that of an unpaired or held-out control is the mean over the folds' generators, with their voxelwise
standard deviation as an uncertainty map. A patient gets one in the same way, the PET that is expected from their own
T1; it belongs to no control set. Whoever lacks a source gets none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort, Fold, Subject, read_folds, read_image, write_folds, write_image
from synthpet.cohort.files import sha256, write_json
from synthpet.cohort.images import voxel_digest
from synthpet.cohort.index import write_dataset_description
from synthpet.cohort.manifest import Manifest
from synthpet.cohort.modality import Modality, modality
from synthpet.cohort.names import derived_kind, image_path, sidecar_path
from synthpet.cohort.paths import FOLDS, Paths
from synthpet.cohort.scan import Scan, load_scan
from synthpet.completion.options import CompletionStudy
from synthpet.errors import DataError, DataLeakageError, UsageError
from synthpet.generators.crossfit import ensure_cohort, ensure_generators, generator_folder
from synthpet.generators.trained import WEIGHTS, TrainedGenerator, seen_voxels
from synthpet.generators.watched import generator_run
from synthpet.runtime.compute import Compute, in_processes
from synthpet.runtime.console import progress, say
from synthpet.runtime.device import device_name
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.template.smoothing import smooth_within
from synthpet.tracking.stages import track_completion

S = TypeVar("S", bound=CompletionStudy)
CONTROLS = ("paired", "unpaired", "heldout")
ROLES = (*CONTROLS, "patient")


def completed_folder(study: CompletionStudy) -> Path:
    """Where the synthetic images of this configuration lie."""
    return study.paths.synthetic(study.gan.folder_name)


def with_stored_translation(study: S) -> S:
    """The study with the translation of the generators that it uses: those of ``complete.generators`` say theirs.

    Raises:
        UsageError: ``complete.generators`` is no folder of generators.
    """
    if study.complete.generators is None:
        return study
    source = generators_source(study)
    stored = TrainedGenerator(Paths.fold(source, read_folds(source / FOLDS)[0].index))
    return replace(study, gan=replace(study.gan, sources=stored.sources, target=stored.target))


def ensure_completed(study: CompletionStudy) -> Path:
    """Write everybody's synthetic image unless it is there; first run what is missing before it.

    With ``complete.generators`` generators trained on another cohort are used, and nothing is trained.

    Returns:
        The folder, a BIDS derivative with ``desc-synthetic`` (such as ``desc-synthetic_pet``) for every control and
        patient who has all sources, and ``desc-uncertainty`` for those whose image is a mean over generators.

    Raises:
        UsageError: an unknown ``complete.residual``, or ``complete.generators`` that is no folder of generators.
        DataError: a generator is not as its training left it.
        DataLeakageError: a PET would come from a generator that saw its person.
    """
    if study.complete.residual not in ("none", "resampled"):
        raise UsageError(f"complete.residual={study.complete.residual}: expected none or resampled")
    source, study = generators_source(study), with_stored_translation(study)
    if study.complete.generators is None:
        folds = ensure_generators(study)
        cohort = open_cohort(study)  # ensure_generators has made or found it
    else:
        folds = tuple(replace(fold, test=()) for fold in read_folds(source / FOLDS))
        cohort = ensure_cohort(study)
        _check_strangers(source, folds, cohort, (*study.gan.sources, study.gan.target))
    completion = Completion(study, cohort, folds, source)
    for generator in completion.generators:
        generator.check()
    if without := completion.without_sources():
        say(f"no synthetic {completion.made.words}: {'; '.join(without)}")
    stage = Stage(
        f"synthetic {completion.made.short} {study.gan.name}",
        completion.folder,
        completion.config(),
        completion.inputs(),
    )
    if stage.ensure(completion.write):
        strangers = [] if study.complete.generators is None else [Paths.fold(source, fold.index) for fold in folds]
        with generator_run(study) as run:
            track_completion(run, completion.folder, strangers)
    return completion.folder


def generators_source(study: CompletionStudy) -> Path:
    """The folder of the generators that make the synthetic PET: trained here, or those of ``complete.generators``.

    Raises:
        UsageError: ``complete.generators`` is no such folder; names what is there.
    """
    if study.complete.generators is None:
        return generator_folder(study)
    source = Path(study.complete.generators).expanduser()
    if (source / FOLDS).exists():
        return source
    near = sorted(path.parent for path in (*source.glob(f"*/{FOLDS}"), *source.parent.glob(f"*/{FOLDS}")))
    near = [path for path in near if any(path.glob(f"*/{WEIGHTS}"))]
    found = "holds no folds.json" if source.is_dir() else "no such folder"
    there = f"; there is {', '.join(map(str, near))}" if near else ""
    raise UsageError(f"complete.generators={source}: {found}; expected a folder gan-<name> with generators{there}")


def _check_strangers(source: Path, folds: Sequence[Fold], cohort: Cohort, names: Sequence[str]) -> None:
    """Generators of another cohort must not have seen these people: no image of theirs may be a training image.

    Told by voxels; by files, too, for generators of versions that did not write down the voxels.
    """
    seen: set[str] = set()
    for fold in folds:
        manifest = Manifest.read(folder := Paths.fold(source, fold.index))
        if not manifest.inputs:
            raise DataError(f"E_MANIFEST {manifest.path}: does not say what it was trained on; expected inputs")
        seen |= {str(digest) for digest in manifest.inputs.values()} | seen_voxels(folder)
    known = []
    for subject in cohort.select(*ROLES):
        images = cohort.files(names, [subject])
        if any(sha256(path) in seen or voxel_digest(path) in seen for path in images):
            known.append(subject.participant_id)
    if known:
        raise DataLeakageError(
            f"E_LEAK_GENERATOR complete.generators={source} was trained on {', '.join(known)}; "
            "leave the option out, so that controls are cross-fitted"
        )


@dataclass(frozen=True)
class Completion:
    """Synthesise and write the target of everybody in a cohort who has the sources.

    Args:
        study: options of ``complete``.
        cohort: the cohort.
        folds: fold k's generator lies in ``Paths.fold(source, k)``; it may serve the fold's test subjects and all
            who trained none.
        source: folder of the generators.
    """

    study: CompletionStudy
    cohort: Cohort
    folds: Sequence[Fold]
    source: Path

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return completed_folder(self.study)

    @cached_property
    def generators(self) -> list[TrainedGenerator]:
        """One a fold."""
        return [TrainedGenerator(Paths.fold(self.source, fold.index)) for fold in self.folds]

    @property
    def made(self) -> Modality:
        """The kind of image that is made."""
        return modality(self.study.gan.target)

    @property
    def description(self) -> str:
        """What headers and sidecars say."""
        return f"SYNTHETIC {self.made.words} (synthpet), not a measurement"

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """Who gets a synthetic image: everybody with all sources."""
        return tuple(subject for subject in self.cohort.select(*ROLES) if not self._absent(subject))

    def without_sources(self) -> list[str]:
        """Who gets none, with the sources that are absent."""
        people = ((subject, self._absent(subject)) for subject in self.cohort.select(*ROLES))
        return [f"{subject.participant_id} has no {', '.join(absent)}" for subject, absent in people if absent]

    def _absent(self, subject: Subject) -> list[str]:
        return [name for name in self.study.gan.sources if not self.cohort.has(subject.participant_id, name)]

    def _kind(self, word: str) -> str:
        """Name of a derived image of the target, as ``names.image_path`` has it."""
        return derived_kind(word, self.study.gan.target)

    def config(self) -> dict[str, Any]:
        """What determines the result beside the inputs."""
        options = plain(self.study.complete)
        assert isinstance(options, dict)  # noqa: S101 - a mapping in configs/complete.yaml
        del options["generators"], options["batch_size"]  # a path and a matter of memory change no voxel
        gan = self.study.gan
        told = {} if gan.is_default else {"sources": list(gan.sources), "target": gan.target}
        if without := self.without_sources():
            told["without_sources"] = without
        return {
            **options,
            **told,
            "stride": list(self.study.gan.stride),
            **self.study.gan.sampling,
            "seed": self.study.seed,
            "folds": [fold.test for fold in self.folds],
            "subjects": [subject.participant_id for subject in self.subjects],
        }

    def inputs(self) -> tuple[Path, ...]:
        """The files that determine the result."""
        images = self.cohort.files((*self.study.gan.sources, "brain_mask"), self.subjects)
        return (*(generator.weights for generator in self.generators), *images)

    def write(self) -> list[Path]:
        """Everybody's synthetic image; with ``residual=resampled`` also one with a residual added."""
        name = f"Synthetic {self.made.words} ({self.study.gan.name})"
        written = [
            *write_dataset_description(self.folder, name=name, simulated=self.cohort.is_simulated, Synthetic=True),
            write_folds(self.folder / FOLDS, self.folds),
        ]
        compute = Compute() if self._device() == "cuda" else self.study.compute
        if self.study.complete.histogram_matching:
            _ = self._references  # read here, before processes get a copy
        done = in_processes(self._write_subject, self.subjects, compute, name=lambda subject: subject.participant_id)
        for _, paths in progress(done, f"synthesising {self.made.short}", len(self.subjects)):
            written += paths
        if self.study.complete.residual == "resampled" and len(self._donors()) >= 2:  # somebody to donate
            written += self._write_resampled()
        return written

    def _device(self) -> str:
        return device_name(self.study.trainer.accelerator)

    def _write_subject(self, subject: Subject) -> list[Path]:
        used = self._used(subject)
        scan = load_scan(self.cohort, subject.participant_id, self.study.gan.sources)
        images = np.stack([self._finish(self._synthesise(k, scan), scan.mask, self.folds[k]) for k in used])
        if bad := int((~np.isfinite(images)).sum()):
            raise DataError(
                f"E_NONFINITE {subject.participant_id}: n={bad} voxels of the synthetic {self.made.short} are not "
                f"numbers; expected {self.made.unit.partition(',')[0]}. Look at the "
                f"{', '.join(modality(name).short for name in self.study.gan.sources)}, and at the training of "
                f"{self.study.gan.name}"
            )
        written = self._write_image(subject, "synthetic", images.mean(axis=0), used)
        if len(used) > 1:
            written += self._write_image(subject, "uncertainty", images.std(axis=0, ddof=1), used)
        return written

    def _used(self, subject: Subject) -> list[int]:
        """Positions of the generators that may serve; all of them for those who have no target that could train."""
        if not self.cohort.has(subject.participant_id, self.study.gan.target):
            return list(range(len(self.folds)))
        return generators_of(subject, self.folds)

    def _synthesise(self, k: int, scan: Scan) -> NDArray[np.float32]:
        return self.generators[k].synthesise(
            scan,
            self.cohort.grid.matrix,
            stride=self.study.gan.stride,
            batch_size=self.study.complete.batch_size,
            device=self._device(),
            **self.study.gan.sampling,
        )

    def _finish(self, pet: NDArray[np.float32], mask: NDArray[np.bool_], fold: Fold) -> NDArray[np.float32]:
        """Smoothing and histogram matching, as options (both were used in the published work)."""
        options = self.study.complete
        if options.smooth_fwhm_mm > 0:
            pet = smooth_within(pet, mask, options.smooth_fwhm_mm, self.cohort.grid.spacing_mm)
        if options.histogram_matching:
            pet = match_histogram(pet, mask, self._references[fold.index])
        return pet

    @cached_property
    def _references(self) -> dict[int, NDArray[np.float32]]:
        """What each fold's synthetic PETs are matched to: read once, not again for every subject."""
        return {fold.index: self._reference_values(fold) for fold in self.folds}

    def _reference_values(self, fold: Fold, n: int = 20_000) -> NDArray[np.float32]:
        """Brain values of the real images of a fold's training controls, a fixed sample of each."""
        rng = np.random.default_rng(self.study.seed)
        each = max(1, n // len(fold.train))
        values = (self.cohort.load_image(s, self.study.gan.target)[self.cohort.load_mask(s)] for s in fold.train)
        return np.concatenate([rng.choice(v, each) for v in values])

    def _write_image(
        self, subject: Subject, word: str, data: NDArray[np.float32], used: Sequence[int], **more: Any
    ) -> list[Path]:
        cohort, gan = self.cohort, self.study.gan
        relative = image_path(subject.participant_id, self._kind(word), res=cohort.res, space=cohort.space)
        path = write_image(self.folder / relative, data, cohort.grid, description=self.description)
        sources = [cohort.path(subject.participant_id, name).relative_to(cohort.root) for name in gan.sources]
        about = {
            "Synthetic": True,
            "Description": self._about(word),
            **self._units(),
            "SkullStripped": True,
            "Resolution": f"{cohort.grid.spacing_mm[0]:g} mm, the cohort's template grid",
            "Sources": [f"bids:cohort:{source.as_posix()}" for source in sources],
            "Generator": gan.name,
            "GeneratorSHA256": [self.generators[k].sha256 for k in used],
            "Fold": [self.folds[k].index for k in used],
            **({} if gan.is_default else {"SourceModalities": list(gan.sources), "TargetModality": gan.target}),
            **more,
        }
        return [path, write_json(sidecar_path(path), about)]

    def _about(self, word: str) -> str:
        return {
            "synthetic": self.description,
            "resampled": f"{self.description}; with the residual of another paired control added",
            "uncertainty": f"standard deviation of the synthetic {self.made.short} over the folds' generators",
        }[word]

    def _units(self) -> dict[str, str]:
        """Units of the sidecar, and the tracer where there is one."""
        units = {"Units": self.made.unit.partition(",")[0] if self.made.folder == "pet" else self.made.unit}
        is_fdg = dict(self.made.entities).get("trc") == "18FFDG"
        return {"TracerName": "FDG", "TracerRadionuclide": "F18", **units} if is_fdg else units

    def _donors(self) -> list[str]:
        """Paired controls whose measured image and cross-fitted one differ by a residual."""
        target = self.study.gan.target
        paired = (subject.participant_id for subject in self.subjects if subject.role == "paired")
        return [participant_id for participant_id in paired if self.cohort.has(participant_id, target)]

    def _write_resampled(self) -> list[Path]:
        """Beside every synthetic image, one with the residual (real minus cross-fitted) of another paired control.

        A generator returns about the mean image given the sources, so a set of synthetic ones is too alike; with the
        residuals, which live in template space, the set has the spread of real ones.
        """
        controls = [subject for subject in self.subjects if subject.role in CONTROLS]
        rng = np.random.default_rng(self.study.seed)
        donors = draw_donors([s.participant_id for s in controls], self._donors(), rng)
        written = []
        for subject, donor in progress(list(zip(controls, donors, strict=True)), "adding residuals"):
            residual = self.cohort.load_image(donor, self.study.gan.target) - self._read_synthetic(donor)
            both = self.cohort.load_mask(donor) & self.cohort.load_mask(subject.participant_id)
            image = self._read_synthetic(subject.participant_id) + residual * both
            if self.made.folder == "pet":  # no uptake is negative
                image = np.maximum(image, 0)
            written += self._write_image(subject, "resampled", image, self._used(subject), ResidualOf=donor)
        return written

    def _read_synthetic(self, participant_id: str) -> NDArray[np.float32]:
        path = image_path(participant_id, self._kind("synthetic"), res=self.cohort.res, space=self.cohort.space)
        return read_image(self.folder / path, grid=self.cohort.grid)[0]


def draw_donors(participant_ids: Sequence[str], donors: Sequence[str], rng: np.random.Generator) -> list[str]:
    """For each subject a donor other than itself; everyone donates about equally often.

    Raises:
        UsageError: fewer than two donors.
    """
    if len(donors) < 2:
        raise UsageError(f"complete.residual=resampled needs at least 2 paired controls, found {len(donors)}")
    drawn: list[str] = []
    pool: list[str] = []
    for participant_id in participant_ids:
        if not set(pool) - {participant_id}:
            pool += [donors[i] for i in rng.permutation(len(donors))]
        donor = next(candidate for candidate in pool if candidate != participant_id)
        pool.remove(donor)
        drawn.append(donor)
    return drawn


def match_histogram(
    pet: NDArray[np.float32], mask: NDArray[np.bool_], reference: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Give the brain values of (I, J, K) ``pet`` the distribution of ``reference`` (any number of values)."""
    from skimage.exposure import match_histograms

    matched = np.zeros_like(pet)
    matched[mask] = match_histograms(pet[mask], reference)
    return matched


def generators_of(subject: Subject, folds: Sequence[Fold]) -> list[int]:
    """Positions in ``folds`` of the generators that may synthesise this subject's image.

    Folds without test subjects belong to another cohort: their generators have seen nobody of this one.

    Raises:
        DataLeakageError: a paired control, or another one who trains, is in no test set, or in several.
    """
    trains = any(subject.participant_id in (*fold.train, *fold.test) for fold in folds)
    if not (trains or subject.role == "paired") or not any(fold.test for fold in folds):
        return list(range(len(folds)))
    own = [k for k, fold in enumerate(folds) if subject.participant_id in fold.test]
    if len(own) != 1 or subject.participant_id in folds[own[0]].train:
        raise DataLeakageError(f"E_LEAK_FOLD {subject.participant_id}: expected in exactly one fold's test set")
    return own
