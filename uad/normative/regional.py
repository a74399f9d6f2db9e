"""PET uptake by gyrus and nucleus: of one person, and of the controls of a normative set."""

from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid
from synthpet.template.gyri import gyrus_points, named_gyri
from uad.normative.sets import NormativeSet

SMALLEST_MM3 = 500.0  # Not in a paper: of a region's template grey matter; leaves out the pallidum, most of it white
LEAST_SHARE = 0.5  # Not in a paper: of a region's voxels; healthy people's masks leave out up to 0.4 of the poles
FEWEST_MEASURED = 3  # controls with measured PET; with fewer, synthetic ones count, too
_ONE_AT_A_TIME = Lock()  # patients are examined side by side and share the controls


@dataclass(frozen=True)
class RegionalControls:
    """Mean uptake of controls by region.

    Args:
        suvr: (n, regions, 2), left and right, SUVR; NaN: not covered.
        measured: whether nobody's PET is synthetic.
    """

    suvr: NDArray[np.float64]
    measured: bool


def regional_suvr(pet: NDArray, mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Mean PET of the gyri and nuclei of ``gyrus_points().names`` on the left and on the right, (regions, 2), SUVR.

    NaN: less than ``SMALLEST_MM3`` in the template, or less than ``LEAST_SHARE`` of it covered by this person.

    Args:
        pet: (I, J, K), exactly 0 where nothing was measured.
        mask: (I, J, K), brain.
        grid: of both, in template space.
    """
    labels, n = named_gyri(grid).labels, 2 * len(gyrus_points().names)
    covered = np.asarray(mask, bool) & (labels > 0) & (pet != 0) & np.isfinite(pet)
    whole = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    here = np.bincount(labels[covered], minlength=n + 1)[1:]
    total = np.bincount(labels[covered], weights=pet[covered].astype(np.float64), minlength=n + 1)[1:]
    enough = (whole * float(np.prod(grid.spacing_mm)) >= SMALLEST_MM3) & (here >= LEAST_SHARE * whole) & (here > 0)
    return np.where(enough, total / np.maximum(here, 1), np.nan).reshape(-1, 2)


def regional_controls(normative: NormativeSet) -> RegionalControls | None:
    """The controls' regional means: of those with measured PET, or of all where these are fewer than three.

    None: the members have no PET. Read once in a process.
    """
    if "pet" not in normative.images:
        return None
    with _ONE_AT_A_TIME:
        return _of_members(normative)


@lru_cache(maxsize=2)  # the detectors of a comparison share their normative sets
def _of_members(normative: NormativeSet) -> RegionalControls:
    measured = [member for member in normative.members if member.synthetic != "pet"]
    enough = len(measured) >= FEWEST_MEASURED
    members = measured if enough else normative.members
    alone = [replace(member, images=(("pet", member.path("pet")),)) for member in members]  # nothing else is read
    scans = map(normative.load, alone)
    means = [regional_suvr(scan["pet"], scan.mask, normative.grid) for scan in scans]
    empty = np.zeros((0, len(gyrus_points().names), 2))
    return RegionalControls(np.stack(means) if means else empty, enough or len(measured) == len(normative.members))
