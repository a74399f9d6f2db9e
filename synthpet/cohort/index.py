"""A cohort: who is in it, in which role, and where each image lies."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.coverage import without_padding
from synthpet.cohort.files import read_tsv, write_json, write_text, write_tsv
from synthpet.cohort.images import Grid, read_image, read_within
from synthpet.cohort.lesions import lesion_voxels
from synthpet.cohort.manifest import ANY
from synthpet.cohort.marks import is_simulated_dataset
from synthpet.cohort.modality import UNMEASURED, modality
from synthpet.cohort.names import SPACE, check_participant_id, image_path, measured_modality, modality_of
from synthpet.cohort.paths import FOLDS
from synthpet.cohort.words import group_of, sex_of, years_of
from synthpet.errors import DataError, IdError

ROLES = {"control": ("paired", "unpaired", "heldout"), "patient": ("patient",)}
COLUMNS = {
    "participant_id": "BIDS id",
    "group": "control: no known disease; patient: focal epilepsy (simulated cohorts: with a simulated lesion)",
    "role": "paired: control with T1 and PET; unpaired: control with T1 only; heldout: control with T1 and PET "
    "that trains nothing; patient",
    "age": "years",
    "sex": "F or M",
    "site": "scanner or centre",
    "lesion_site": "region of the lesion; n/a for controls",
    "mri_visible": "whether the T1 shows the lesion; n/a for controls",
}


@dataclass(frozen=True)
class Subject:
    """One row of ``participants.tsv``."""

    participant_id: str
    group: str
    role: str
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    lesion_site: str | None = None
    mri_visible: bool | None = None

    def row(self) -> dict[str, object]:
        """The subject as a row of ``participants.tsv``."""
        return {column: getattr(self, column) for column in COLUMNS}


@dataclass(frozen=True)
class Cohort:
    """A BIDS-derivative dataset on one template grid.

    ``left_out``: the problems of people who are in the table but not among ``subjects`` (``on_invalid=skip``);
    ``notes``: what words of the table were taken as.
    """

    root: Path
    subjects: tuple[Subject, ...]
    res: str
    space: str = SPACE
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def open(cls, root: Path) -> "Cohort":
        """Read ``participants.tsv`` and find the grid's label.

        Raises:
            DataError: no cohort there, or a table that cannot be used; all its problems are named.
        """
        root = Path(root)
        table = root / "participants.tsv"
        if not table.is_file():
            raise DataError(
                f"E_NO_COHORT {root}: no participants.tsv; expected a cohort "
                "(`python -m synthpet.phantom` makes a simulated one, `python -m synthpet.prepare` one from raw BIDS)"
            )
        rows = read_tsv(table)
        subjects = _parse_participants(table, rows)
        space, res = _find_grid_label(root, subjects)
        return cls(root, subjects, res, space, notes=_taken_as(rows))

    def select(self, *roles: str) -> tuple[Subject, ...]:
        """The subjects of these roles, in the order of the table."""
        return tuple(subject for subject in self.subjects if subject.role in roles)

    def pairs(self, sources: Sequence[str], target: str) -> tuple[Subject, ...]:
        """The controls that can teach a translation: they have every source and the target, and nobody holds them out.

        Args:
            sources: names of modalities, such as ``t1w``, ``flair``.
            target: the modality that is to be made of them, such as ``pet``.
        """
        return tuple(
            subject
            for subject in self.select("paired", "unpaired")
            if all(self.has(subject.participant_id, name) for name in (*sources, target))
        )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities of which at least one subject has an image; each scanner or protocol is one."""
        names = {
            name
            for subject in self.subjects
            for path in (self.root / subject.participant_id).glob("*/*.nii.gz")
            if (name := modality_of(path)) and self.path(subject.participant_id, name) == path
        }
        return tuple(sorted(names))

    def path(self, participant_id: str, kind: str) -> Path:
        """Where one image lies (whether or not it is there); ``kind`` as ``names.image_path`` has it."""
        return self.root / image_path(participant_id, kind, res=self.res, space=self.space)

    def has(self, participant_id: str, kind: str) -> bool:
        """Whether the image is there."""
        return self.path(participant_id, kind).is_file()

    def load(self, participant_id: str, kind: str) -> NDArray[np.float32]:
        """One image as an (I, J, K) float32 array in RAS+, checked to lie on the cohort's grid.

        Raises:
            DataError: cannot be read, or is NaN or infinite within the brain; what is so outside becomes 0.
                A PET is exactly 0 where nothing was measured.
            UsageError: no such kind.
        """
        path = self.path(participant_id, kind)
        if kind == "brain_mask":
            return read_image(path, grid=self.grid)[0]
        data = read_within(path, self.grid, lambda: self.load_mask(participant_id))
        measured = measured_modality(kind)
        return without_padding(data) if measured and measured.zero == UNMEASURED else data

    def load_image(self, participant_id: str, name: str) -> NDArray[np.float32]:
        """One modality as an (I, J, K) float32 array in RAS+, scaled within the brain as the modality says.

        Raises:
            DataError: cannot be used, or is constant within the brain where that leaves no scale.
            UsageError: no such modality.
        """
        kind = modality(name)
        return kind.scaled(self.load(participant_id, name), self.load_mask(participant_id))

    def load_mask(self, participant_id: str) -> NDArray[np.bool_]:
        """The brain mask as an (I, J, K) boolean array.

        Raises:
            DataError: the mask is empty.
        """
        mask = self.load(participant_id, "brain_mask") > 0.5
        if not mask.any():
            raise DataError(f"E_CONSTANT {self.path(participant_id, 'brain_mask')}: the brain mask is empty")
        return mask

    def load_lesion(self, participant_id: str) -> NDArray[np.bool_]:
        """The lesion mask as an (I, J, K) boolean array.

        Raises:
            DataError: values that could mean several things.
        """
        path = self.path(participant_id, "lesion_mask")
        return lesion_voxels(self.load(participant_id, "lesion_mask"), str(path))[0]

    def load_t1w(self, participant_id: str) -> NDArray[np.float32]:
        """The T1 as (I, J, K), scaled by ``scale_t1w`` within the brain mask."""
        return self.load_image(participant_id, "t1w")

    @property
    def notices(self) -> list[str]:
        """What every page of results has to say: words of the table that were understood, people who were left out."""
        understood = [f"WHO IS WHO: {'; '.join(self.notes)}."] if self.notes else []
        if not self.left_out:
            return understood
        n = len(self.left_out)
        words = f"LEFT OUT: {n} of {n + len(self.subjects)} subjects cannot be used. " + " — ".join(self.left_out)
        return [*understood, words]

    def told(self, subjects: Iterable[Subject] = ()) -> dict[str, Any]:
        """What tables and pages tell of people although no image holds it: part of a stage's configuration.

        Args:
            subjects: whose rows of participants.tsv are told.
        """
        rows = [subject.row() for subject in subjects]
        return {**({"people": rows} if rows else {}), **({"left_out": list(self.left_out)} if self.left_out else {})}

    @cached_property
    def is_simulated(self) -> bool:
        """Whether the cohort says that its images are simulated."""
        return is_simulated_dataset(self.root)

    @cached_property
    def grid(self) -> Grid:
        """The grid of the first subject's T1, which all images share."""
        return read_image(self.path(self.subjects[0].participant_id, "t1w"))[1]

    def files(self, kinds: Iterable[str], subjects: Iterable[Subject]) -> list[Path]:
        """The images of these kinds that are there, in a stable order."""
        paths = (self.path(s.participant_id, kind) for s in subjects for kind in kinds)
        return [path for path in paths if path.is_file()]


