"""Every problem of a raw folder, with nothing prepared: each image that would be used is read to its end."""

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from synthpet.cohort.images import read_image_with_gaps
from synthpet.cohort.problems import WARNING, Problem, Report
from synthpet.errors import DataError
from synthpet.prepare.decisions import who_is_who
from synthpet.prepare.options import PrepareStudy
from synthpet.prepare.other_images import read_flair
from synthpet.prepare.pet import read_pet
from synthpet.prepare.raw import RawSubject, read_raw
from synthpet.prepare.reading import check_drawn, check_voxels, read_drawn, remarks, with_brain
from synthpet.prepare.settings import Settings
from synthpet.runtime.compute import in_threads
from synthpet.runtime.console import progress, say


def check_raw(study: PrepareStudy) -> Report:
    """Check a folder as ``synthpet.prepare`` would read it.

    Args:
        study: the options.

    Raises:
        DataError: no folder there, or nobody in it.
    """
    root = study.bids_dir
    raw = read_raw(root, study.reading)
    found = in_threads(partial(_check_person, settings=study.settings), raw.people, study.compute.n_jobs)
    results = list(progress(found, "checking images", len(raw.people)))
    problems = [problem for result in results for problem in result[0]]
    problems += [Problem.of(DataError(question), root) for question in raw.questions]
    notes = [note.removeprefix("participants.tsv: ") for note in raw.notes]
    problems += [Problem("", "participants.tsv", "E_TABLE", note, WARNING) for note in notes]
    for line in who_is_who(raw.people):
        say(line)
    problems += [Problem("", line.path, "E_NOT_USED", line.reason, WARNING) for line in raw.not_used]
    problems += _mixed_units(raw.people, [result[1] for result in results])
    for kind in ("T1w", "PET"):
        problems += _same_image(raw.people, [result[2].get(kind, "") for result in results], kind)
    return Report(root.resolve().name, len(raw.people), tuple(problems))


def _check_person(person: RawSubject, settings: Settings) -> tuple[list[Problem], str, dict[str, str]]:
    """Problems of one person, the unit of the PET, and the SHA-256 of the voxels of T1w and PET, where known."""
    who, problems = person.subject.participant_id, []
    root = person.root or Path()

    def tried(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except DataError as error:
            problems.append(Problem.of(error, root, who))
        return None

    if person.t1w is None:
        reasons = re.split(r"; (?=E_[A-Z])", person.problem)
        problems += [Problem.of(DataError(text), root, who) for text in reasons]
        return problems + [Problem(who, "", "E_NOTE", note, WARNING) for note in person.notes], "", {}
    t1w = tried(partial(read_image_with_gaps, person.t1w, xform=settings.xform))
    if t1w:
        tried(partial(check_voxels, person.t1w, t1w[2], who))
    pet = tried(partial(read_pet, person.pet, who, settings.pet_window_min, settings.xform)) if person.pet else None
    if person.flair:
        tried(partial(read_flair, person.flair, who, settings.xform))
    anatomy = drawn = None
    if t1w and (person.brain_mask or not settings.brain_mask_command):  # a command of masks runs in preparation
        anatomy = tried(partial(with_brain, person, person.t1w, t1w[0], t1w[1], t1w[2], settings))
    if t1w and person.lesion_mask:
        drawn = tried(partial(read_drawn, person, settings))
        if drawn and anatomy and settings.lesion_space == "t1w":
            tried(partial(check_drawn, drawn[0][0], anatomy.mask, f"{who} ({person.lesion_mask})"))
    notes = (
        *person.notes,
        *(remarks(person) if not problems else ()),
        *(anatomy.notes if anatomy else ()),
        *(drawn[1] if drawn else ()),
        *(pet.notes if pet else ()),
    )
    problems += [Problem(who, "", "E_NOTE", note, WARNING) for note in notes]
    voxels = {"T1w": t1w[0] if t1w else None, "PET": pet.data if pet else None}
    digests = {kind: hashlib.sha256(data.tobytes()).hexdigest() for kind, data in voxels.items() if data is not None}
    return problems, str(pet.about.get("Units", "")) if pet else "", digests


def _mixed_units(people: Sequence[RawSubject], units: Sequence[str]) -> list[Problem]:
    """Units that differ between people: a warning, since each PET is divided by its own reference region."""
    groups: dict[str, list[str]] = {}
    for person, unit in zip(people, units, strict=True):
        if unit:
            groups.setdefault(unit, []).append(person.subject.participant_id)
    if len(groups) < 2:
        return []
    words = " and ".join(f"{unit}: {', '.join(ids[:8])}" for unit, ids in groups.items())
    return [
        Problem("", "", "E_UNITS_MIXED", f"{words}; harmless for SUVR, which divides each by its own mean", WARNING)
    ]


def _same_image(people: Sequence[RawSubject], digests: Sequence[str], kind: str) -> list[Problem]:
    """The same voxels under two ids."""
    owners: dict[str, list[str]] = {}
    for person, digest in zip(people, digests, strict=True):
        if digest:
            owners.setdefault(digest, []).append(person.subject.participant_id)
    words = "the {} has the same voxels as that of {}; expected one id a person; keep one of them"
    return [
        Problem(who, "", "E_LEAK_SAME_IMAGE", words.format(kind, ", ".join(other for other in ids if other != who)))
        for ids in owners.values()
        if len(ids) > 1
        for who in ids
    ]
