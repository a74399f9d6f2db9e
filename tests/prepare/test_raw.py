"""What is found in a raw BIDS folder."""

import pytest

from synthpet.errors import DataError
from synthpet.prepare.raw import read_raw


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_first_of_several_runs_is_taken_and_said(tmp_path):
    make(tmp_path, *(f"sub-01/anat/sub-01_run-{run}_T1w.nii.gz" for run in (10, 2)))
    (person,) = read_raw(tmp_path)
    assert person.t1w.name == "sub-01_run-2_T1w.nii.gz"
    assert person.notes == ("2 T1w, the first is used: anat/sub-01_run-2_T1w.nii.gz",)


def test_t1w_of_sessions_are_found_and_other_images_are_not(tmp_path):
    make(tmp_path, "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii", "sub-01/ses-b/anat/sub-01_ses-b_T2w.nii")
    make(tmp_path, "sub-01/ses-b/anat/sub-01_ses-b_T1w.json")
    (person,) = read_raw(tmp_path)
    assert person.t1w == tmp_path / "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii"
    assert person.notes == ()


def test_a_subject_without_t1w_has_a_problem_that_names_the_folder(tmp_path):
    make(tmp_path, "sub-01/pet/sub-01_pet.nii.gz")
    (person,) = read_raw(tmp_path)
    assert person.t1w is None
    assert person.problem.startswith(f"E_NO_T1W {tmp_path / 'sub-01'}")


def test_an_id_that_bids_forbids_is_a_problem(tmp_path):
    make(tmp_path, "sub-01_x/anat/sub-01_x_T1w.nii")
    assert "E_ID" in read_raw(tmp_path)[0].problem


def test_a_folder_without_subjects_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"E_NO_BIDS .*without sub-\* folders"):
        read_raw(tmp_path)
    with pytest.raises(DataError, match=r"E_NO_BIDS .*no such folder"):
        read_raw(tmp_path / "absent")


TABLE = """participant_id\tage\tgender\tgroup\tsite
sub-01\t39.5\tfemale\tdepr\tA
02\tn/a\tM\tpatient\tn/a
sub-03\t85+\t?\tHC\tB
"""


def test_the_table_gives_age_sex_group_and_site(tmp_path):
    make(tmp_path, *(f"sub-0{i}/anat/sub-0{i}_T1w.nii" for i in (1, 2, 3, 4)))
    (tmp_path / "participants.tsv").write_text(TABLE)
    one, two, three, four = read_raw(tmp_path, control_groups=["HC"])
    assert (one.subject.age, one.subject.sex, one.subject.site) == (39.5, "F", "A")
    assert (one.subject.group, one.subject.role) == ("control", "unpaired")
    assert one.notes == ("group 'depr' taken as control",)
    assert (two.subject.group, two.subject.role, two.subject.age) == ("patient", "patient", None)
    assert three.subject.group == "control"
    assert three.notes == ("age '85+' is not a number, left out", "sex '?' is not F or M, left out")
    assert (four.subject.group, four.notes) == ("control", ())


def test_a_person_who_stands_twice_in_the_table_is_refused(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_T1w.nii")
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-01\t3\n01\t4\n")
    with pytest.raises(DataError, match=r"E_DUP_ID .*sub-01"):
        read_raw(tmp_path)


def test_masks_are_found_by_a_pattern_and_a_missing_one_is_a_problem(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_T1w.nii", "sub-02/anat/sub-02_T1w.nii")
    make(tmp_path, "derivatives/bet/sub-01/anat/sub-01_mask.nii.gz")
    one, two = read_raw(tmp_path, brain_mask="derivatives/bet/{participant_id}/**/*_mask.nii.gz")
    assert one.brain_mask == tmp_path / "derivatives/bet/sub-01/anat/sub-01_mask.nii.gz"
    assert two.problem.startswith("E_MASK sub-02: 0 files match")
