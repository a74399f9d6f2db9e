"""Folders of other tools, and plain ones by patterns."""

import pytest

from synthpet.errors import DataError, UsageError
from synthpet.prepare.raw import RawOptions, read_raw
from synthpet.prepare.raw.layouts import compile_pattern
from tests.prepare.trees import make, with_sidecar

SPACE = "space-MNI152NLin2009cSym"


def names(person) -> list[str | None]:
    images = (person.t1w, person.pet, person.flair, person.brain_mask)
    return [path.name if path else None for path in images]


def reasons(raw) -> list[str]:
    return [line.reason for line in raw.not_used]


def test_clinica_linear_pipelines_are_recognised(tmp_path):
    session = "subjects/sub-A1/ses-M000"
    stem = "sub-A1_ses-M000"
    make(tmp_path, f"{session}/t1_linear/{stem}_{SPACE}_desc-Crop_res-1x1x1_T1w.nii.gz")
    make(tmp_path, f"{session}/t1_linear/{stem}_{SPACE}_res-1x1x1_T1w.nii.gz")
    make(tmp_path, f"{session}/flair_linear/{stem}_{SPACE}_desc-Crop_res-1x1x1_flair.nii.gz")
    make(tmp_path, f"{session}/pet_linear/{stem}_trc-18FFDG_{SPACE}_desc-Crop_res-1x1x1_suvr-pons2_pet.nii.gz")
    make(tmp_path, f"{session}/pet_linear/{stem}_trc-18FAV45_{SPACE}_desc-Crop_res-1x1x1_suvr-pons2_pet.nii.gz")
    make(tmp_path, f"{session}/pet_linear/{stem}_trc-18FFDG_space-T1w_pet.nii.gz")
    raw = read_raw(tmp_path)
    assert raw.layout == "caps"
    (person,) = raw.people
    assert names(person)[0] == f"{stem}_{SPACE}_res-1x1x1_T1w.nii.gz"
    assert names(person)[1] == f"{stem}_trc-18FFDG_{SPACE}_desc-Crop_res-1x1x1_suvr-pons2_pet.nii.gz"
    assert names(person)[2] == f"{stem}_{SPACE}_desc-Crop_res-1x1x1_flair.nii.gz"
    assert person.subject.participant_id == "sub-A1"
    assert sorted(reasons(raw)) == [
        "another T1w of this person is used",
        "not in the space of the T1w that is used (MNI152NLin2009cSym)",
        "tracer 18FAV45; expected 18FFDG",
    ]


def test_older_clinica_names_with_the_source_suffix_and_acq_fdg_are_understood(tmp_path):
    session = "subjects/sub-A1/ses-M00"
    make(tmp_path, f"{session}/t1_linear/sub-A1_ses-M00_T1w_{SPACE}_desc-Crop_res-1x1x1_T1w.nii.gz")
    make(tmp_path, f"{session}/pet_linear/sub-A1_ses-M00_task-rest_acq-fdg_pet_{SPACE}_res-1x1x1_suvr-pons_pet.nii.gz")
    (person,) = read_raw(tmp_path).people
    assert None not in names(person)[:2]


def test_clinica_volume_pipelines_give_t1_pet_and_brain_mask_of_one_space(tmp_path):
    session, stem, ixi = "subjects/sub-A1/ses-M000", "sub-A1_ses-M000", "space-Ixi549Space"
    make(tmp_path, f"{session}/t1_linear/{stem}_{SPACE}_res-1x1x1_T1w.nii.gz")
    segmentation = f"{session}/t1/spm/segmentation/normalized_space"
    make(tmp_path, f"{segmentation}/{stem}_{ixi}_T1w.nii.gz")
    make(tmp_path, f"{segmentation}/{stem}_segm-graymatter_{ixi}_modulated-off_probability.nii.gz")
    pet = f"{session}/pet/preprocessing/group-X/{stem}_trc-18FFDG_{ixi}"
    make(tmp_path, f"{pet}_suvr-pons_pet.nii.gz", f"{pet}_suvr-pons_mask-brain_pet.nii.gz", f"{pet}_pvc-rbv_pet.nii.gz")
    make(tmp_path, f"{pet}_brainmask.nii.gz")
    (person,) = read_raw(tmp_path).people
    assert names(person) == [
        f"{stem}_{ixi}_T1w.nii.gz",
        f"{stem}_trc-18FFDG_{ixi}_suvr-pons_pet.nii.gz",
        None,
        f"{stem}_trc-18FFDG_{ixi}_brainmask.nii.gz",
    ]


