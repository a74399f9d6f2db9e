"""Subject-level folds for cross-fitting, and the guard that keeps a subject out of its own fold."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthpet.cohort.files import write_json
from synthpet.cohort.index import Cohort, Subject
from synthpet.cohort.names import check_participant_id
from synthpet.cohort.text import read_json
from synthpet.errors import DataError, DataLeakageError, IdError, UsageError

MAX_FOLDS = 1000
GROUPS = ("train", "test", "unpaired")  # of a fold; files of folds without unpaired people do not name them


@dataclass(frozen=True)
class Fold:
    """The paired controls that train one generator, and those that it never sees.

    Args:
        index: of the fold.
        train: who teaches it the target.
        test: whom it never sees.
        unpaired: controls without a target whose sources alone it learns from; the same for all folds, since they have
            no target that could be kept from it.
    """

    index: int
    train: tuple[str, ...]
    test: tuple[str, ...]
    unpaired: tuple[str, ...] = ()


def make_folds(participant_ids: Sequence[str], n_folds: int, seed: int) -> tuple[Fold, ...]:
    """Shuffle the subjects and deal them into ``n_folds`` test sets; each trains on all the others.

    Raises:
        UsageError: fewer than two folds, or more folds than subjects.
    """
    ids = sorted(participant_ids)
    if not 2 <= n_folds <= len(ids):
        raise UsageError(f"gan.n_folds={n_folds}: expected 2 to {len(ids)}, the number of paired controls")
    order = np.random.default_rng(seed).permutation(len(ids))
    deals = [sorted(ids[i] for i in order[k::n_folds]) for k in range(n_folds)]
    return tuple(Fold(k, tuple(sorted(set(ids) - set(test))), tuple(test)) for k, test in enumerate(deals))


def check_no_leakage(fold: Fold, cohort: Cohort, roles: Sequence[str] = ("paired",)) -> None:
    """Hold a fold to its promise.

    Args:
        fold: the fold.
        cohort: whose people these are.
        roles: of the controls that may train.

    Raises:
        DataLeakageError: naming the subjects that are on both sides, are no controls of these roles (patients and
            held-out controls train no generator, unpaired ones none that needs a PET of theirs), or are unknown.
    """
    both = sorted({*fold.train, *fold.unpaired} & set(fold.test) | set(fold.train) & set(fold.unpaired))
    if both:
        raise DataLeakageError(
            f"E_LEAK_FOLD fold {fold.index}: in training and in test, or paired and unpaired: {', '.join(both)}"
        )
    _check_roles(fold, (*fold.train, *fold.test), cohort, roles)
    _check_roles(fold, fold.unpaired, cohort, ("unpaired",) if roles == ("paired",) else ("paired", "unpaired"))


def _check_roles(fold: Fold, people: Sequence[str], cohort: Cohort, roles: Sequence[str]) -> None:
    by_id = {subject.participant_id: subject for subject in cohort.subjects}
    strangers = [s for s in people if s not in by_id or not _may_train(by_id[s], roles)]
    if strangers:
        found = ", ".join(f"{s} ({by_id[s].role if s in by_id else 'unknown'})" for s in strangers)
        raise DataLeakageError(
            f"E_LEAK_ROLE fold {fold.index}: only {' and '.join(roles)} controls train a generator, found {found}"
        )


def _may_train(subject: Subject, roles: Sequence[str]) -> bool:
    return subject.group == "control" and subject.role in roles


def write_folds(path: Path, folds: Iterable[Fold]) -> Path:
    """Write the folds as JSON: a list of ``index``, ``train``, ``test`` and, where there are any, ``unpaired``."""
    return write_json(path, [{k: v for k, v in asdict(fold).items() if k != "unpaired" or v} for fold in folds])


def read_folds(path: Path) -> tuple[Fold, ...]:
    """Read what ``write_folds`` wrote.

    Raises:
        DataError: it is anything else.
    """
    rows = read_json(Path(path))
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_FOLDS or not all(map(_is_fold, rows)):
        found = f"{len(rows):,} entries" if isinstance(rows, list) else f"a {type(rows).__name__}"
        raise DataError(
            f"E_FOLDS {path}: {found}; expected a list of 1 to {MAX_FOLDS} folds, each with index (a number of its "
            "own), train and test (ids). Run the step that wrote it again, or get it again from whoever made it"
        )
    folds = tuple(Fold(row["index"], *(tuple(row.get(key, ())) for key in GROUPS)) for row in rows)
    if len({fold.index for fold in folds}) < len(folds):
        raise DataError(
            f"E_FOLDS {path}: two folds of one index; expected each once. Get it again from whoever made it"
        )
    return folds


def _is_fold(row: Any) -> bool:
    """Whether a row can be trusted: its index becomes the name of a folder."""
    return (
        isinstance(row, dict)
        and type(row.get("index")) is int
        and 0 <= row["index"] < MAX_FOLDS
        and {"train", "test"} <= row.keys()
        and all(isinstance(row[key], list) and all(map(_is_id, row[key])) for key in GROUPS if key in row)
    )


def _is_id(text: Any) -> bool:
    try:
        return isinstance(text, str) and check_participant_id(text) == text
    except IdError:
        return False
