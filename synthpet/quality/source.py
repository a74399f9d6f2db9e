"""What an evaluation reads: the images of a cohort and of its synthetic PETs, and the baselines made from them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, Fold, Subject, check_no_leakage, make_folds, read_folds, read_image
from synthpet.cohort.manifest import Manifest
from synthpet.cohort.names import derived_kind
from synthpet.cohort.paths import FOLDS
from synthpet.errors import DataError
from synthpet.generators.crossfit import roles_that_train
from synthpet.quality.metrics import Moments
from synthpet.quality.translation import Translation

# Patients have a synthetic PET too, but no error: their measured PET differs from it by the lesion.
ROLES = ("paired", "heldout", "unpaired")
BASELINES = ("mean_pet", "mean_brain_pet")
IMAGES = ("synthetic", "resampled", "expected")


@dataclass(frozen=True)
class Case:
    """One control whose synthetic PET is evaluated.

    Args:
        participant_id: who.
        role: paired, heldout or unpaired.
        fold: whose training controls make the baseline: for a paired control the fold that did not see its PET;
            None: all paired controls.
        truth: kind of the image that is the truth; None: there is none.
    """

    participant_id: str
    role: str
    fold: int | None
    truth: str | None


class Source:
    """The images that an evaluation reads, all on the cohort's grid.

    Args:
        cohort: the cohort.
        synthetic_folder: the synthetic images, named as in the cohort, and ``folds.json``.
        translation: that made them; None: T1 -> PET.
        generators: folder of those that made them, for their learning curves; None: not at hand.

    Raises:
        DataError: images are missing; all of them are named.
        DataLeakageError: a fold does not keep its promise.
    """

    def __init__(
        self,
        cohort: Cohort,
        synthetic_folder: Path,
        translation: Translation | None = None,
        generators: Path | None = None,
    ) -> None:
        self.cohort = cohort
        self.generators = generators
        self.translation = translation or Translation()
        self.synthetic = replace(cohort, root=Path(synthetic_folder))
        self.cases = self._find_cases()

    def _find_cases(self) -> list[Case]:
        own_fold = {s: index for index, _, test in self._folds for s in test}
        cases, problems = [], []
        for role in ROLES:
            subjects = self._with_sources(role)
            truth = self._truth(role)
            simulated_truth = all(self.cohort.has(s.participant_id, truth) for s in subjects)
            known = simulated_truth or (role != "unpaired" and self.translation.is_pet)
            for s in subjects:
                images = [self.synthetic.path(s.participant_id, self._kind("synthetic"))]
                images += [self.cohort.path(s.participant_id, truth)] if known else []
                problems += [f"{s.participant_id}: no {path}" for path in images if not path.is_file()]
                if role == "paired" and known and s.participant_id not in own_fold:
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

    def _with_sources(self, role: str) -> list[Subject]:
        """The people of a role who can have a synthetic image."""
        sources = self.translation.sources
        if self.translation.is_default:  # who lacks a T1 is named
            return list(self.cohort.select(role))
        return [s for s in self.cohort.select(role) if all(self.cohort.has(s.participant_id, n) for n in sources)]

    def _truth(self, role: str) -> str:
        """Kind of the image that is the truth: of unpaired controls a PET is withheld."""
        target = self.translation.target
        return derived_kind("withheld", target) if role == "unpaired" and self.translation.is_pet else target

    def _kind(self, word: str) -> str:
        return derived_kind(word, self.translation.target)

    @cached_property
    def _learners(self) -> list[str]:
        """Who may have trained a generator."""
        roles = roles_that_train(self.translation.images)
        if self.translation.is_default:
            return [s.participant_id for s in self.cohort.select("paired")]
        people = self.cohort.pairs(self.translation.sources, self.translation.target)
        return [s.participant_id for s in people if s.role in roles]

    @cached_property
    def _folds(self) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
        """The folds of the paired controls; none where nobody is paired.

        Folds without test subjects belong to generators of another cohort, which have seen nobody of this one: then
        the paired controls are dealt into folds here, so that nobody's baseline contains the own PET.
        """
        if not self._learners:
            return []
        if not self._folds_path.is_file():
            raise DataError(
                f"E_MISSING {self._folds_path}: the folds of the paired controls; run `python -m synthpet.complete`"
            )
        folds = read_folds(self._folds_path)
        if self.is_foreign:
            paired = self._learners
            folds = (
                make_folds(paired, min(len(paired), 5), seed=0) if len(paired) > 1 else (Fold(0, (), tuple(paired)),)
            )
        for fold in folds:
            check_no_leakage(fold, self.cohort, roles_that_train(self.translation.images))
        return [(fold.index, fold.train, fold.test) for fold in folds]

    @cached_property
    def baselines(self) -> dict[int | None, dict[str, NDArray[np.float32]]]:
        """The mean PETs of each fold's training controls, and under None those of all paired controls.

        ``mean_pet`` is the plain voxelwise mean. At the brain's edge it contains the surroundings of other people's
        brains; ``mean_brain_pet`` averages at each voxel only those in whose brain it lies: the stronger baseline.
        """
        everybody = self._learners
        groups: dict[int | None, Sequence[str]] = {index: train for index, train, _ in self._folds}
        groups |= {None: everybody} if everybody else {}
        plain, inside, brain = ({index: Moments() for index in groups} for _ in range(3))
        for participant_id in everybody:
            pet, mask = (
                self.cohort.load_image(participant_id, self.translation.target),
                self.cohort.load_mask(participant_id),
            )
            for index in (index for index, members in groups.items() if participant_id in members):
                plain[index].add(pet)
                inside[index].add(pet * mask)
                brain[index].add(mask.astype(np.float32))
        filled = [index for index, found in plain.items() if found.n]
        return {
            index: {
                "mean_pet": plain[index].mean,
                "mean_brain_pet": np.where(
                    brain[index].mean > 0, inside[index].mean / brain[index].mean.clip(1e-6), plain[index].mean
                ),
            }
            for index in filled
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

    @property
    def _folds_path(self) -> Path:
        return self.synthetic.root / FOLDS

    @cached_property
    def is_foreign(self) -> bool:
        """Whether the generators were trained on another cohort: their folds have no test subjects."""
        return self._folds_path.is_file() and not any(fold.test for fold in read_folds(self._folds_path))

    @cached_property
    def training(self) -> dict[int, tuple[str, ...]]:
        """Fold to the participants that trained its generator; empty where the generators are of another cohort."""
        return {} if self.is_foreign else {index: train for index, train, _ in self._folds}

    @cached_property
    def is_simulated(self) -> bool:
        """Whether the cohort says that its images are simulated."""
        return self.cohort.is_simulated

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """The manifests of the cohort and of the synthetic PETs; empty where there are none."""
        return {
            "cohort": Manifest.read(self.cohort.root),
            "synthetic PET": Manifest.read(self.synthetic.root),
        }

    def load(self, case: Case, image: str) -> NDArray[np.float32]:
        """One (I, J, K) image of a case, SUVR: real, uncertainty, a baseline or a key of ``IMAGES``."""
        if image in BASELINES:
            return self.baselines[case.fold][image]
        found = read_image(self.path(case, image), grid=self.cohort.grid)[0]
        if image != "real":
            return found
        return self.translation.made.scaled(found, self.cohort.load_mask(case.participant_id))

    def path(self, case: Case, image: str) -> Path:
        """Where an image that is on the disk lies."""
        if image == "real":
            return self.cohort.path(case.participant_id, self._truth(case.role))
        where = self.cohort if image == "expected" else self.synthetic
        return where.path(case.participant_id, self._kind(image))

    def has(self, case: Case, image: str) -> bool:
        """Whether ``load`` would find the image."""
        if image in BASELINES:
            return case.fold in self.baselines
        return (image != "real" or case.truth is not None) and self.path(case, image).is_file()

    def files(self) -> tuple[Path, ...]:
        """Every file that determines the evaluation."""
        tables = [self.cohort.root / "participants.tsv", self._folds_path]
        images = [
            self.path(case, image)
            for case in self.cases
            for image in ("real", "synthetic", "resampled", "expected", "uncertainty")
            if self.has(case, image)
        ]
        shared = [
            self.cohort.path(case.participant_id, kind)
            for case in self.cases
            for kind in (*self.translation.sources, "brain_mask")
        ]
        return tuple(path for path in (*tables, *images, *shared) if path.is_file())


def _read_json(path: Path) -> dict:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}
