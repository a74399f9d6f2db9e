"""From a cohort to one trained generator per fold, in folders that a rerun reuses or continues."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort, Fold, check_no_leakage, make_folds, write_folds
from synthpet.command.main import typed
from synthpet.errors import DataError
from synthpet.learning.volumes import cache_volumes
from synthpet.runtime.claim import claim_below
from synthpet.runtime.compute import Compute, in_processes
from synthpet.runtime.console import say, training_bars
from synthpet.runtime.device import has_gpu
from synthpet.runtime.options import Study
from synthpet.runtime.stage import Stage


def ensure_cohort(cfg: DictConfig) -> Cohort:
    """The cohort of the configuration, validated; the simulated one is made where it is missing."""
    if cfg.cohort.source == "phantom":
        from synthpet.phantom.cohort import ensure_phantom

        ensure_phantom(cfg if isinstance(cfg, Study) else typed(Study, cfg))
    return open_cohort(cfg)


def generator_folder(cfg: DictConfig) -> Path:
    """Where the generators of this configuration lie."""
    return Path(cfg.work_dir) / f"gan-{cfg.gan.name}"


def ensure_generators(cfg: DictConfig) -> tuple[Fold, ...]:
    """Train the generators that are missing or out of date; folds side by side where the machine has the cores.

    Returns:
        The folds; fold k's generator lies in ``gan-<name>/fold-<k>``.

    Raises:
        DataError: the cohort has no paired controls.
        DataLeakageError: a fold would see what it must not see.
    """
    cohort = ensure_cohort(cfg)
    paired = [subject.participant_id for subject in cohort.select("paired")]
    if len(paired) < 2:
        raise DataError(f"{cohort.root}: {len(paired)} paired controls (T1 and PET); training needs at least 2")
    folds = make_folds(paired, cfg.gan.n_folds, cfg.seed)
    for fold in folds:
        check_no_leakage(fold, cohort)
    claim_below(generator_folder(cfg))
    write_folds(generator_folder(cfg) / "folds.json", folds)
    stages = [_fold_stage(cfg, cohort, fold) for fold in folds]
    missing = [(stage, fold) for stage, fold in zip(stages, folds, strict=True) if not stage.is_current()]
    if not missing:
        say(f"generators {cfg.gan.name}: up to date ({generator_folder(cfg)})")
        return folds
    volumes = cache_volumes(cohort, paired, Path(cfg.work_dir) / "cache")
    _train_side_by_side(cfg, cohort, missing, volumes)
    return folds


def _fold_stage(cfg: DictConfig, cohort: Cohort, fold: Fold) -> Stage:
    train = [subject for subject in cohort.subjects if subject.participant_id in fold.train]
    config = {
        "gan": {key: value for key, value in OmegaConf.to_container(cfg.gan).items() if key != "stride"},  # type: ignore
        "precision": cfg.trainer.precision,  # as asked: what a GPU has trained is not trained again on a laptop
        "seed": cfg.seed,
        "fold": fold.index,
        "train": fold.train,
    }
    inputs = cohort.files(("t1w", "pet", "brain_mask"), train)
    folder = generator_folder(cfg) / f"fold-{fold.index}"
    return Stage(f"generator {cfg.gan.name} fold {fold.index}", folder, config, tuple(inputs))


def _train_side_by_side(
    cfg: DictConfig, cohort: Cohort, missing: list[tuple[Stage, Fold]], volumes: dict[str, Path]
) -> None:
    """One process a fold on a CPU: two single-threaded trainings are faster than one on two threads."""
    compute = Compute() if has_gpu(cfg.trainer.accelerator) else Compute.of(cfg.compute).at_most(len(missing))
    files = {f"{cfg.gan.name} fold {fold.index}": stage.folder / "metrics.jsonl" for stage, fold in missing}
    with training_bars(files, cfg.gan.n_steps) as drawn:
        fit = partial(_fit, cfg=cfg, volumes=volumes, affine=cohort.grid.matrix, lines=not drawn)
        tasks = [(replace(stage, quiet=drawn), fold) for stage, fold in missing]
        for (stage, _), _ in in_processes(fit, tasks, compute, name=lambda task: task[0].name):
            if drawn:
                say(f"{stage.name}: done")


def _fit(task: tuple[Stage, Fold], cfg: DictConfig, volumes: dict[str, Path], affine: NDArray, lines: bool) -> None:
    from synthpet.generators.fit import fit_fold

    fit_fold(cfg, *task, volumes, affine, lines=lines)
