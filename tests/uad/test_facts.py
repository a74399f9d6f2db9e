"""What a page says about the person and the images, from sidecars and quality control."""

from dataclasses import replace

import pytest

from synthpet.cohort import Subject
from synthpet.cohort.files import write_json
from uad.patient.facts import Who, facts

WHO = Who(34.0, "F", (20.0, 61.0))


def test_age_and_sex_stand_beside_the_ages_of_the_controls(cohort):
    assert WHO.words() == "34 years, F; controls 20 to 61 years"
    assert replace(WHO, age=None).words() == "F; controls 20 to 61 years"
    assert replace(WHO, age=None, sex=None).words() == ""
    subject = Subject("sub-07", "patient", "patient", 40.0, "M", "siteA")
    assert Who.in_cohort(cohort, subject) == Who(40.0, "M", tuple(30.0 + k for k in range(7)))


@pytest.mark.parametrize(("age", "warned"), [(9.0, True), (16.0, False), (66.0, False), (80.0, True), (None, False)])
def test_a_person_of_an_age_that_no_control_has_is_warned_of(age, warned):
    found = replace(WHO, age=age).warning()
    assert bool(found) == warned
    assert not warned or f"AGE: this person is {age:.0f} years old, and the controls are 20 to 61" in found[0]


def test_what_sidecars_and_quality_control_know_is_told(tmp_path):
    t1w, pet = tmp_path / "sub-1/anat/sub-1_T1w.nii.gz", tmp_path / "sub-1/pet/sub-1_pet.nii.gz"
    for path in (t1w, pet):
        path.parent.mkdir(parents=True)
    images = {"t1w": t1w, "pet": pet}
    assert facts(replace(WHO, age=None, sex=None), images) == {}
    about = {"TracerName": "FDG", "ReconMethodName": "OSEM", "SUVRReferenceRegion": "cerebellum"}
    write_json(pet.with_name("sub-1_pet.json"), about | {"PointSpreadFunctionFWHM": 6.0, "SmoothedByFWHM": 3.5})
    numbers = {"similarity": 0.93, "t1w_shift_mm": 0.4, "t1w_turn_deg": 0.2, "pet_fit": 0.8, "native_brain_ml": 1402.4}
    write_json(tmp_path / "sub-1/qc.json", {"Numbers": numbers, "Notes": []})
    found = facts(WHO, images)
    assert found["PET"] == "FDG, reconstructed by OSEM" and found["Uptake in units of"] == "cerebellum"
    assert found["Resolution of the PET"] == "6.0 mm FWHM, smoothed by 3.5 mm here"
    assert found["T1 on the template"] == "correlation with the template 0.93; would fit better by 0.4 mm and 0.2°"
    assert "PET on the T1" not in found and found["Brain volume"] == "1402 mL"  # half a measure is none
