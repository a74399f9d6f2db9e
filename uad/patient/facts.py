"""What a page says about the examination itself: the person, the PET, and how well the images lie on each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthpet.cohort import Cohort, Subject
from synthpet.cohort.names import sidecar_path
from synthpet.cohort.text import read_json_object
from synthpet.prepare.qc.person import NUMBERS

PET_TOLD = {
    "TracerName": "",
    "ReconMethodName": "reconstructed by ",
    "AttenuationCorrection": "attenuation correction: ",
}
AGE_MARGIN = 5.0  # years beyond the controls' that are let pass


@dataclass(frozen=True)
class Who:
    """A person in words, beside the controls.

    Args:
        age: in years; None: not known.
        sex: F or M; None: not known.
        ages: of the controls, in years.
    """

    age: float | None
    sex: str | None
    ages: tuple[float, ...]

    @classmethod
    def of(cls, cohort: Cohort, age: float | None, sex: str | None) -> "Who":
        """With the ages of the cohort's controls that are known."""
        controls = cohort.select("paired", "unpaired", "heldout")
        return cls(age, sex, tuple(c.age for c in controls if c.age is not None))

    @classmethod
    def in_cohort(cls, cohort: Cohort, subject: Subject) -> "Who":
        """Of a person who is in the cohort's table."""
        return cls.of(cohort, subject.age, subject.sex)

    def words(self) -> str:
        """Age and sex; empty: nothing is known."""
        known = [f"{self.age:.0f} years" if self.age is not None else "", self.sex or ""]
        controls = f"controls {min(self.ages):.0f} to {max(self.ages):.0f} years" if self.ages else ""
        return "; ".join(filter(None, [", ".join(filter(None, known)), controls])) if any(known) else ""

    def warning(self) -> list[str]:
        """That no control is near this age; empty: some are, or it is not known."""
        if self.age is None or not self.ages:
            return []
        if min(self.ages) - AGE_MARGIN <= self.age <= max(self.ages) + AGE_MARGIN:
            return []
        return [
            f"AGE: this person is {self.age:.0f} years old, and the controls are {min(self.ages):.0f} to "
            f"{max(self.ages):.0f}. What is normal at that age has not been learned: uptake and shape change with age, "
            "and what stands out here may be nothing else."
        ]


def facts(who: Who, images: Mapping[str, Path]) -> dict[str, str]:
    """What is known of an examination, by name; what is not known is left out.

    Args:
        who: the person.
        images: by modality, as they were examined; read are the sidecars beside them, and what quality control found.
    """
    t1w, pet = _about(images["t1w"]), _about(images["pet"]) if "pet" in images else {}
    numbers = _numbers(images["t1w"])
    found = {
        "Person": who.words(),
        "PET": ", ".join(f"{words}{pet[key]}" for key, words in PET_TOLD.items() if pet.get(key)),
        "Uptake in units of": str(pet.get("SUVRReferenceRegion", "")),
        "Resolution of the PET": _resolution(pet),
        "Voxels": str(t1w.get("Resolution", "")),
        "T1 on the template": _fit(numbers, "similarity", "t1w_shift_mm", "t1w_turn_deg", "the template"),
        "PET on the T1": _fit(numbers, "pet_fit", "pet_shift_mm", "pet_turn_deg", "what its tissues explain"),
        "Brain volume": f"{numbers['native_brain_ml']:.0f} mL" if numbers.get("native_brain_ml") else "",
    }
    return {name: words for name, words in found.items() if words}


def _about(image: Path) -> Mapping[str, Any]:
    beside = sidecar_path(image)
    return read_json_object(beside) if beside.is_file() else {}


def _numbers(t1w: Path) -> Mapping[str, float | None]:
    """Of quality control, which lies in the person's folder."""
    found = t1w.parent.parent / NUMBERS
    return dict(read_json_object(found).get("Numbers", {})) if found.is_file() else {}


def _resolution(pet: Mapping[str, Any]) -> str:
    width = pet.get("PointSpreadFunctionFWHM")
    if width is None:
        return ""
    smoothed = pet.get("SmoothedByFWHM")
    return f"{width:.1f} mm FWHM" + (f", smoothed by {smoothed:.1f} mm here" if smoothed else "")


def _fit(numbers: Mapping[str, float | None], fit: str, shift: str, turn: str, other: str) -> str:
    values: Sequence[float | None] = [numbers.get(key) for key in (fit, shift, turn)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return ""
    return f"correlation with {other} {known[0]:.2f}; would fit better by {known[1]:.1f} mm and {known[2]:.1f}°"
