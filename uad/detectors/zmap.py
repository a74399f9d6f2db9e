"""The voxel z-map: of the PET what clinics use, of the T1 what can be said without a PET."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthpet.errors import UsageError
from uad.detectors.deviation import Measure, Options, PetDeviation

MEASURED = ("pet", "t1w")


@dataclass(frozen=True)
class ZMapOptions(Options):
    """``image``: pet (SUVR), or t1w (as scaled by ``scale_t1w``): what is measured.

    Raises:
        UsageError: another image.
    """

    image: str = "pet"

    def __post_init__(self) -> None:
        if self.image not in MEASURED:
            raise UsageError(f"detector.image={self.image}: expected one of {', '.join(MEASURED)}")


class ZMap(PetDeviation):
    """One smoothed image against that of the controls (Crawford-Howell t at each voxel); the other is not read.

    Args:
        options: of ``ZMapOptions``, by name; of the T1, the direction hypo means darker.
    """

    Options = ZMapOptions
    options: ZMapOptions

    @property
    def image(self) -> str:  # type: ignore[override]
        """What the signed map is about."""
        return self.options.image

    def measure(self, t1w: NDArray[np.float32], pet: NDArray[np.float32], mask: NDArray[np.bool_]) -> Measure:
        """The image, smoothed within the brain."""
        return self._smooth(pet if self.image == "pet" else t1w, mask), mask
