"""A person's own images, read and checked before the long work: what preparation and validation both hold them to."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid, read_grid, read_image, read_image_with_gaps, read_remark
from synthpet.errors import DataError
from synthpet.prepare.brain import above_zero, crop_to_brain, given_brain_mask, stripped_brain_mask, volume_ml
from synthpet.prepare.extraction import VERSION, extract_brain
from synthpet.prepare.mask_command import run_mask_command
from synthpet.prepare.other_images import read_flair, read_lesion
from synthpet.prepare.pet import RawPet, read_pet
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.settings import Settings

MAX_SPACING_MM = 6.0  # a thicker slice does not show the cortex
MIN_VOXELS = 16  # along each axis
LEAST_INSIDE = 0.1  # of a lesion that lies in the brain
MOST_OF_BRAIN = 0.6  # a larger lesion is the brain itself


@dataclass(frozen=True)
class Native:
    """A person's own images, (I, J, K) each on its own native grid, RAS+ mm.

    Args:
        t1w: cut to the brain, in any unit.
        mask: brain, on ``grid``.
        grid: of both.
        whole: of the T1 before it was cut.
        pet: where there is one.
        flair: where there is one, with its grid.
        lesion: where one was drawn, with the grid of what it was drawn on (``lesion_space``).
        notes: for the reader.
        mask_from: where the brain mask is from, in words.
    """

    t1w: NDArray[np.float32]
    mask: NDArray[np.bool_]
    grid: Grid
    whole: Grid
    pet: RawPet | None = None
    flair: tuple[NDArray[np.float32], Grid] | None = None
    lesion: tuple[NDArray[np.bool_], Grid] | None = None
    notes: tuple[str, ...] = ()
    mask_from: str = ""


class Anatomy(NamedTuple):
    """A T1 with its brain mask, (I, J, K) on ``grid``, notes, and where the mask is from, in words."""

    t1w: NDArray[np.float32]
    mask: NDArray[np.bool_]
    grid: Grid
    notes: tuple[str, ...]
    mask_from: str = ""


def read_person(raw: RawSubject, settings: Settings) -> Native:
    """All native images: the T1 and its brain mask, cut to the brain; PET; FLAIR; lesion mask.

    Raises:
        DataError: the first image that cannot be used.
    """
    if raw.t1w is None:
        raise DataError(raw.problem)
    participant_id = raw.subject.participant_id
    t1w, gaps, grid = read_t1w(raw.t1w, participant_id, settings)
    pet = read_pet(raw.pet, participant_id, settings.pet_window_min, settings.xform) if raw.pet else None
    flair = read_flair(raw.flair, participant_id, settings.xform) if raw.flair else None
    lesion, drawn = read_drawn(raw, settings) if raw.lesion_mask else (None, ())
    anatomy = with_brain(raw, raw.t1w, t1w, gaps, grid, settings)
    if lesion is not None and settings.lesion_space == "t1w":  # on another image: when that is registered
        check_drawn(lesion[0], anatomy.mask, f"{participant_id} ({raw.lesion_mask})")
    cut = crop_to_brain(anatomy.t1w, anatomy.mask, grid)
    notes = (*remarks(raw), *anatomy.notes, *drawn)
    return Native(*cut, whole=grid, pet=pet, flair=flair, lesion=lesion, notes=notes, mask_from=anatomy.mask_from)


def remarks(raw: RawSubject) -> tuple[str, ...]:
    """What is odd in the headers of a person's images though they can be read."""
    images = {"T1": raw.t1w, "PET": raw.pet, "FLAIR": raw.flair, "lesion mask": raw.lesion_mask}
    found = {name: read_remark(path) for name, path in images.items() if path is not None}
    return tuple(f"{name}: {words}" for name, words in found.items() if words)


def read_t1w(
    path: Path, participant_id: str, settings: Settings
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Grid]:
    """A raw T1, (I, J, K), where it is NaN or infinite, and its grid.

    Raises:
        DataError: cannot be read, or its voxels do not show the cortex.
    """
    t1w, gaps, grid = read_image_with_gaps(path, xform=settings.xform)
    check_voxels(path, grid, participant_id)
    return t1w, gaps, grid


def check_voxels(path: Path, grid: Grid, participant_id: str) -> None:
    """Refuse a T1 whose voxels do not show the cortex.

    Raises:
        DataError: naming them.
    """
    if max(grid.spacing_mm) > MAX_SPACING_MM or min(grid.shape) < MIN_VOXELS:
        raise DataError(
            f"E_RESOLUTION {participant_id} ({path}): {grid}; expected voxels of at most {MAX_SPACING_MM:g} mm, "
            f"{MIN_VOXELS} or more along each axis"
        )


