"""What pages say of who was taken as what and which images are used."""

from synthpet.prepare.decisions import decisions_table, of_person, who_is_who
from synthpet.prepare.raw import read_raw
from tests.prepare.trees import make


def test_group_images_and_choices_of_a_person_come_with_their_reasons(tmp_path):
    for session in ("postop", "preop"):
        make(tmp_path, f"sub-01/ses-{session}/anat/sub-01_ses-{session}_T1w.nii.gz")
    make(tmp_path, "sub-01/ses-preop/pet/sub-01_ses-preop_trc-18FFDG_pet.nii.gz")
    (tmp_path / "participants.tsv").write_text("participant_id\tdiagnosis\n1\tFCD\n")
    raw = read_raw(tmp_path)
    assert who_is_who(raw.people) == ["1 taken as patient: diagnosis 'FCD' in participants.tsv"]
    assert of_person(raw.people[0]) == [
        "Taken as patient, role patient: diagnosis 'FCD' in participants.tsv.",
        "T1w: sub-01/ses-preop/anat/sub-01_ses-preop_T1w.nii.gz",
        "PET: sub-01/ses-preop/pet/sub-01_ses-preop_trc-18FFDG_pet.nii.gz",
        "T1w and PET of ses-preop (before surgery), not of ses-postop",
    ]
    ((who, taken, why, images),) = decisions_table(raw.people).rows
    assert (who, taken, why) == ("sub-01", "patient, patient", "diagnosis 'FCD' in participants.tsv")
    assert "not of ses-postop" in images
