"""A raw PET: its frames averaged, what of it was measured, and its values as the scanner gave them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.coverage import unmeasured
from synthpet.cohort.images import Grid, check_range, read_frames
from synthpet.errors import DataError
from synthpet.prepare.frames import frame_shift_mm, frame_timing, mean_frame
from synthpet.prepare.raw.attenuation import said_uncorrected
from synthpet.prepare.raw.inheritance import read_sidecar
from synthpet.prepare.raw.look import NOT_CORRECTED
from synthpet.prepare.whole_body import find_head

COPIED = ("TracerName", "TracerRadionuclide", "Units", "ReconMethodName", "AttenuationCorrection",
          "ImageDecayCorrected")  # fmt: skip
MOVED_MM = 4.0  # frames that are further apart are worth a look


@dataclass(frozen=True)
class RawPet:
    """The mean frame.

    Args:
        data: (I, J, K) on ``grid``, in the scanner's unit, 0 where nothing was measured.
        view: (I, J, K), what was measured: the field of view without padding (``cohort.coverage``).
        grid: the native grid; of a PET of the whole body, its part around the head.
        about: for the sidecar, BIDS names.
        measures: ``pet_frames``, ``pet_frame_shift_mm``; ``pet_body_mm``, where it was cut to the head.
        notes: for the reader.
    """

    data: NDArray[np.float32]
    view: NDArray[np.bool_]
    grid: Grid
    about: dict[str, Any]
    measures: dict[str, float]
    notes: tuple[str, ...]


def read_pet(
    path: Path, participant_id: str, window_min: tuple[float, float] | None = None, xform: str | None = None
) -> RawPet:
    """Read a 3D or 4D PET and average its frames, weighted by their duration. Motion between them is not corrected.

    Args:
        path: the image; its sidecars are found as BIDS has them.
        participant_id: for messages.
        window_min: minutes after injection of the frames that count; None: all.
        xform: which of sform and qform holds, as for ``read_image``.

    A PET of the whole body is cut to the head (``whole_body.find_head``).

    Raises:
        DataError: no whole image, wrong frame times, not finite inside, constant, values that no PET has, or a whole
            body in which no head is found.
    """
    name = f"{participant_id} ({path})"
    frames, about = read_frames(path, xform=xform), read_sidecar(path)
    if frames.scale_lost:
        raise DataError(
            f"E_SCALE {name}: the voxels fill the range of 16-bit integers, as scaled ones do, but scl_slope says "
            "nothing; expected the scale; convert it again from DICOM (or set scl_slope to 1 if it is right)"
        )
    timing = frame_timing(about, frames.n, name, window_min)
    mean = mean_frame(frames, timing.weights)
    moved_mm = frame_shift_mm(frames, timing.weights, mean)
    head, grid = find_head(mean, frames.grid, name), frames.grid
    if head:
        mean, grid = head.cut(mean, grid)
    data, view, notes = _measured(mean, name)
    cut = {"pet_body_mm": head.length_mm} if head else {}
    notes = (*([head.note] if head else []), *notes)
    n_used = int((timing.weights > 0).sum())
    if moved_mm > MOVED_MM:
        notes = (*notes, f"PET: a frame lies {moved_mm:.0f} mm from their mean; motion is not corrected")
    uncorrected = said_uncorrected(about)
    if uncorrected:
        notes = (*notes, f"PET: {NOT_CORRECTED} ({uncorrected})")
    if "Units" not in about:
        notes = (*notes, "PET: no Units in a sidecar; SUVR does not need them")
    said = _about(about, frames.n, timing.start_s, timing.duration_s)
    if head:
        said["CutToHead"] = f"from {head.length_mm:.0f} mm head to foot"
    measures = {"pet_frames": n_used, "pet_frame_shift_mm": moved_mm, **cut}
    return RawPet(data, view, grid, said, measures, (*(f"PET: {note}" for note in timing.notes), *notes))


def _about(
    sidecar: Mapping[str, Any], n_frames: int, start_s: tuple[float, ...], duration_s: tuple[float, ...]
) -> dict[str, Any]:
    """What holds for the derivative too: nothing about person, dates or device is carried over."""
    about = {key: sidecar[key] for key in COPIED if isinstance(sidecar.get(key), str | bool)}
    if duration_s:  # of the one frame that is left, and of those that it is the mean of
        start, end = (start_s[0], start_s[-1] + duration_s[-1]) if start_s else (0.0, sum(duration_s))
        about |= {"FrameTimesStart": [start], "SourceFrameTimesStart": list(start_s)} if start_s else {}
        about |= {"FrameDuration": [end - start], "SourceFrameDuration": list(duration_s)}
    weights = "by FrameDuration" if duration_s else "alike"
    averaged = f"mean of {len(duration_s) or n_frames} of {n_frames} frames, weighted {weights}"
    return about | {"FrameAveraging": averaged, "MotionCorrection": "none between frames"}


def _measured(mean: NDArray[np.float32], name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[str, ...]]:
    """The image without NaN, 0 where not measured; what of it was measured, (I, J, K) each; and notes."""
    finite = np.isfinite(mean)
    values = mean[finite]
    if values.size == 0 or not values.max() > values.min():
        found = f"every voxel is {values[0]:g}" if values.size else "no voxel is finite"
        raise DataError(f"E_CONSTANT {name}: {found}; expected a PET image")
    check_range(name, float(values.min()), float(values.max()))
    data = np.where(finite, mean, 0)
    view = ~unmeasured(data, ~finite)
    enclosed = int((view & ~finite).sum())
    if enclosed:
        raise DataError(
            f"E_NONFINITE {name}: n={enclosed} voxels inside are NaN or infinite; expected finite values "
            "(NaN at the image's border counts as outside the field of view)"
        )
    missing = int((~finite).sum())
    said = f"PET: {missing} voxels at the border are NaN, or empty in a frame: taken as outside the field of view"
    notes = (said,) if missing else ()
    return np.where(view, data, np.float32(0)), view, notes


def measured_box(pet: RawPet) -> tuple[NDArray[np.float32], Grid]:
    """The PET, (I, J, K), and its grid, cut to what was measured: padding must not look like an empty head."""
    box = ndimage.find_objects(pet.view.astype(np.int8))[0]
    affine = pet.grid.matrix
    affine[:3, 3] += affine[:3, :3] @ [side.start for side in box]
    return pet.data[box], Grid.of(pet.data[box].shape, affine)
