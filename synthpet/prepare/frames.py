"""The frames of a dynamic PET: when they were taken, and their mean.

Source: BIDS 1.9, PET: ``FrameTimesStart`` and ``FrameDuration`` in seconds from ``TimeZero``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.coverage import constant_ends
from synthpet.cohort.images import Frames
from synthpet.errors import DataError

OVERLAP_S = 1.0  # frames that overlap by more have wrong durations
FULL_SHARE = 0.5  # of the mean uptake that a frame has when all of the tracer is there
MOVED_MM = 4.0  # spacing of the images that frames are compared on


@dataclass(frozen=True)
class Timing:
    """How much each frame counts: ``weights`` (n,) with the sum 1; ``start_s``, ``duration_s`` of those that do."""

    weights: NDArray[np.float64]
    start_s: tuple[float, ...]
    duration_s: tuple[float, ...]
    notes: tuple[str, ...]


def frame_timing(
    about: Mapping[str, Any], n_frames: int, name: str, window_min: tuple[float, float] | None = None
) -> Timing:
    """Weights of the frames: their duration, 0 for those whose middle lies outside the window.

    Args:
        about: the sidecar.
        n_frames: of the image.
        name: the subject and its file, for messages.
        window_min: minutes after injection; None: all frames.

    Raises:
        DataError: the sidecar has another number of frames or impossible times, or no frame lies in the window; not of
            a single frame, which is used whatever its sidecar says of others.
    """
    if n_frames == 1 and not _of_one_frame(about):
        return Timing(np.ones(1), (), (), (_not_of_this_image(window_min),))
    duration = _numbers(about, "FrameDuration", n_frames, name)
    start = _numbers(about, "FrameTimesStart", n_frames, name)
    if duration is None or (start is None and window_min is not None):
        return _without_times(n_frames, name, window_min)
    notes: tuple[str, ...] = ()
    if start is not None:
        duration, notes = _not_beyond_next(start, duration)
    if not (duration > 0).all():
        raise DataError(f"E_FRAMES {name}: FrameDuration {duration.tolist()}; expected more than 0 s for each frame")
    chosen = np.ones(n_frames, bool)
    if window_min is not None and start is not None:
        chosen = _within(start + duration / 2 - _injection_s(about, name), window_min, name)
    weights = np.where(chosen, duration, 0)
    starts = () if start is None else tuple(start[chosen].tolist())
    return Timing(weights / weights.sum(), starts, tuple(duration[chosen].tolist()), notes)


def _without_times(n_frames: int, name: str, window_min: tuple[float, float] | None) -> Timing:
    if window_min is not None and n_frames > 1:
        raise DataError(
            f"E_FRAMES {name}: pet_window_min={list(window_min)}, but no sidecar gives FrameTimesStart and "
            "FrameDuration; add them (seconds), or leave pet_window_min out"
        )
    notes = ("no FrameDuration in a sidecar: all frames count equally",) if n_frames > 1 else ()
    return Timing(np.full(n_frames, 1 / n_frames), (), (), notes)


def _of_one_frame(about: Mapping[str, Any]) -> bool:
    """Whether the times can be those of a single frame; a static image often has the sidecar of the dynamic one."""
    said = [(key, about[key]) for key in ("FrameDuration", "FrameTimesStart") if about.get(key) is not None]
    try:
        numbers = [(key, np.ravel(np.asarray(value, float))) for key, value in said]
        return all(v.size == 1 and np.isfinite(v[0]) and (v[0] > 0 or key != "FrameDuration") for key, v in numbers)
    except (TypeError, ValueError, OverflowError):
        return True  # no numbers at all: refused with the sidecar's words


def _not_of_this_image(window_min: tuple[float, float] | None) -> str:
    window = "" if window_min is None else f"; whether it lies within pet_window_min={list(window_min)} is not known"
    return f"one frame, but its sidecar has frame times of several or none that can be: they are not used{window}"


def _numbers(about: Mapping[str, Any], key: str, n_frames: int, name: str) -> NDArray[np.float64] | None:
    """One number a frame, (n_frames,); None where the sidecar has none."""
    if about.get(key) is None:
        return None
    try:
        values = np.atleast_1d(np.asarray(about[key], float))
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"E_FRAMES {name}: {key} is {str(about[key])[:80]}; expected numbers, in seconds") from error
    if values.shape != (n_frames,) or not np.isfinite(values).all():
        raise DataError(
            f"E_FRAMES {name}: {n_frames} frames, but {key} of its sidecar has {values.size} values; "
            "expected one finite number of seconds a frame"
        )
    return values


def _not_beyond_next(start: NDArray, duration: NDArray) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Durations, (n,) in s, that end where the next frame starts: some sidecars give the frames' ends as durations."""
    gap = np.diff(start)
    if start.size == 1 or (duration[:-1] <= gap + OVERLAP_S).all() or not (gap > 0).all():
        return duration, ()
    last = min(duration[-1], gap[-1])
    note = "FrameDuration overlaps the next frame's FrameTimesStart: the time between the starts is used"
    return np.append(np.minimum(duration[:-1], gap), last), (note,)


