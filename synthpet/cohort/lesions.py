"""What the values of a lesion mask mean: 0 and 1, 0 and 255, a probability; anything else only by a label named."""

import numpy as np
from numpy.typing import NDArray

from synthpet.errors import DataError, UsageError

FULL = (1.0, 255.0)  # values of a lesion in a mask of two values
ALIKE = 1e-3  # of a value: what a scale factor makes of it
PERCENT = "percent"  # the label that says: percent, a lesion from 50 on
SHOWN = 6  # values in a message

Label = float | str | None


def check_label(value: object) -> Label:
    """The option ``lesion_label``: a number, ``percent`` or None.

    Raises:
        UsageError: anything else.
    """
    if value is None or value == PERCENT:
        return None if value is None else PERCENT
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not np.isfinite(number) or number == 0:
        raise UsageError(
            f"lesion_label={str(value)[:40]!r}: expected the value that lesions have in the masks (a number other than "
            f"0), {PERCENT}, or null"
        )
    return number


def lesion_voxels(values: NDArray[np.float32], name: str, label: Label = None) -> tuple[NDArray[np.bool_], str]:
    """Where a mask says that there is a lesion.

    Args:
        values: (I, J, K), as they are in the file.
        name: the subject and its file, for messages.
        label: from ``check_label``; None: the values have to speak for themselves.

    Returns:
        (I, J, K), and how it was understood where that is worth saying. A mask of zeros is an empty one.

    Raises:
        DataError: values that could mean several things, or that hold no lesion.
    """
    if not values.any():
        return np.zeros(values.shape, bool), ""
    found = np.unique(values)
    if label == PERCENT:
        lesion, words = _percent(values, found, name), "percent, a lesion from 50 on"
    elif label is not None:
        lesion, words = _is(values, float(label)), f"a lesion where it is {float(label):g} (lesion_label)"
    elif len(found) == 2 and found[0] == 0 and any(_is(found[1:], full).all() for full in FULL):
        return values != 0, ""
    elif found[0] >= 0 and found[-1] <= 1 + ALIKE and len(found) > 2:
        lesion, words = values >= 0.5, "a probability, a lesion from 0.5 on"
    else:
        raise _unclear(found, name)
    if not lesion.any():
        raise DataError(f"E_LESION {name}: nowhere {words}; it holds {_shown(found)}; check lesion_label and the mask")
    return lesion, f"lesion mask: {words}"


def _is(values: NDArray[np.float32], number: float) -> NDArray[np.bool_]:
    """Where values (I, J, K) are a number, (I, J, K)."""
    return np.abs(values - number) <= ALIKE * abs(number)


def _percent(values: NDArray[np.float32], found: NDArray[np.float32], name: str) -> NDArray[np.bool_]:
    """Where per cents (I, J, K) make a lesion; ``found``: the different values, (n,), ascending."""
    if found[0] < 0 or found[-1] > 100 * (1 + ALIKE):
        raise DataError(f"E_LESION {name}: lesion_label={PERCENT}, but it holds {_shown(found)}; expected 0 to 100")
    return values >= 50


def _unclear(found: NDArray[np.float32], name: str) -> DataError:
    return DataError(
        f"E_LESION {name}: it holds {_shown(found)}; expected a mask of 0 and 1, of 0 and 255, or a probability. "
        f"Write it so, or tell synthpet.prepare what a lesion is: lesion_label={found[-1]:g}, or lesion_label={PERCENT}"
    )


def _shown(found: NDArray[np.float32]) -> str:
    if len(found) == 1:
        return f"only the value {found[0]:g}"
    if len(found) <= SHOWN:
        return f"the values {', '.join(f'{value:g}' for value in found)}"
    return f"{len(found)} values from {found[0]:g} to {found[-1]:g}"
