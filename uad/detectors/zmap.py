"""The voxel z-map: of the PET what clinics use, of the T1 what can be said without a PET."""

from dataclasses import dataclass

from synthpet.cohort.modality import modality
from synthpet.cohort.scan import Scan
from uad.detectors.deviation import Measure, Options, PetDeviation


@dataclass(frozen=True)
class ZMapOptions(Options):
    """``image``: the modality that is measured, such as pet (SUVR) or t1w (scaled).

    Raises:
        UsageError: no such modality.
    """

    image: str = "pet"

    def __post_init__(self) -> None:
        modality(self.image)


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

    def measure(self, scan: Scan) -> Measure:
        """The image, smoothed within the brain."""
        return self._smooth(scan[self.image], scan.mask), scan.mask