def _injection_s(about: Mapping[str, Any], name: str) -> float:
    value = about.get("InjectionStart", 0)
    if not isinstance(value, int | float) or not abs(value) < 1e9:
        raise DataError(f"E_FRAMES {name}: InjectionStart is {str(value)[:40]}; expected seconds from TimeZero")
    return float(value)


def _within(middle_s: NDArray, window_min: tuple[float, float], name: str) -> NDArray[np.bool_]:
    """Which frames, (n,), have their middle (s after injection) in the window (min)."""
    chosen = (middle_s >= 60 * window_min[0]) & (middle_s <= 60 * window_min[1])
    if not chosen.any():
        raise DataError(
            f"E_FRAMES {name}: no frame has its middle {window_min[0]:g} to {window_min[1]:g} min after injection "
            f"(pet_window_min); they lie at {', '.join(f'{m / 60:.1f}' for m in middle_s)} min"
        )
    return chosen


def mean_frame(frames: Frames, weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """The weighted mean; NaN where a frame that counts is NaN, infinite, or padded by planes of one value.

    Args:
        frames: (I, J, K) each.
        weights: (n,) with the sum 1, of ``frame_timing``.

    Returns:
        (I, J, K) in the PET's unit.

    Frames that were realigned are padded at different ends; their mean would be too low there. A frame with less than
    half of the mean uptake, such as one before the tracer comes, may be empty and is not looked at.
    """
    chosen = np.flatnonzero(weights).tolist()
    if len(chosen) == 1:  # no sum in float64, which of a whole body is large
        frame = next(frames.each(chosen))[1]
        frame[~np.isfinite(frame)] = np.nan
        return frame
    total, means, padded = np.zeros(frames.grid.shape, np.float64), {}, {}
    for k, frame in frames.each(chosen):
        total += weights[k] * frame
        means[k] = float(np.nan_to_num(frame, posinf=0, neginf=0).mean())
        padded[k] = constant_ends(frame)
    usual = sum(weights[k] * mean for k, mean in means.items())
    ends = [planes for k, planes in padded.items() if means[k] >= FULL_SHARE * usual]
    gone = ~np.isfinite(total)
    for axis in range(3):
        planes = np.logical_or.reduce([frame[axis] for frame in ends]) if ends else np.zeros(total.shape[axis], bool)
        gone |= planes.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.where(gone, np.nan, total).astype(np.float32)


def frame_shift_mm(frames: Frames, weights: NDArray[np.float64], mean: NDArray[np.float32]) -> float:
    """How far the frame that lies farthest from the mean is shifted against it, in mm; rotations do not count.

    By the peak of the cross-correlation on voxels of about 4 mm. 0 for a single frame.

    Args:
        frames: (I, J, K) each.
        weights: (n,); frames of weight 0 are not looked at.
        mean: (I, J, K), of ``mean_frame``.
    """
    from skimage.registration import phase_cross_correlation

    chosen = np.flatnonzero(weights)
    if chosen.size < 2:
        return 0.0
    step = [max(1, round(MOVED_MM / spacing)) for spacing in frames.grid.spacing_mm]
    spacing = np.asarray(step) * frames.grid.spacing_mm
    reference = _binned(mean, step)
    shifts = []
    for _, whole in frames.each(chosen.tolist()):
        frame = _binned(whole, step)
        if not np.ptp(frame) > 0:  # before the tracer comes
            continue
        shifts.append(phase_cross_correlation(reference, frame, upsample_factor=10, normalization=None)[0])
    return float(np.linalg.norm(np.asarray(shifts) * spacing, axis=1).max()) if shifts else 0.0


def _binned(data: NDArray[np.float32], step: list[int]) -> NDArray[np.float32]:
    """Means of blocks of ``step`` voxels of (I, J, K); what is left over at the far edges is left out."""
    i, j, k = (n // s for n, s in zip(data.shape, step, strict=True))
    cut = np.nan_to_num(data[: i * step[0], : j * step[1], : k * step[2]], posinf=0, neginf=0)
    return cut.reshape(i, step[0], j, step[1], k, step[2]).mean((1, 3, 5))