def scale_t1w(t1w: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Map the 1st and 99th percentile of the brain to 0 and 1; clip to [-0.2, 1.5], zero outside the brain.

    Robust against bright vessels, and idempotent up to the clipping: a prepared T1 is not changed by it.

    Args:
        t1w: (I, J, K), any unit.
        mask: (I, J, K) brain.

    Raises:
        DataError: the T1 is constant within the brain.
    """
    return modality("t1w").scaled(t1w, mask)


def write_participants(root: Path, subjects: Sequence[Subject], *, name: str, simulated: bool) -> list[Path]:
    """Write ``participants.tsv`` with its sidecar and ``dataset_description.json``; return the files."""
    about = {k: {"Description": v} for k, v in COLUMNS.items() if k != "participant_id"}
    return [
        write_tsv(root / "participants.tsv", [subject.row() for subject in subjects], COLUMNS),
        write_json(root / "participants.json", about),
        *write_dataset_description(root, name=name, simulated=simulated),
    ]


def write_dataset_description(root: Path, *, name: str, simulated: bool, **more: object) -> list[Path]:
    """Write ``dataset_description.json`` of a BIDS derivative (it says when data are simulated) and ``.bidsignore``."""
    from synthpet import __version__

    description = {
        "Name": name,
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "synthpet", "Version": __version__}],
        "Simulated": simulated,
        **more,
    }
    ours = (ANY, "quality.*", FOLDS, "report*", "figures", "qc*", "not_used.tsv", "transforms")
    return [
        write_json(root / "dataset_description.json", description),
        write_text(root / ".bidsignore", "".join(f"{name}\n" for name in ours)),
    ]


def _parse_participants(table: Path, rows: list[dict[str, str]]) -> tuple[Subject, ...]:
    problems: list[str] = []
    missing = {"participant_id", "group", "role"} - set(rows[0] if rows else ())
    if missing:
        raise DataError(f"E_COLUMNS {table}: no column {', '.join(sorted(missing))}; expected {', '.join(COLUMNS)}")
    subjects = []
    for row in rows:
        value = {k: (None if v in (None, "", "n/a") else v) for k, v in row.items()}
        try:
            subjects.append(_parse_row(value))
        except (DataError, ValueError) as error:
            problems.append(_of_row(row["participant_id"], error))
    ids = [subject.participant_id for subject in subjects]
    problems += [
        f"E_DUP_ID {i} stands {ids.count(i)} times; expected one row a person"
        for i in sorted({i for i in ids if ids.count(i) > 1})
    ]
    if problems:
        kind = IdError if any(problem.startswith("E_ID ") for problem in problems) else DataError
        raise kind("\n  ".join([f"E_TABLE {table}: {len(problems)} rows cannot be used", *problems]))
    return tuple(subjects)


def _of_row(participant_id: str, error: Exception) -> str:
    """One problem of the table, with its code first."""
    if isinstance(error, IdError):
        return str(error)
    if isinstance(error, DataError):
        code, _, words = str(error).partition(" ")
        return f"{code} {participant_id}: {words}"
    return f"E_TABLE {participant_id}: {error}; expected a number of years; correct participants.tsv"


def _parse_row(row: dict[str, str | None]) -> Subject:
    group, role = row["group"] or "", (row["role"] or "").lower()
    group = group_of(group) or group
    if role not in ROLES.get(group, ()):
        raise DataError(f"E_ROLE group {group!r} with role {role!r}; expected one of {ROLES}")
    visible = row.get("mri_visible")
    return Subject(
        participant_id=check_participant_id(row["participant_id"] or ""),
        group=group,
        role=role,
        age=_age(row.get("age")),
        sex=sex_of(row.get("sex") or ""),
        site=row.get("site"),
        lesion_site=row.get("lesion_site"),
        mri_visible=None if visible is None else visible.lower() == "true",
    )


def _age(text: str | None) -> float | None:
    """Years, as ``years_of`` reads them; None also for the ``nan`` of a table that pandas wrote."""
    years = years_of(text) if text else None
    if text and years is None and isfinite(float(text)):
        raise ValueError(f"the age is {float(text):g}")
    return years


def _taken_as(rows: Sequence[dict[str, str]]) -> tuple[str, ...]:
    """What words of the table were taken as, where they are not ours."""
    groups = Counter(row["group"] for row in rows if row["group"] not in ROLES)
    unknown = sum(bool(row.get("sex")) and row["sex"] != "n/a" and sex_of(row["sex"]) is None for row in rows)
    sexes = [f"sex of {unknown} is not a known word for F or M, left out"] if unknown else []
    return (*(f"{word!r} is taken as {group_of(word)} ({n})" for word, n in sorted(groups.items())), *sexes)


def _find_grid_label(root: Path, subjects: Sequence[Subject]) -> tuple[str, str]:
    """The space and resolution labels, from the first T1 that is there."""
    t1w = modality("t1w")
    pattern = f"*_space-*_res-*_desc-{t1w.desc}_{t1w.suffix}.nii.gz"
    for subject in subjects:
        for path in sorted((root / subject.participant_id / t1w.folder).glob(pattern)):
            entities = dict(part.split("-", 1) for part in path.name.split("_") if "-" in part)
            return entities["space"], entities["res"]
    raise DataError(f"E_NO_T1W {root}: no subject of participants.tsv has an image {pattern}")
