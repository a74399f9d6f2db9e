"""The voxel z-map of the PET: what clinics use."""

import numpy as np
from numpy.typing import NDArray

from uad.rivals.deviation import Measure, PetDeviation


class ZMap(PetDeviation):
    """The smoothed PET itself against that of the controls (Crawford-Howell t at each voxel); the T1 is not read."""

    def measure(self, t1w: NDArray[np.float32], pet: NDArray[np.float32], mask: NDArray[np.bool_]) -> Measure:
        """Smoothed SUVR within the brain."""
        return self._smooth(pet, mask), mask
