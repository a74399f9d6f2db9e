"""How images are shown: which side is left, and the colours of the PET."""

from dataclasses import dataclass

from synthpet.report.scales import PET_COLOURS
from synthpet.runtime.options import Options

RADIOLOGICAL = "radiological"


@dataclass(frozen=True)
class Display(Options):
    """What readers are used to.

    Args:
        convention: neurological: the patient's left is on the left of axial and coronal pictures; radiological: on the
            right.
        pet_colours: inferno; gray_r: the more uptake, the blacker; hot: hot iron.
    """

    convention: str = "neurological"
    pet_colours: str = PET_COLOURS

    @property
    def radiological(self) -> bool:
        """Whether axial and coronal pictures are mirrored."""
        return self.convention == RADIOLOGICAL

    def sides(self) -> str:
        """Which side is which, in a sentence."""
        side = "RIGHT" if self.radiological else "left"
        return f"Left of the picture: {side} of the patient, the {self.convention} convention (L and R: the patient's)."