def with_brain(
    raw: RawSubject, path: Path, t1w: NDArray[np.float32], gaps: NDArray[np.bool_], grid: Grid, settings: Settings
) -> Anatomy:
    """Find the brain of a raw T1 and hold the T1 to being an image of it.

    Args:
        raw: the person.
        path: of the T1.
        t1w: (I, J, K) on ``grid``.
        gaps: (I, J, K), where it is NaN or infinite.
        grid: of the T1.
        settings: that say where brain masks come from.

    Raises:
        DataError: no brain is found, or the T1 is constant or not finite in it.
    """
    name = f"{raw.subject.participant_id} ({path})"
    mask, mask_from, found = _brain_mask(raw, path, t1w, grid, settings)
    n_gaps, n_gaps_in_brain = int(gaps.sum()), int((gaps & mask).sum())
    if n_gaps_in_brain:
        raise DataError(
            f"E_NONFINITE {name}: n={n_gaps_in_brain} voxels of the brain are NaN or infinite; expected finite values"
        )
    notes = (f"T1: {n_gaps} voxels outside the brain are NaN or infinite, taken as 0",) if n_gaps else ()
    if not np.ptp(t1w[mask]) > 0:
        raise DataError(f"E_CONSTANT {name}: constant within the brain mask; expected an anatomical image")
    t1w, raised = above_zero(t1w, mask)
    return Anatomy(t1w, mask, grid, (*found, *notes, *raised), mask_from)


def read_drawn(raw: RawSubject, settings: Settings) -> tuple[tuple[NDArray[np.bool_], Grid], tuple[str, ...]]:
    """The lesion mask of a person who has one, (I, J, K), with the grid of what it was drawn on, and notes.

    That grid is the whole one of the file, also where a PET of the whole body is cut to the head.

    Args:
        raw: the person.
        settings: that say what it was drawn on, and what a lesion is in it.

    Raises:
        DataError: as of ``read_lesion``, or it was drawn on an image that is not there.
    """
    path, who, space = Path(raw.lesion_mask or ""), raw.subject.participant_id, settings.lesion_space
    drawn_on = {"t1w": raw.t1w, "flair": raw.flair, "pet": raw.pet}[space]
    if drawn_on is None:
        raise DataError(
            f"E_LESION {who} ({path}): drawn on a {space.upper()} (lesion_space={space}), and none of this person is "
            f"used; expected the {space.upper()} ({space}=)"
        )
    grid = read_grid(drawn_on, xform=settings.xform)
    lesion, notes = read_lesion(path, drawn_on, grid, who, settings.xform, settings.lesion_label)
    return (lesion, grid), notes


def check_drawn(lesion: NDArray[np.bool_], brain: NDArray[np.bool_], name: str) -> None:
    """Refuse a lesion, (I, J, K), of which hardly anything lies in the brain, or which fills most of it.

    Raises:
        DataError: naming how much of it does.
    """
    inside = lesion & brain
    if lesion.any() and (inside.sum() < LEAST_INSIDE * lesion.sum() or inside.sum() > MOST_OF_BRAIN * brain.sum()):
        share = f"{inside.sum() / lesion.sum():.0%} of the lesion in the brain, {inside.sum() / brain.sum():.0%} of it"
        raise DataError(
            f"E_LESION {name}: {share}; expected a lesion of the brain, 1 in it and 0 outside, drawn on this image"
        )


def _brain_mask(
    raw: RawSubject, path: Path, t1w: NDArray[np.float32], grid: Grid, settings: Settings
) -> tuple[NDArray[np.bool_], str, tuple[str, ...]]:
    """Given, by the command of the settings, read off a stripped T1, or by deepbet's networks: (I, J, K) on ``grid``.

    With where it is from, in words, and notes.
    """
    participant_id = raw.subject.participant_id
    if raw.brain_mask is not None:
        given = read_image(raw.brain_mask, grid=grid, xform=settings.xform)[0]
        return given_brain_mask(given, grid, f"{participant_id} ({raw.brain_mask})"), "given", ()
    if settings.brain_mask_command:
        command = settings.brain_mask_command
        mask = run_mask_command(command, path, grid, participant_id, settings.xform)
        return mask, f"by {Path(command.split()[0]).name}", ()
    name = f"{participant_id} ({path})"
    if (stripped := stripped_brain_mask(t1w, grid, name)) is not None:
        return stripped, "the T1 was skull-stripped: not zero, largest component", ()
    mask = extract_brain(t1w, grid, name)
    note = f"T1: with its skull; the networks of deepbet found {volume_ml(mask, grid):.0f} mL of brain: see its outline"
    return mask, f"by the networks of deepbet {VERSION}", (note,)
