"""From a cohort to one trained generator per fold, in folders that a rerun reuses or continues."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from numpy.typing import NDArray

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort, Fold, check_no_leakage, make_folds, write_folds
from synthpet.cohort.modality import modality
from synthpet.cohort.paths import FOLDS, Paths
from synthpet.errors import DataError
from synthpet.generators.options import TrainingStudy
from synthpet.generators.registry import GENERATORS
from synthpet.generators.watched import following_folds, generator_run
from synthpet.learning.volumes import cache_volumes
from synthpet.runtime.claim import claim_below
from synthpet.runtime.compute import Compute, in_processes
from synthpet.runtime.console import say, training_bars
from synthpet.runtime.device import has_gpu
from synthpet.runtime.options import Study
from synthpet.runtime.stage import Stage
from synthpet.tracking.stages import track_generators


def ensure_cohort(study: Study) -> Cohort:
    """The cohort of the configuration, validated; the simulated one is made where it is missing."""
    if study.cohort.is_simulated:
        from synthpet.phantom.cohort import ensure_phantom

        ensure_phantom(study)
    return open_cohort(study)


def generator_folder(study: TrainingStudy) -> Path:
    """Where the generators of this configuration lie."""
    return study.paths.generators(study.gan.folder_name)


def ensure_generators(study: TrainingStudy) -> tuple[Fold, ...]:
    """Train the generators that are missing or out of date; folds side by side where the machine has the cores.

    Returns:
        The folds; fold k's generator lies in ``Paths.fold(generator_folder(study), k)``.

    Raises:
        DataError: the cohort has no controls with all images of the translation.
        DataLeakageError: a fold would see what it must not see.
        UsageError: an option that the method does not have.
    """
    if study.gan.method not in GENERATORS.own:  # whose options were judged before any work
        study.gan.own(GENERATORS.load(study.gan.method).Options)
    cohort = ensure_cohort(study)
    roles = roles_that_train((*study.gan.sources, study.gan.target))
    people = [s.participant_id for s in cohort.pairs(study.gan.sources, study.gan.target) if s.role in roles]
    if len(people) < 2:
        images = " and ".join(modality(name).words for name in (*study.gan.sources, study.gan.target))
        raise DataError(f"{cohort.root}: {len(people)} paired controls ({images}); training needs at least 2")
    folds = make_folds(people, study.gan.n_folds, study.seed)
    if study.gan.unpaired:
        unpaired = unpaired_people(cohort, study.gan.sources, people)
        folds = tuple(replace(fold, unpaired=unpaired) for fold in folds)
    for fold in folds:
        check_no_leakage(fold, cohort, roles)
    claim_below(generator_folder(study))
    write_folds(generator_folder(study) / FOLDS, folds)
    stages = [_fold_stage(study, cohort, fold) for fold in folds]
    missing = [(stage, fold) for stage, fold in zip(stages, folds, strict=True) if not stage.is_current()]
    if not missing:
        say(f"generators {study.gan.name}: up to date ({generator_folder(study)})")
        return folds
    volumes = cache_volumes(cohort, people, _cache_folder(study), study.gan.sources, study.gan.target)
    if unpaired := folds[0].unpaired:
        volumes |= cache_volumes(cohort, unpaired, _cache_folder(study, "unpaired"), study.gan.sources, None)
    if any(fold.index == 0 for _, fold in missing):
        say(f"a first look, from step {study.logger.images_every} on: {study.paths.look(study.gan.folder_name)}")
    with generator_run(study) as run:
        with following_folds(run, study, [stage.folder for stage, _ in missing]):
            _train_side_by_side(study, cohort, missing, volumes)
        track_generators(run, [stage.folder for stage, _ in missing])
    return folds


def roles_that_train(images: Collection[str]) -> tuple[str, ...]:
    """Whose images a translation may learn from: what an unpaired control has of a PET trains nothing."""
    return ("paired",) if "pet" in images else ("paired", "unpaired")


def unpaired_people(cohort: Cohort, sources: Sequence[str], paired: Collection[str]) -> tuple[str, ...]:
    """The controls whose sources can be learned from beside those of the pairs: nobody holds them out.

    Args:
        cohort: the cohort.
        sources: modalities that they need to have.
        paired: who teaches the target.
    """
    controls = (subject.participant_id for subject in cohort.pairs(sources, "brain_mask"))
    return tuple(participant_id for participant_id in controls if participant_id not in paired)


def _cache_folder(study: TrainingStudy, *people: str) -> Path:
    """One for each translation, and for those people of it who are not paired."""
    gan = study.gan
    translation = () if gan.is_default else (f"{'+'.join(gan.sources)}-{gan.target}",)
    return study.paths.volumes("-".join((*people, *translation)))


def _fold_stage(study: TrainingStudy, cohort: Cohort, fold: Fold) -> Stage:
    train, unpaired = (
        [subject for subject in cohort.subjects if subject.participant_id in people]
        for people in (fold.train, fold.unpaired)
    )
    config = {
        "gan": study.gan.of_training(),
        "precision": study.trainer.precision,  # as asked: what a GPU has trained is not trained again on a laptop
        "seed": study.seed,
        "fold": fold.index,
        "train": fold.train,
        **({"unpaired": fold.unpaired} if fold.unpaired else {}),
    }
    inputs = cohort.files((*study.gan.sources, study.gan.target, "brain_mask"), train)
    inputs += cohort.files((*study.gan.sources, "brain_mask"), unpaired)
    folder = Paths.fold(generator_folder(study), fold.index)
    return Stage(f"generator {study.gan.name} fold {fold.index}", folder, config, tuple(inputs))


def _train_side_by_side(
    study: TrainingStudy, cohort: Cohort, missing: list[tuple[Stage, Fold]], volumes: dict[str, Path]
) -> None:
    """One process a fold on a CPU: two single-threaded trainings are faster than one on two threads."""
    compute = Compute() if has_gpu(study.trainer.accelerator) else study.compute.at_most(len(missing))
    files = {f"{study.gan.name} fold {fold.index}": stage.folder / "metrics.jsonl" for stage, fold in missing}
    with training_bars(files, study.gan.n_steps) as drawn:
        fit = partial(_fit, study=study, volumes=volumes, affine=cohort.grid.matrix, lines=not drawn)
        tasks = [(replace(stage, quiet=drawn), fold) for stage, fold in missing]
        for (stage, _), _ in in_processes(fit, tasks, compute, name=lambda task: task[0].name):
            if drawn:
                say(f"{stage.name}: done")


def _fit(
    task: tuple[Stage, Fold], study: TrainingStudy, volumes: dict[str, Path], affine: NDArray, lines: bool
) -> None:
    from synthpet.generators.fit import fit_fold

    fit_fold(study, *task, volumes, affine, lines=lines)
