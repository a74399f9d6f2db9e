"""The voxel z-map: of the PET what clinics use, of the T1 what can be said without a PET."""

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from synthpet.errors import UsageError
from uad.detectors.deviation import Measure, Options, PetDeviation

MEASURED = ("pet", "t1w")


class ZMap(PetDeviation):
    """One smoothed image against that of the controls (Crawford-Howell t at each voxel); the other is not read.

    Args:
        image: pet (SUVR), or t1w (as scaled by ``scale_t1w``): what is measured.
        options: of ``PetDeviation``; of the T1, the direction hypo means darker.

    Raises:
        UsageError: another image.
    """

    def __init__(self, *, image: str = "pet", **options: Unpack[Options]) -> None:
        if image not in MEASURED:
            raise UsageError(f"detector.image={image}: expected one of {', '.join(MEASURED)}")
        super().__init__(**options)
        self.image = image

    def measure(self, t1w: NDArray[np.float32], pet: NDArray[np.float32], mask: NDArray[np.bool_]) -> Measure:
        """The image, smoothed within the brain."""
        return self._smooth(pet if self.image == "pet" else t1w, mask), mask