def test_petprep_outputs_are_recognised_and_their_brain_mask_is_used(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz", "sub-01/anat/sub-01_desc-brain_mask.nii.gz")
    make(tmp_path, "sub-01/anat/sub-01_desc-ribbon_mask.nii.gz", "sub-01/anat/sub-01_label-GM_probseg.nii.gz")
    template = "space-MNI152NLin2009cAsym"
    make(tmp_path, f"sub-01/anat/sub-01_{template}_desc-preproc_T1w.nii.gz")
    for session in ("baseline", "blocked"):
        stem = f"sub-01/ses-{session}/pet/sub-01_ses-{session}"
        with_sidecar(tmp_path, f"{stem}_space-T1w_desc-preproc_pet.nii.gz", TracerName="FDG")
        make(tmp_path, f"{stem}_{template}_desc-preproc_pet.nii.gz", f"{stem}_desc-brain_mask.nii.gz")
        make(tmp_path, f"{stem}_desc-hmc_petref.nii.gz")
    raw = read_raw(tmp_path)
    assert raw.layout == "petprep"
    assert raw.people[0].problem.startswith("E_SESSION sub-01: T1w in no session, PET in ses-baseline, ses-b")
    raw = read_raw(tmp_path, RawOptions(session="baseline"))
    (person,) = raw.people
    assert names(person) == [
        "sub-01_desc-preproc_T1w.nii.gz",
        "sub-01_ses-baseline_space-T1w_desc-preproc_pet.nii.gz",
        None,
        "sub-01_desc-brain_mask.nii.gz",
    ]
    assert person.notes == ("PET of ses-baseline, T1w of no session",)
    assert len(reasons(raw)) == 10


def test_the_table_of_the_raw_folder_serves_its_derivatives(tmp_path):
    outputs = tmp_path / "derivatives" / "petprep"
    make(outputs, "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")
    (tmp_path / "participants.tsv").write_text("participant_id\tgroup\nsub-01\tpatient\n")
    (person,) = read_raw(outputs).people
    assert person.subject.group == "patient"


def test_plain_folders_are_read_by_patterns(tmp_path):
    make(tmp_path, "P_01/mri/T1.nii.gz", "P_01/pet/FDG.nii.gz", "P_02/mri/T1.nii.gz", "P_02/old/T1.nii.gz")
    make(tmp_path, "masks/deep/P_01_brain.nii.gz")
    patterns = {
        "t1w": "{label}/mri/T1.nii.gz",
        "pet": "{label}/pet/*.nii.gz",
        "brain_mask": "masks/**/{label}_brain.nii.gz",
    }
    (tmp_path / "table.tsv").write_text("participant_id\tgroup\nP_01\tcontrol\nP_02\tpatient\n")
    raw = read_raw(tmp_path, RawOptions(patterns=patterns, participants=tmp_path / "table.tsv"))
    one, two = raw.people
    assert raw.layout == "patterns"
    assert (one.subject.participant_id, one.subject.role) == ("sub-P01", "paired")
    assert names(one) == ["T1.nii.gz", "FDG.nii.gz", None, "P_01_brain.nii.gz"]
    assert one.source(one.t1w) == "P_01/mri/T1.nii.gz"
    assert two.subject.group == "patient"
    assert "E_MASK sub-P02" in two.problem
    assert reasons(raw) == ["no pattern matches it"]


def test_names_of_plain_folders_tell_contrast_agent_and_surgery(tmp_path):
    make(tmp_path, "P1/postop/T1.nii.gz", "P1/before/T1.nii.gz", "P1/before/T1_gado.nii.gz", "P1/before/FDG.nii.gz")
    make(tmp_path, "P1/before/FDG_NAC.nii.gz", "P2/postop/T1.nii.gz", "P2/before/FDG.nii.gz")
    one, two = read_raw(
        tmp_path, RawOptions(patterns={"t1w": "{label}/*/T1*.nii.gz", "pet": "{label}/*/F*.nii.gz"})
    ).people
    assert (one.t1w, one.pet) == (tmp_path / "P1/before/T1.nii.gz", tmp_path / "P1/before/FDG.nii.gz")
    assert "T1_gado.nii.gz (40 x 40 x 40 mm, contrast agent (its name))" in one.notes[0]
    assert two.problem.startswith(
        "E_SESSION sub-P2: T1w in no session was taken after surgery, PET in no session is not"
    )


def test_patterns_without_placeholder_are_one_person_named_after_the_folder(real_data):
    patterns = {"t1w": "T1w.nii.gz", "flair": "FLAIR.nii.gz", "lesion_mask": "lesion_mask.nii.gz"}
    (person,) = read_raw(real_data / "ms-lesions", RawOptions(patterns=patterns)).people
    assert person.subject.participant_id == "sub-mslesions"
    assert (person.flair.name, person.lesion_mask.name) == ("FLAIR.nii.gz", "lesion_mask.nii.gz")


def test_folders_that_become_one_id_are_a_problem_of_that_person(tmp_path):
    make(tmp_path, "P_1/T1.nii.gz", "P1/T1.nii.gz", "P2/T1.nii.gz")
    one, two = read_raw(tmp_path, RawOptions(patterns={"t1w": "{label}/T1.nii.gz"})).people
    assert one.problem.startswith("E_ID sub-P1: stands for several folders (P1, P_1)")
    assert two.problem == ""


def test_a_pattern_has_to_tell_people_apart_and_to_match_somebody(tmp_path):
    make(tmp_path, "a/T1.nii.gz")
    with pytest.raises(UsageError, match=r"pet='\*/pet.nii.gz': expected .*\{participant_id\}"):
        read_raw(tmp_path, RawOptions(patterns={"t1w": "{label}/T1.nii.gz", "pet": "*/pet.nii.gz"}))
    with pytest.raises(UsageError, match="subject"):
        read_raw(tmp_path, RawOptions(patterns={"t1w": "{subject}/T1.nii.gz"}))
    with pytest.raises(UsageError, match="layout=patterns: expected t1w="):
        read_raw(tmp_path, RawOptions(layout="patterns"))
    with pytest.raises(DataError, match="none of 1 NIfTI files matches the pattern t1w="):
        read_raw(tmp_path, RawOptions(patterns={"t1w": "{label}/mri/T1.nii.gz"}))


@pytest.mark.parametrize(
    ("pattern", "path", "label"),
    [
        ("{participant_id}/T1.nii", "sub-01/T1.nii", "01"),
        ("{participant_id}/T1.nii", "P7/T1.nii", "P7"),
        ("{label}/**/{label}_T1.nii", "x/a/b/x_T1.nii", "x"),
        ("{label}/**/{label}_T1.nii", "x/x_T1.nii", "x"),
        ("{label}/**/{label}_T1.nii", "x/y_T1.nii", None),
        ("{label}_T?.nii", "a.b_T1.nii", "a.b"),
        ("{label}/*.nii", "x/y/T1.nii", None),
    ],
)
def test_patterns_match_within_folders_and_across_with_two_stars(pattern, path, label):
    match = compile_pattern(pattern, "t1w").fullmatch(path)
    assert (match["label"] if match else None) == label
