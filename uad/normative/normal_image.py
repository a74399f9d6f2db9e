"""The mean PET of the controls: what a patient's uptake is compared with in percent, and the PET's colour scale."""

from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from uad.normative.sets import NormativeSet

_ONE_AT_A_TIME = Lock()  # patients are examined side by side and share the mean


def normal_pet(normative: NormativeSet) -> NDArray[np.float32] | None:
    """Mean PET of the members over those in whose brain a voxel lies, (I, J, K), SUVR; NaN where fewer than half do.

    None: the members have no PET.
    """
    if "pet" not in normative.images:
        return None
    with _ONE_AT_A_TIME:
        return _mean(normative)


@lru_cache(maxsize=2)  # the detectors of a comparison share their normative sets
def _mean(normative: NormativeSet) -> NDArray[np.float32]:
    total, n = np.zeros(normative.grid.shape, np.float64), np.zeros(normative.grid.shape, np.int32)
    for scan in normative.scans():
        total += np.where(scan.mask, scan["pet"], 0)
        n += scan.mask
    known = 2 * n >= max(1, len(normative.members))
    return np.where(known, total / np.maximum(n, 1), np.nan).astype(np.float32)


def change_percent(pet: NDArray, normal: NDArray, where: NDArray[np.bool_]) -> float | None:
    """Mean PET against that of the controls in the same voxels, in percent; negative: less; None: nothing to compare.

    Args:
        pet: (I, J, K), SUVR.
        normal: from ``normal_pet``.
        where: (I, J, K), such as a cluster.
    """
    both = where & np.isfinite(normal)
    usual = float(normal[both].mean(dtype=np.float64)) if both.any() else 0.0
    return 100 * (float(pet[both].mean(dtype=np.float64)) / usual - 1) if usual > 0 else None
