"""The left-right asymmetry index of the PET against that of the controls."""

from typing import Self

import numpy as np

from synthpet.cohort import Cohort
from synthpet.cohort.scan import Scan
from uad.detectors.deviation import Measure, PetDeviation
from uad.normative.sets import NormativeSet

FLOOR_SUVR = 0.2  # Not in the paper: least mean of a voxel and its mirror image; the index divides by it


class Asymmetry(PetDeviation):
    """100 (x - mirror) / mean of the two, in percent, of the smoothed PET; blind to what both sides share.

    The template is symmetric about x = 0, so the mirror image of a voxel is that of the flipped first axis.
    """

    def fit(self, normative: NormativeSet, cohort: Cohort) -> Self:
        """As ``PetDeviation.fit``.

        Raises:
            GridMismatchError: the grid does not mirror about x = 0.
        """
        cohort.grid.check_mirrors()
        super().fit(normative, cohort)
        return self

    def measure(self, scan: Scan) -> Measure:
        """The index in percent, where both a voxel and its mirror image are in the brain."""
        both = scan.mask & scan.mask[::-1]
        smooth = self._smooth(scan["pet"], scan.mask)
        mirror = smooth[::-1]
        index = 100 * (smooth - mirror) / np.maximum((smooth + mirror) / 2, FLOOR_SUVR)
        return np.where(both, index, 0).astype(np.float32), both
