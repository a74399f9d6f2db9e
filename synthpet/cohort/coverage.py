"""What of an image was measured, and what is padding: the one definition for raw images, cohorts and detectors.

Images are padded by 0, by NaN, by what an integer file with an intercept makes of 0, by constant or repeated planes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FACE_SHARE = 0.1  # of one side of the image that one value fills: that value is padding
ALIKE = 1e-4  # of the image's 99th percentile: values that differ by less count as one
FLOOR = 1e-3  # SUVR of what was measured as 0 or less: exactly 0 means not measured


def unmeasured(data: NDArray[np.float32], missing: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Where an image holds padding: one value that fills a part of a side of the image and reaches in from there.

    A value enclosed by others was measured.

    Args:
        data: (I, J, K), finite.
        missing: (I, J, K), NaN or infinite in the file.

    Returns:
        (I, J, K).
    """
    common = {float(_most_common(side)) for side in _sides(data)}
    others = np.abs(data[~np.isin(data, np.array(list(common), np.float32))])
    alike = ALIKE * float(np.percentile(others, 99)) if others.size else 0.0
    empty = (data == 0) if missing is None else (data == 0) | missing
    for value in common - {float(np.float32(FLOOR))}:  # which was measured
        near = [np.abs(side - np.float32(value)) <= alike for side in _sides(data)]
        if max(where.mean() for where in near) >= FACE_SHARE:
            empty |= np.abs(data - np.float32(value)) <= alike
    found = _reaching_border(empty)
    for axis in range(data.ndim):
        planes = _constant_planes(data, axis, alike) | _repeated_planes(data, axis)
        if not planes.all():
            found |= planes.reshape([-1 if a == axis else 1 for a in range(data.ndim)])
    return found


def without_padding(suvr: NDArray[np.float32]) -> NDArray[np.float32]:
    """A cohort's PET, (I, J, K), exactly 0 where nothing was measured, whatever its padding was."""
    return np.where(unmeasured(suvr), np.float32(0), suvr)


def constant_ends(data: NDArray[np.float32]) -> list[NDArray[np.bool_]]:
    """By axis, which planes from the ends of an image inwards hold one value each; none of them where all do.

    Args:
        data: (I, J, K).

    Returns:
        (I,), (J,) and (K,).
    """
    found = []
    for axis in range(data.ndim):
        planes = _constant_planes(data, axis, 0.0)
        ends = np.logical_and.accumulate(planes) | np.logical_and.accumulate(planes[::-1])[::-1]
        found.append(ends if not planes.all() else np.zeros_like(planes))
    return found


def _sides(data: NDArray) -> list[NDArray]:
    """The six outermost planes of (I, J, K): first and last along each axis."""
    return [data.take(side, axis) for axis in range(data.ndim) for side in (0, -1)]


def _most_common(side: NDArray[np.float32]) -> np.float32:
    """The most common value of a plane, (n, m)."""
    values, counts = np.unique(side, return_counts=True)
    return values[counts.argmax()]


def _reaching_border(empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of ``empty`` (I, J, K) that reaches the border of the image."""
    labels, n = ndimage.label(empty)
    if n == 0:
        return empty
    outside = np.zeros(n + 1, bool)
    outside[np.unique(np.concatenate([side.ravel() for side in _sides(labels)]))] = True
    outside[0] = False
    return outside[labels]


def _constant_planes(data: NDArray[np.float32], axis: int, alike: float) -> NDArray[np.bool_]:
    """Which planes of (I, J, K) across an axis hold one value, (n,)."""
    others = tuple(a for a in range(data.ndim) if a != axis)
    with np.errstate(invalid="ignore"):  # of infinite voxels, which are missing anyway
        return np.asarray(data.max(others) - data.min(others) <= alike)


def _repeated_planes(data: NDArray[np.float32], axis: int) -> NDArray[np.bool_]:
    """Which planes from the image's ends inwards are copies of the next, (n,): padding by the outermost plane."""
    n = data.shape[axis]
    found = np.zeros(n, bool)
    for order in (range(n), range(n - 1, -1, -1)):
        for k, following in zip(order, list(order)[1:], strict=False):
            if not np.array_equal(data.take(k, axis), data.take(following, axis)):
                break
            found[k] = True
    return found
