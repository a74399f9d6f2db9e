"""What is known of each generator, read from what its training, completion and evaluation wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Fold, read_folds
from synthpet.cohort.files import read_tsv
from synthpet.cohort.paths import FOLDS, METRICS, Paths
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError
from synthpet.generators.trained import WEIGHTS, TrainedGenerator

QUALITY, PEOPLE = "quality.json", "quality.tsv"


@dataclass(frozen=True)
class Result:
    """One generator on the people of a cohort.

    Args:
        name: of the generator.
        folder: of its synthetic images and their quality.
        generators: folder of its folds.
        n_steps: of the training that was asked for.
        voxels_per_step: of all patches of a step.
    """

    name: str
    folder: Path
    generators: Path
    n_steps: int
    voxels_per_step: int

    @cached_property
    def quality(self) -> Mapping[str, Any]:
        """The content of ``quality.json``."""
        return read_json_object(self.folder / QUALITY)

    @cached_property
    def people(self) -> list[dict[str, str]]:
        """The rows of ``quality.tsv`` that are of the brain."""
        return [row for row in read_tsv(self.folder / PEOPLE) if row["region"] == "mask"]

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """Who trained and who was left out."""
        return read_folds(self.folder / FOLDS)

    @property
    def fold_folders(self) -> list[Path]:
        """Of the trained generators."""
        return [Paths.fold(self.generators, fold.index) for fold in self.folds]

    @property
    def trained(self) -> TrainedGenerator:
        """The generator of the first fold."""
        return TrainedGenerator(self.fold_folders[0])

    def ids(self, role: str) -> list[str]:
        """The people of a role, in the order of ``values``."""
        return [row["participant_id"] for row in self._rows(role, "synthetic")]

    def values(self, role: str, measure: str, method: str = "synthetic") -> NDArray[np.float64]:
        """A measure of everybody of a role, (n,); NaN where it could not be measured."""
        found = (row.get(measure, "n/a") for row in self._rows(role, method))
        return np.array([float("nan") if value == "n/a" else float(value) for value in found])

    def _rows(self, role: str, method: str) -> list[dict[str, str]]:
        return [row for row in self.people if (row["role"], row["method"]) == (role, method)]

    def inputs(self) -> dict[str, Path]:
        """The files that determine what is said of it, by names that are its own."""
        paths = [self.folder / name for name in (QUALITY, PEOPLE, FOLDS)]
        paths += [folder / name for folder in self.fold_folders for name in (METRICS, WEIGHTS)]
        return {f"{path.parent.name}/{path.name} of {self.name}": path for path in paths}


def check_same_people(results: Mapping[str, Result]) -> None:
    """A comparison is paired: the same people, the same folds, one data range.

    Raises:
        DataError: naming the generators that differ from the first one.
    """
    first, *others = results.values()
    looked_at = {
        "people": lambda found: {role: found.ids(role) for role in found.quality["roles"]},
        "folds": lambda found: [(fold.train, fold.test) for fold in found.folds],
        "data range": lambda found: found.quality["data_range"],
    }
    odd = [
        f"{other.folder}: other {what}"
        for other in others
        for what, look in looked_at.items()
        if look(other) != look(first)
    ]
    if odd:
        raise DataError(
            f"E_PEOPLE expected the people, folds and data range of {first.folder} with every generator, found\n  "
            + "\n  ".join(odd)
        )
