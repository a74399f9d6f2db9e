"""A new patient's raw images: prepared first, as the cohort was, when they do not lie on the cohort's grid."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from synthpet.cohort import Cohort, Subject, read_image
from synthpet.cohort.manifest import Manifest
from synthpet.cohort.names import image_path, resolution_label
from synthpet.errors import DataError
from synthpet.runtime.claim import PATIENT, Source, claim
from synthpet.runtime.console import say
from synthpet.template.icbm import template_grid

if TYPE_CHECKING:
    from synthpet.prepare.settings import Settings

UNKNOWN = Source()
PREPARED = "prepared"  # folder below the patient's results


class Given(NamedTuple):
    """A patient's images on the cohort's grid, and what their preparation found; ``raw``: the files given."""

    images: Mapping[str, Path]
    mask: Path | None
    raw: tuple[Path, ...] = ()
    remarks: tuple[str, ...] = ()


def on_cohort_grid(
    images: Mapping[str, Path], mask: Path | None, cohort: Cohort, folder: Path, brain_mask_command: str | None,
    source: Source = UNKNOWN, name: str = "",
) -> Given:  # fmt: skip
    """The images as they are when the T1 lies on the cohort's grid; otherwise prepared into ``folder``.

    Args:
        images: by modality: ``t1w``, raw or prepared; the others in the same state; raw: on any grid, a PET 3D or 4D
            in any unit.
        mask: brain mask on the T1's grid.
        cohort: whose grid is wanted, and whose preparation is repeated.
        folder: of the patient's results.
        brain_mask_command: program that writes a brain mask, as for ``synthpet.prepare``.
        source: who the patient is, to claim ``folder``.
        name: of the patient; what is left of it without signs names the prepared files.

    Raises:
        DataError: an image that cannot be prepared, or a cohort on a grid that ``synthpet.prepare`` does not make.
    """
    t1w = images["t1w"]
    grid = read_image(t1w)[1]
    if cohort.grid.matches(grid):
        return Given(images, mask)
    settings = settings_of(cohort, brain_mask_command)
    if not template_grid(settings.resolution_mm).matches(cohort.grid):
        raise DataError(
            f"E_GRID {t1w}: not on the cohort's grid, and the cohort was not made by `python -m synthpet.prepare`, so "
            f"that the image cannot be prepared alike.\n  found: {grid}\n  expected: {cohort.grid}\n"
            "  Resample it as the cohort's images were"
        )
    claim(folder, PATIENT, source)
    return _prepare(images, mask, folder, settings, name)


def settings_of(cohort: Cohort, brain_mask_command: str | None = None) -> "Settings":
    """How the cohort's people were prepared, from their manifests; the defaults of ``synthpet.prepare`` otherwise."""
    from synthpet.prepare.settings import Settings

    settings = Settings.of({"resolution_mm": float(f"{max(cohort.grid.spacing_mm):g}")})  # as headers round it
    known = {field.name for field in fields(Settings)} - {"engine", "resolution_mm"}
    for subject in cohort.subjects:
        manifest = Manifest.read(cohort.root / subject.participant_id)
        if manifest.exists:
            config = manifest.config
            settings = replace(settings, **{key: _plain(config[key]) for key in known & set(config)})
            break
    return settings if brain_mask_command is None else replace(settings, brain_mask_command=brain_mask_command)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _prepare(images: Mapping[str, Path], mask: Path | None, folder: Path, settings: "Settings", name: str) -> Given:
    """One person, as ``synthpet.prepare`` does it."""
    from synthpet.prepare.raw import RawSubject
    from synthpet.prepare.subject import subject_stage, write_subject

    label = re.sub(r"[^0-9a-zA-Z]", "", name.removeprefix("sub-")) or "patient"
    t1w, pet, flair = (images.get(name) for name in ("t1w", "pet", "flair"))
    person = Subject(f"sub-{label}", "patient", "patient")
    raw = RawSubject(person, t1w, brain_mask=mask, pet=pet, flair=flair)
    root = folder / PREPARED
    say(f"{images['t1w'].name} is not on the cohort's grid: it is prepared first, into {root}")
    try:
        subject_stage(raw, root, settings).ensure(lambda: write_subject(raw, root, settings))
    except RuntimeError as error:  # of ITK: its last line says what happened
        raise DataError(
            f"E_ITK {images['t1w']}: {(str(error).strip().splitlines() or ['no reason given'])[-1]}"
        ) from error
    res = resolution_label(settings.resolution_mm)
    paths = {kind: root / image_path(f"sub-{label}", kind, res=res) for kind in (*images, "brain_mask")}
    files = (*images.values(), *((mask,) if mask is not None else ()))
    remarks = _remarks(raw, root, settings.resolution_mm)
    return Given({name: paths[name] for name in images}, paths["brain_mask"], files, remarks)


def _remarks(raw: Any, root: Path, resolution_mm: float) -> tuple[str, ...]:
    """What quality control says of the preparation, and what the preparation noted."""
    from synthpet.plausibility.flags import Norm, judge
    from synthpet.prepare.qc.person import check_person, read_checked

    problem = check_person(raw, root, resolution_mm)
    if problem:
        return (f"The preparation could not be checked: {problem}",)
    checked = read_checked(raw.subject.participant_id, root)
    flags = judge(checked.numbers, Norm()).flags
    found = [f"CHECK THE PREPARATION: {flag.words} ({flag.numbers}). {flag.advice}" for flag in flags]
    return (*found, *(f"Note of the preparation: {note}." for note in checked.notes))
