"""How good the synthetic PET of a cohort is: read from disk, subject by subject, beside baseline and ceiling.

Memory holds a handful of volumes (mean PETs, voxelwise moments), whatever the number of subjects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, check_no_leakage, read_folds, read_image
from synthpet.console import progress
from synthpet.errors import DataError
from synthpet.quality import (
    Moments,
    deviation_correlation,
    mae,
    mean_ssim,
    psnr,
    regional_means,
    rmse,
    seam_ratio,
    ssim_map,
)
from synthpet.quality_summary import BASELINES, summarise
from synthpet.regions import grey_matter, named_regions

ROLES = ("paired", "heldout", "unpaired")
TRUTH = {"paired": "pet", "heldout": "pet", "unpaired": "withheld_pet"}
METHODS = (*BASELINES, "synthetic", "expected")
CORRELATED = ("synthetic", "expected")  # the mean PET has no individual deviation to correlate
SPREAD_KINDS = {"synthetic": "synthetic_pet", "resampled": "resampled_pet", "expected": "expected_pet"}


@dataclass(frozen=True)
class Case:
    """One control whose synthetic PET is evaluated.

    Args:
        participant_id: who.
        role: paired, heldout or unpaired.
        fold: index of the fold that did not see a paired control's PET; None: all folds' generators.
        truth: kind of the image that is the truth; None: there is none.
    """

    participant_id: str
    role: str
    fold: int | None
    truth: str | None


@dataclass(frozen=True)
class Measured:
    """What was measured on one case; regions are those of ``named_regions``."""

    case: Case
    rows: list[dict[str, Any]]
    regional_means: dict[str, NDArray[np.float64]]  # method or "real": (n_regions,) in SUVR
    seams: dict[str, float]  # "synthetic" and, where there, "real"
    uncertainty: float | None  # mean over the brain, SUVR


@dataclass(frozen=True)
class Spread:
    """Voxelwise moments over the cases of one role: "real" and the keys of ``SPREAD_KINDS`` that are there."""

    moments: dict[str, Moments]
    grey_matter: NDArray[np.bool_]  # (I, J, K), inside everybody's brain


@dataclass(frozen=True)
class Evaluation:
    """The result: ``summary`` becomes quality.json, ``rows`` quality.tsv, the rest is for pictures."""

    source: "Source"
    summary: dict[str, Any]
    rows: list[dict[str, Any]]
    measured: dict[str, list[Measured]]
    spreads: dict[str, Spread]


class Source:
    """The images that an evaluation reads, all on the cohort's grid.

    Args:
        cohort: the cohort.
        synthetic_folder: the synthetic PETs, named as in the cohort, and ``folds.json``.

    Raises:
        DataError: images are missing; all of them are named.
        DataLeakageError: a fold does not keep its promise.
    """

    def __init__(self, cohort: Cohort, synthetic_folder: Path) -> None:
        self.cohort = cohort
        self.synthetic = replace(cohort, root=Path(synthetic_folder))
        self.cases = self._find_cases()

    def _find_cases(self) -> list[Case]:
        own_fold = {s: index for index, train, test in self._folds for s in test}
        cases, problems = [], []
        for role in ROLES:
            subjects = self.cohort.select(role)
            truth = TRUTH[role]
            simulated_truth = all(self.cohort.has(s.participant_id, "withheld_pet") for s in subjects)
            known = role != "unpaired" or simulated_truth
            for s in subjects:
                images = [self.synthetic.path(s.participant_id, "synthetic_pet")]
                images += [self.cohort.path(s.participant_id, truth)] if known else []
                problems += [f"{s.participant_id}: no {path}" for path in images if not path.is_file()]
                if role == "paired" and s.participant_id not in own_fold:
                    problems.append(f"{s.participant_id}: paired control that is in no fold's test set")
                cases.append(Case(s.participant_id, role, own_fold.get(s.participant_id), truth if known else None))
        if not cases:
            problems.append("no control in participants.tsv")
        if problems:
            raise DataError(
                f"E_INCOMPLETE {self.synthetic.root}: cannot be evaluated; run `python -m synthpet.complete`.\n  "
                + "\n  ".join(problems)
            )
        return cases

    @cached_property
    def _folds(self) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
        """The folds of the paired controls; none where nobody is paired."""
        if not self.cohort.select("paired"):
            return []
        path = self.synthetic.root / "folds.json"
        if not path.is_file():
            raise DataError(f"E_MISSING {path}: the folds of the paired controls; run `python -m synthpet.complete`")
        folds = read_folds(path)
        for fold in folds:
            check_no_leakage(fold, self.cohort)
        return [(fold.index, fold.train, fold.test) for fold in folds]

    @cached_property
    def baselines(self) -> dict[int | None, dict[str, NDArray[np.float32]]]:
        """The mean PETs of each fold's training controls, and under None those of all paired controls.

        ``mean_pet`` is the plain voxelwise mean. At the brain's edge it contains the surroundings of other people's
        brains; ``mean_brain_pet`` averages at each voxel only those in whose brain it lies: the stronger baseline.
        """
        everybody = [s.participant_id for s in self.cohort.select("paired")]
        groups: dict[int | None, Sequence[str]] = {index: train for index, train, _ in self._folds}
        groups |= {None: everybody} if everybody else {}
        plain, inside, brain = ({index: Moments() for index in groups} for _ in range(3))
        for participant_id in everybody:
            pet, mask = self.cohort.load(participant_id, "pet"), self.cohort.load_mask(participant_id)
            for index in (index for index, members in groups.items() if participant_id in members):
                plain[index].add(pet)
                inside[index].add(pet * mask)
                brain[index].add(mask.astype(np.float32))
        return {
            index: {
                "mean_pet": plain[index].mean,
                "mean_brain_pet": np.where(
                    brain[index].mean > 0, inside[index].mean / brain[index].mean.clip(1e-6), plain[index].mean
                ),
            }
            for index in groups
        }

    @cached_property
    def data_range(self) -> float:
        """Maximum within the brain of the mean real PET of the paired controls (without any: mean synthetic PET).

        A mean over subjects has no noise peaks, and one number serves all subjects, methods and regions; SUVR
        begins at 0, so that the maximum is the range.
        """
        cases = [case for case in self.cases if case.role == "paired"] or self.cases
        brain, mean = Moments(), Moments()
        for case in cases:
            brain.add(self.cohort.load_mask(case.participant_id).astype(np.float32))
            if not self.baselines:
                mean.add(self.load(case, "synthetic"))
        reference = self.baselines[None]["mean_pet"] if self.baselines else mean.mean
        return float(reference[brain.mean > 0.5].max())

    def load(self, case: Case, image: str) -> NDArray[np.float32]:
        """One (I, J, K) image of a case, SUVR: real, uncertainty, a baseline or a key of ``SPREAD_KINDS``."""
        if image in BASELINES:
            return self.baselines[case.fold][image]
        path = self.path(case, image)
        return read_image(path, grid=self.cohort.grid)[0]

    def path(self, case: Case, image: str) -> Path:
        """Where an image that is on the disk lies."""
        if image == "real":
            return self.cohort.path(case.participant_id, TRUTH[case.role])
        where = self.cohort if image == "expected" else self.synthetic
        return where.path(case.participant_id, SPREAD_KINDS.get(image, image))

    def has(self, case: Case, image: str) -> bool:
        """Whether ``load`` would find the image."""
        if image in BASELINES:
            return case.fold in self.baselines
        return (image != "real" or case.truth is not None) and self.path(case, image).is_file()

    def files(self) -> tuple[Path, ...]:
        """Every file that determines the evaluation."""
        tables = [self.cohort.root / "participants.tsv", self.synthetic.root / "folds.json"]
        images = [
            self.path(case, image)
            for case in self.cases
            for image in ("real", "synthetic", "resampled", "expected", "uncertainty")
            if self.has(case, image)
        ]
        shared = [self.cohort.path(case.participant_id, kind) for case in self.cases for kind in ("t1w", "brain_mask")]
        return tuple(path for path in (*tables, *images, *shared) if path.is_file())


def evaluate_synthesis(
    cohort: Cohort,
    synthetic_folder: Path,
    *,
    data_range: float | None = None,
    borders: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> dict[str, Any]:
    """Evaluate the synthetic PETs of a cohort; return what quality.json holds.

    Args:
        cohort: the cohort with the real PETs (and, if simulated, the expected and withheld ones).
        synthetic_folder: the synthetic PETs.
        data_range: of SSIM and PSNR in SUVR; None: ``Source.data_range``.
        borders: voxel indices of patch borders, one list an axis (``quality.patch_borders``); None: no seam check.
        seed: of the bootstrap.
        n_jobs: subjects measured side by side (threads).

    Returns:
        A dictionary with plain values, documented under its key ``definitions``.
    """
    source = Source(cohort, synthetic_folder)
    return evaluate(source, data_range=data_range, borders=borders, seed=seed, n_jobs=n_jobs).summary


def evaluate(
    source: Source,
    *,
    data_range: float | None = None,
    borders: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> Evaluation:
    """Evaluate, and keep what figures need; arguments as ``evaluate_synthesis``."""
    from joblib import Parallel, delayed

    found_range = source.data_range  # reads the baselines, once, before threads share them
    peak = data_range or found_range
    measured: dict[str, list[Measured]] = {}
    spreads: dict[str, Spread] = {}
    for role in ROLES:
        cases = [case for case in source.cases if case.role == role]
        if cases:
            spreads[role] = spread = measure_spread(source, cases)
            jobs = (delayed(measure_case)(source, case, spread, peak, borders) for case in cases)
            running = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(jobs)
            measured[role] = list(progress(running, f"measuring {role} controls", len(cases)))
    summary = summarise(measured, spreads, named_regions(source.cohort.grid).names, data_range=peak, seed=seed)
    summary |= {"simulated_cohort": is_simulated(source.cohort), "spacing_mm": source.cohort.grid.spacing_mm}
    rows = [row for role in measured for found in measured[role] for row in found.rows]
    return Evaluation(source, summary, rows, measured, spreads)


def measure_spread(source: Source, cases: Sequence[Case]) -> Spread:
    """Voxelwise mean and variance between the cases, one pass over the disk."""
    images = [image for image in ("real", *SPREAD_KINDS) if all(source.has(case, image) for case in cases)]
    moments = {image: Moments() for image in images}
    inside = grey_matter(source.cohort.grid).copy()
    for case in cases:
        inside &= source.cohort.load_mask(case.participant_id)
        for image in images:
            moments[image].add(source.load(case, image))
    return Spread(moments, inside)


def measure_case(
    source: Source, case: Case, spread: Spread, data_range: float, borders: Sequence[Sequence[int]] | None
) -> Measured:
    """Measure one case: every method against the truth, if there is one."""
    mask = source.cohort.load_mask(case.participant_id)
    regions = named_regions(source.cohort.grid)
    labels = np.where(mask, regions.labels, 0)
    methods = [method for method in METHODS if source.has(case, method)]
    images = {image: source.load(case, image) for image in (["real"] if case.truth else []) + methods}
    rows = measure_methods(case, images, spread, mask, data_range) if case.truth else []
    uncertainty = source.load(case, "uncertainty")[mask].mean() if source.has(case, "uncertainty") else None
    seen = {image: images[image] for image in ("synthetic", "real") if image in images}
    return Measured(
        case,
        rows,
        {image: regional_means(volume, labels, len(regions.names)) for image, volume in images.items()},
        {image: seam_ratio(volume, mask, borders) for image, volume in seen.items()} if borders is not None else {},
        None if uncertainty is None else float(uncertainty),
    )


def measure_methods(
    case: Case,
    images: Mapping[str, NDArray[np.float32]],
    spread: Spread,
    mask: NDArray[np.bool_],
    data_range: float,
) -> list[dict[str, Any]]:
    """Rows of quality.tsv of one case: method x region of evaluation.

    A synthetic PET exists only in the brain: for the whole box, too, all images are set to zero outside the
    brain, as skull-stripped images are in the published numbers.
    """
    rows = []
    target = images["real"] * mask
    for method in (image for image in images if image != "real"):
        pred = images[method] * mask
        similarity = ssim_map(pred, target, data_range=data_range)
        for region, voxels in (("mask", mask), ("box", None)):
            row = {
                "participant_id": case.participant_id,
                "role": case.role,
                "fold": case.fold,
                "method": method,
                "region": region,
                "mae": mae(pred, target, mask=voxels),
                "rmse": rmse(pred, target, mask=voxels),
                "psnr": psnr(pred, target, mask=voxels, data_range=data_range),
                "ssim": mean_ssim(similarity, mask=voxels),
            }
            if voxels is not None and method in CORRELATED and method in spread.moments:
                row["deviation_correlation"] = deviation_correlation(
                    pred,
                    target,
                    mean_pred=spread.moments[method].mean,
                    mean_target=spread.moments["real"].mean,
                    mask=mask,
                )
            rows.append(row)
    return rows


def is_simulated(cohort: Cohort) -> bool:
    """Whether the cohort says that its images are simulated."""
    import json

    try:
        return bool(json.loads((cohort.root / "dataset_description.json").read_text()).get("Simulated"))
    except (OSError, ValueError):
        return False
