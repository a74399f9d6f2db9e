"""Options of ``uad.detect``."""

from dataclasses import dataclass

from uad.detectors.options import DetectorOptions
from uad.findings.options import EvaluationStudy


@dataclass(frozen=True, kw_only=True)
class DetectionStudy(EvaluationStudy):
    """One new patient.

    Args:
        t1w: the patient's T1, raw or on the cohort's grid.
        pet: the FDG PET; None: there is none.
        flair: a FLAIR in the same state as the T1; None: there is none.
        mask: brain mask on the T1's grid.
        brain_mask_command: program that writes one for a raw T1.
        patient_age: in years, for the page: whether the controls are of this age; None: not known.
        patient_sex: F or M, for the page; None: not known.
        name: of the results' folder; None: told from the T1's name.
        force: also images of a control that was learned from, and a synthetic PET.
        t1w_detector: the detector that examines a T1 alone; None where there is a PET.
    """

    t1w: str | None
    pet: str | None
    flair: str | None
    mask: str | None
    brain_mask_command: str | None
    patient_age: float | None
    patient_sex: str | None
    name: str | None
    force: bool
    t1w_detector: DetectorOptions | None = None
