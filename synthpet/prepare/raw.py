"""What a raw BIDS folder holds: its subjects, one T1w each, and what participants.tsv says of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthpet.cohort.files import read_tsv
from synthpet.cohort.index import Subject
from synthpet.cohort.names import check_participant_id
from synthpet.errors import DataError


@dataclass(frozen=True)
class RawSubject:
    """One person: who they are in the cohort, and where their images lie.

    ``pet``: FDG, 3D or 4D; ``flair``; ``lesion_mask`` in the T1's space; each None where there is none.
    ``problem`` says why the person cannot be prepared, ``t1w`` is then None; ``notes`` are for the reader.
    """

    subject: Subject
    t1w: Path | None
    brain_mask: Path | None = None
    pet: Path | None = None
    flair: Path | None = None
    lesion_mask: Path | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()


def read_raw(
    bids_dir: Path,
    *,
    brain_mask: str | None = None,
    control_groups: Sequence[str] = ("control",),
    patient_groups: Sequence[str] = ("patient",),
) -> list[RawSubject]:
    """Find every ``sub-*`` folder's first T1w and its row of ``participants.tsv``.

    Args:
        bids_dir: the raw BIDS folder.
        brain_mask: pattern below ``bids_dir`` of masks in the T1's own space, with ``{participant_id}``.
        control_groups: values of the group column that mean control.
        patient_groups: values of the group column that mean patient.

    Raises:
        DataError: no folder there, no subject in it, or a participants.tsv that names somebody twice.
    """
    bids_dir = Path(bids_dir)
    folders = sorted(path for path in bids_dir.glob("sub-*") if path.is_dir())
    if not folders:
        found = "a folder without sub-* folders" if bids_dir.is_dir() else "no such folder"
        raise DataError(
            f"E_NO_BIDS {bids_dir}: {found}; expected raw BIDS, sub-<label>/[ses-<label>/]anat/*_T1w.nii.gz"
        )
    table = _read_participants(bids_dir / "participants.tsv")
    people = []
    for folder in folders:
        row = table.get(folder.name, {})
        subject, notes = _who(folder.name, row, control_groups, patient_groups)
        people.append(_find_images(bids_dir, subject, brain_mask, notes))
    return people


def _read_participants(path: Path) -> dict[str, dict[str, str]]:
    """The rows by participant id (``sub-`` added where it was left out); empty without a table."""
    if not path.is_file():
        return {}
    rows: dict[str, dict[str, str]] = {}
    for row in read_tsv(path):
        label = (row.get("participant_id") or "").strip()
        participant_id = label if label.startswith("sub-") else f"sub-{label}"
        if participant_id in rows:
            raise DataError(f"E_DUP_ID {path}: {participant_id} stands in several rows; expected one row a person")
        rows[participant_id] = {key: (value or "").strip() for key, value in row.items() if key}
    return rows


def _who(
    participant_id: str, row: dict[str, str], control_groups: Iterable[str], patient_groups: Iterable[str]
) -> tuple[Subject, tuple[str, ...]]:
    """The person's place in a cohort of T1 alone: a patient, or an unpaired control."""
    notes = []
    given = _value(row, "group")
    patient = given in set(patient_groups)
    if given and not patient and given not in set(control_groups):
        notes.append(f"group {given!r} taken as control")
    age, sex = _value(row, "age"), _value(row, "sex", "gender")
    if age and not _is_number(age):
        notes.append(f"age {age!r} is not a number, left out")
    initial = (sex or "").upper()[:1]
    if sex and initial not in ("F", "M"):
        notes.append(f"sex {sex!r} is not F or M, left out")
    subject = Subject(
        participant_id=participant_id,
        group="patient" if patient else "control",
        role="patient" if patient else "unpaired",
        age=float(age) if age and _is_number(age) else None,
        sex=initial if initial in ("F", "M") else None,
        site=_value(row, "site"),
        lesion_site=_value(row, "lesion_site") if patient else None,
    )
    return subject, tuple(notes)


def _value(row: dict[str, str], *columns: str) -> str | None:
    """The first of these columns that holds a value; column names in any case."""
    lower = {key.lower(): value for key, value in row.items()}
    return next((lower[c] for c in columns if lower.get(c, "").lower() not in ("", "n/a", "nan", "na")), None)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d+(\.\d*)?", text))


def _find_images(bids_dir: Path, subject: Subject, brain_mask: str | None, notes: tuple[str, ...]) -> RawSubject:
    participant_id = subject.participant_id
    folder = bids_dir / participant_id
    try:
        check_participant_id(participant_id)
    except DataError as error:
        return RawSubject(subject, None, problem=str(error), notes=notes)
    images = sorted(_t1w_images(folder), key=_natural)
    if not images:
        problem = f"E_NO_T1W {folder}: no [ses-*/]anat/*_T1w.nii or .nii.gz"
        return RawSubject(subject, None, problem=problem, notes=notes)
    if len(images) > 1:
        notes = (*notes, f"{len(images)} T1w, the first is used: {images[0].relative_to(folder)}")
    if brain_mask is None:
        return RawSubject(subject, images[0], notes=notes)
    masks = sorted(bids_dir.glob(brain_mask.format(participant_id=participant_id)), key=_natural)
    if len(masks) != 1:
        problem = f"E_MASK {participant_id}: {len(masks)} files match brain_mask={brain_mask!r}; expected one"
        return RawSubject(subject, None, problem=problem, notes=notes)
    return RawSubject(subject, images[0], masks[0], notes=notes)


def _t1w_images(folder: Path) -> list[Path]:
    return [
        path
        for pattern in ("anat/*_T1w.nii*", "ses-*/anat/*_T1w.nii*")
        for path in folder.glob(pattern)
        if path.name.endswith((".nii", ".nii.gz"))
    ]


def _natural(path: Path) -> list[object]:
    """Sort key in which run-2 stands before run-10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(path))]
