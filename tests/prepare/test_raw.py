"""What is found in a raw BIDS folder."""

import os

import pytest

from synthpet.errors import DataError, UsageError
from synthpet.prepare.raw import RawOptions, read_raw
from synthpet.prepare.raw.roles import RoleRules
from tests.prepare.trees import OTHER, make, only, reasons, with_sidecar

T1W = "sub-01/anat/sub-01_T1w.nii.gz"
PET = "sub-01/pet/sub-01_trc-18FFDG_pet.nii.gz"


def test_the_first_of_several_runs_is_taken_and_said(tmp_path):
    make(tmp_path, *(f"sub-01/anat/sub-01_run-{run}_T1w.nii.gz" for run in (10, 2)))
    raw = read_raw(tmp_path)
    assert only(raw).t1w.name == "sub-01_run-2_T1w.nii.gz"
    assert only(raw).notes == (
        "2 T1w: anat/sub-01_run-2_T1w.nii.gz is used (40 x 40 x 40 mm, the first by name of those alike), "
        "not anat/sub-01_run-10_T1w.nii.gz (40 x 40 x 40 mm)",
    )
    assert reasons(raw) == {"sub-01/anat/sub-01_run-10_T1w.nii.gz": "another T1w of this person is used"}


def test_t1_flair_pet_and_masks_of_one_person_are_found(tmp_path):
    derivatives = "derivatives/masks/sub-01/anat/sub-01_"
    make(tmp_path, T1W, PET, "sub-01/anat/sub-01_FLAIR.nii.gz", f"{derivatives}desc-brain_mask.nii.gz")
    make(tmp_path, f"{derivatives}label-lesion_mask.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz")
    raw = read_raw(tmp_path)
    person = only(raw)
    assert [path.relative_to(tmp_path).as_posix() for path in (person.t1w, person.pet)] == [T1W, PET]
    assert person.flair.name == "sub-01_FLAIR.nii.gz"
    assert person.brain_mask.name == "sub-01_desc-brain_mask.nii.gz"
    assert person.lesion_mask.name == "sub-01_label-lesion_mask.nii.gz"
    assert (person.subject.role, person.problem) == ("paired", "")
    assert "1 taken as controls have a lesion mask (sub-01), and the table names nobody a patient" in raw.questions[0]
    assert reasons(raw) == {
        "sub-01/anat/sub-01_T2w.nii.gz": "T2w: not an image that is looked for (T1w, FLAIR, pet and masks are)"
    }


def test_the_first_session_with_a_t1_is_taken_and_its_pet_before_others(tmp_path):
    for session in ("a", "b", "c"):
        make(tmp_path, f"sub-01/ses-{session}/pet/sub-01_ses-{session}_trc-18FFDG_pet.nii.gz")
    make(tmp_path, *(f"sub-01/ses-{s}/anat/sub-01_ses-{s}_T1w.nii.gz" for s in ("b", "c")))
    person = only(read_raw(tmp_path))
    assert (person.t1w.parent.parent.name, person.pet.parent.parent.name) == ("ses-b", "ses-b")
    assert person.notes == ("T1w and PET of ses-b (the first by name, no acq_time), not of ses-c",)
    person = only(read_raw(tmp_path, RawOptions(session="ses-c")))
    assert (person.t1w.parent.parent.name, person.pet.parent.parent.name) == ("ses-c", "ses-c")


def test_a_pet_of_another_session_is_used_and_said(tmp_path):
    make(tmp_path, "sub-01/ses-mri/anat/sub-01_ses-mri_T1w.nii.gz")
    make(tmp_path, "sub-01/ses-pet/pet/sub-01_ses-pet_trc-18FFDG_pet.nii.gz")
    person = only(read_raw(tmp_path))
    assert person.pet.name == "sub-01_ses-pet_trc-18FFDG_pet.nii.gz"
    assert person.notes == ("PET of ses-pet, T1w of ses-mri",)


def test_a_session_without_t1_names_the_session(tmp_path):
    make(tmp_path, "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz")
    raw = read_raw(tmp_path, RawOptions(session="b"))
    assert "E_NO_T1W" in only(raw).problem and "of session b" in only(raw).problem
    assert list(reasons(raw).values()) == ["another session than session=b"]


FDG_NAMES = ["FDG", "[18F]FDG", "fluorodeoxyglucose", "18F-FDG", "FDG -- fluorodeoxyglucose", "Fludeoxyglucose F 18",
             "Fluorodeoxyglucose F^18^", "2-deoxy-2-[18F]fluoro-D-glucose", "Fluordesoxyglukose",
             "18FDG", "FDG PET"]  # fmt: skip


@pytest.mark.parametrize("name", FDG_NAMES)
def test_a_pet_without_trc_is_known_by_its_sidecar(name, tmp_path):
    make(tmp_path, T1W)
    with_sidecar(tmp_path, "sub-01/pet/sub-01_pet.nii.gz", TracerName=name, TracerRadionuclide="F18")
    assert only(read_raw(tmp_path)).pet is not None


@pytest.mark.parametrize(
    "about",
    [
        {"Radiopharmaceutical": "Fluorodeoxyglucose", "RadionuclideTotalDose": 2.1e8},
        {"RadiopharmaceuticalInformationSequence": [{"Radiopharmaceutical": "FDG -- fluorodeoxyglucose"}]},
        {"SeriesDescription": "PET Brain FDG AC", "Radiopharmaceutical": "Solution"},
    ],
)
def test_what_converters_write_tells_the_tracer(about, tmp_path):
    make(tmp_path, T1W)
    with_sidecar(tmp_path, "sub-01/pet/sub-01_pet.nii.gz", **about)
    assert only(read_raw(tmp_path)).pet is not None


def test_a_known_other_tracer_alone_leaves_a_person_unpaired_without_a_problem(tmp_path):
    make(tmp_path, T1W, "sub-01/pet/sub-01_trc-18FAV45_pet.nii.gz")
    with_sidecar(tmp_path, "sub-01/pet/sub-01_run-2_pet.nii.gz", Radiopharmaceutical="Florbetapir F^18^")
    person = only(read_raw(tmp_path))
    assert (person.subject.role, person.problem) == ("unpaired", "")


def test_a_sidecar_of_the_whole_data_set_tells_the_tracer(tmp_path):
    make(tmp_path, T1W, "sub-01/pet/sub-01_pet.nii.gz")
    (tmp_path / "pet.json").write_text('{"TracerName": "FDG"}')
    assert only(read_raw(tmp_path)).pet is not None


def test_other_and_unknown_tracers_are_not_used_with_the_reason(tmp_path):
    make(tmp_path, T1W, "sub-01/pet/sub-01_trc-18FFDGal_pet.nii.gz", "sub-01/pet/sub-01_run-2_pet.nii.gz")
    with_sidecar(tmp_path, "sub-01/pet/sub-01_run-4_pet.nii.gz", TracerName="Marvelin")
    with_sidecar(tmp_path, "sub-01/pet/sub-01_run-1_pet.nii.gz", TracerName="DASB", TracerRadionuclide="C11")
    make(tmp_path, "sub-01/pet/sub-01_run-3_pet.nii.gz")
    (tmp_path / "sub-01/pet/sub-01_run-3_pet.json").write_text("{not JSON")
    raw = read_raw(tmp_path)
    assert (only(raw).pet, only(raw).subject.role) == (None, "unpaired")
    found = {path.split("sub-01_")[-1]: reason for path, reason in reasons(raw).items()}
    assert found["trc-18FFDGal_pet.nii.gz"] == "tracer 18FFDGal; expected 18FFDG"
    assert found["run-1_pet.nii.gz"] == "tracer DASB C11; expected 18FFDG"
    assert found["run-2_pet.nii.gz"].startswith("its tracer is unknown: no trc- in its name, no TracerName")
    assert "sidecar cannot be read" in found["run-3_pet.nii.gz"]
    assert "'Marvelin' is not a known name of 18FFDG" in found["run-4_pet.nii.gz"]
    assert only(raw).problem.startswith("E_NO_PET sub-01: none of its PETs is used (sub-01_run-2_pet.nii.gz: its")
    assert any("E_JSON" in note and "run-3_pet.json: line 1" in note for note in only(raw).notes)


def test_attenuation_corrected_and_static_reconstructions_are_preferred(tmp_path):
    make(tmp_path, T1W, *(f"sub-01/pet/sub-01_trc-18FFDG_rec-{r}_pet.nii.gz" for r in ("acdyn", "acstat", "nacstat")))
    raw = read_raw(tmp_path)
    assert only(raw).pet.name == "sub-01_trc-18FFDG_rec-acstat_pet.nii.gz"
    assert only(raw).notes == (
        "sub-01_trc-18FFDG_rec-nacstat_pet.nii.gz is not used: not corrected for attenuation (nacstat)",
    )
    assert any(reason.startswith("not corrected for attenuation (nacstat)") for reason in reasons(raw).values())


def test_a_brain_mask_on_another_grid_or_of_another_run_is_not_used(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_run-1_T1w.nii.gz")
    make(tmp_path, "derivatives/a/sub-01/anat/sub-01_run-2_desc-brain_mask.nii.gz")
    make(tmp_path, "derivatives/b/sub-01/anat/sub-01_run-1_desc-brain_mask.nii.gz", grid=OTHER)
    make(tmp_path, "derivatives/c/sub-01/anat/sub-01_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz")
    raw = read_raw(tmp_path)
    assert only(raw).brain_mask is None
    assert [reason for _, reason in sorted(reasons(raw).items())] == [
        "brain mask of another T1w than the one that is used",
        "brain mask on another grid than the T1w",
        "a mask in the space MNI152NLin2009cAsym; expected the T1's own",
    ]


def test_a_lesion_drawn_on_the_flair_is_taken_only_where_the_user_says_so(tmp_path):
    roi = "sub-01/anat/sub-01_acq-T2sel_FLAIR_roi.nii.gz"
    make(tmp_path, T1W, roi)
    assert only(read_raw(tmp_path)).lesion_mask is None
    named = read_raw(tmp_path, RawOptions(patterns={"lesion_mask": "{participant_id}/anat/*_roi.nii.gz"}))
    assert only(named).lesion_mask == tmp_path / roi


def test_the_flair_that_a_lesion_mask_names_is_used(tmp_path):
    flairs = [f"sub-01/anat/sub-01_acq-{acq}_FLAIR.nii.gz" for acq in ("T2", "T2sel")]
    make(tmp_path, T1W, *flairs, "sub-01/anat/sub-01_acq-T2sel_FLAIR_roi.nii.gz")
    assert only(read_raw(tmp_path)).flair == tmp_path / flairs[0]
    named = read_raw(tmp_path, RawOptions(patterns={"lesion_mask": "{participant_id}/anat/*_FLAIR_roi.nii.gz"}))
    assert only(named).flair == tmp_path / flairs[1]
    assert reasons(named)[flairs[0]] == "the lesion mask was drawn on another FLAIR"


def test_masks_are_found_by_a_pattern_and_a_missing_one_is_a_problem(tmp_path):
    make(tmp_path, T1W, "sub-02/anat/sub-02_T1w.nii.gz", "derivatives/bet/sub-01/anat/sub-01_mask.nii.gz")
    options = RawOptions(patterns={"brain_mask": "derivatives/bet/{participant_id}/**/*_mask.nii.gz"})
    one, two = read_raw(tmp_path, options).people
    assert one.brain_mask == tmp_path / "derivatives/bet/sub-01/anat/sub-01_mask.nii.gz"
    assert two.problem.startswith("E_MASK sub-02: 0 files match")


def test_images_that_cannot_be_read_or_lie_elsewhere_are_listed(tmp_path):
    make(
        tmp_path, T1W, "sub-01/anat/sub-02_T1w.nii.gz", "T1.nii.gz", "sub-01/T1.nii.gz", "sub-01/pet/sub-01_T1w.nii.gz"
    )
    make(tmp_path, "sub-01/anat/brain.mgz", "sub-01/anat/a.hdr", "sub-01/anat/a.img", ".git/annex/x_T1w.nii.gz")
    make(tmp_path, "sub-01/dicom/1.dcm", "sub-01/dicom/2.dcm", "sub-01/surf/lh_bold.dtseries.nii")
    (tmp_path / "raw").mkdir()
    for name in ("IM0001", "IM0002", "README"):
        (tmp_path / "raw" / name).write_bytes(b"\0" * 128 + (b"DICM" if name != "README" else b"text"))
    found = reasons(read_raw(tmp_path))
    assert found["sub-01/anat/sub-02_T1w.nii.gz"].startswith("its name says sub-02, its folder another")
    assert found["T1.nii.gz"] == "lies outside the sub-*/ folders"
    assert found["sub-01/T1.nii.gz"].startswith("its name says nobody")
    assert found["sub-01/pet/sub-01_T1w.nii.gz"] == "T1w lies in pet/; expected anat/"
    assert "mri_convert" in found["sub-01/anat/brain.mgz"]
    assert "pair of .hdr and .img" in found["sub-01/anat/a.img"]
    assert "DICOM (2 files)" in found["sub-01/dicom/"]
    assert "DICOM (2 files)" in found["raw/"]
    assert len(found) == 8


def test_results_below_derivatives_are_not_read_again(tmp_path):
    make(tmp_path, T1W, "derivatives/synthpet/sub-01/anat/sub-01_desc-brain_mask.nii.gz")
    raw = read_raw(tmp_path, RawOptions(leave_out=tmp_path / "derivatives/synthpet"))
    assert only(raw).brain_mask is None
    assert raw.not_used == ()


def test_a_subject_without_t1w_has_a_problem_that_names_the_folder(tmp_path):
    make(tmp_path, PET)
    raw = read_raw(tmp_path)
    assert only(raw).t1w is None
    assert only(raw).problem.startswith(f"E_NO_T1W {tmp_path / 'sub-01'}")
    assert reasons(raw) == {PET: "this person has no T1w"}


def test_a_link_to_content_that_was_not_fetched_is_a_problem(tmp_path):
    make(tmp_path, T1W)
    (tmp_path / "sub-01/pet").mkdir()
    (tmp_path / PET).symlink_to(tmp_path / ".git/annex/objects/absent")
    assert "E_POINTER" in only(read_raw(tmp_path)).problem
    assert "datalad get" in only(read_raw(tmp_path)).problem


@pytest.mark.parametrize("link", ["sub-01", "sub-01/pet", PET])
def test_links_that_lead_out_are_not_followed_unless_said_and_what_lies_there_is_not_named(link, tmp_path):
    strange, raw = tmp_path / "strange", tmp_path / "raw"
    make(strange, "sub-secret/pet/secret_pet.nii.gz")
    make(raw, "sub-02/anat/sub-02_T1w.nii.gz", *([T1W] if link != "sub-01" else []))
    make(strange / "01", T1W.removeprefix("sub-01/"), PET.removeprefix("sub-01/"))
    (raw / link).parent.mkdir(exist_ok=True)
    (raw / link).symlink_to(strange / "01" / link.removeprefix("sub-01").removeprefix("/"))
    if link == "sub-01/pet":
        make(strange / "01/pet", "secret_pet.nii.gz")
    found = read_raw(raw)
    assert reasons(found)[link].startswith("a link that leads out of bids_dir, not followed")
    assert found.people[0].pet is None
    assert "secret" not in str(found)
    assert read_raw(raw, RawOptions(follow_links=True)).people[0].pet == raw / PET


def test_links_within_the_folder_and_into_the_annex_of_its_data_set_are_followed(tmp_path):
    raw = tmp_path / "dataset" / "raw"
    make(raw, "sourcedata/a.nii.gz")
    make(tmp_path / "dataset" / ".git/annex/objects", "b.nii.gz")
    for name, target in ((T1W, "sourcedata/a.nii.gz"), (PET, "../.git/annex/objects/b.nii.gz")):
        (raw / name).parent.mkdir(parents=True)
        (raw / name).symlink_to(raw / target)
    person = only(read_raw(raw))
    assert (person.t1w, person.pet) == (raw / T1W, raw / PET)


def test_a_table_or_sidecar_that_is_a_link_out_of_the_folder_is_not_read(tmp_path):
    make(tmp_path / "raw", T1W, "sub-01/pet/sub-01_pet.nii.gz")
    (tmp_path / "t.tsv").write_text("participant_id\tgroup\nsub-01\thc\n")
    (tmp_path / "t.json").write_text('{"TracerName": "FDG"}')
    (tmp_path / "raw/participants.tsv").symlink_to(tmp_path / "t.tsv")
    (tmp_path / "raw/sub-01/pet/sub-01_pet.json").symlink_to(tmp_path / "t.json")
    raw = read_raw(tmp_path / "raw")
    assert raw.questions[0].startswith("E_TABLE participants.tsv: a link that leads out of bids_dir")
    assert "E_NO_PET" in only(raw).problem
    assert read_raw(tmp_path / "raw", RawOptions(participants=tmp_path / "t.tsv")).questions == ()


def test_a_pipe_among_the_images_is_passed_by(tmp_path):
    make(tmp_path, T1W)
    os.mkfifo(tmp_path / "sub-01/anat/IM0001")
    assert only(read_raw(tmp_path)).problem == ""


def test_an_id_that_bids_forbids_is_a_problem(tmp_path):
    make(tmp_path, "sub-01_x/anat/sub-01_x_T1w.nii.gz")
    assert "E_ID" in only(read_raw(tmp_path)).problem


def test_a_folder_without_subjects_is_refused_with_advice(tmp_path):
    with pytest.raises(DataError, match=r"E_NO_BIDS .*no such folder"):
        read_raw(tmp_path / "absent")
    with pytest.raises(DataError, match=r"E_NO_BIDS .*without sub-\* folders"):
        read_raw(tmp_path)
    make(tmp_path, "x/1.dcm")
    with pytest.raises(DataError, match=r"holds DICOM"):
        read_raw(tmp_path)
    make(tmp_path, "T1.nii.gz")
    make(tmp_path, "rawdata/sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(DataError, match=r"Is it bids_dir=.*rawdata\?"):
        read_raw(tmp_path)


TRACERS = {"pet001": "CIMBI36", "pet002": "DASB C11", "pet003": "DASB C11", "pet004": "CIMBI-36 C11",
           "pet005": "AZ-10419369 C11"}  # fmt: skip


@pytest.mark.parametrize("name", [*TRACERS, "pet006"])
def test_the_json_and_tsv_of_the_real_examples_are_understood(name, real_data):
    raw = read_raw(real_data / "bids-pet-examples" / name, RawOptions(rules=RoleRules(control_groups=["n/a"])))
    assert (raw.layout, raw.questions) == ("bids", ())
    pets = {reason for path, reason in reasons(raw).items() if path.endswith("_pet.nii.gz")}
    if name == "pet006":  # FDG, but nobody's T1w
        assert pets == {"this person has no T1w"}
    else:
        assert pets == {f"tracer {TRACERS[name]}; expected 18FFDG"}
    if name == "pet002":
        assert [(p.subject.age, p.subject.sex) for p in raw.people] == [(21.5086, "F"), (20.7255, "F")]


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(UsageError, match="layout='nifti': expected auto, bids, caps, petprep, patterns"):
        read_raw(make(tmp_path, T1W), RawOptions(layout="nifti"))


def test_a_synthetic_pet_is_not_taken_for_a_measured_one(tmp_path):
    make(tmp_path, T1W)
    with_sidecar(tmp_path, PET, Synthetic=True)
    raw = read_raw(tmp_path)
    assert (only(raw).pet, only(raw).subject.role) == (None, "unpaired")
    assert reasons(raw) == {PET: "a synthetic PET, computed from a T1; expected a measured one"}


def test_simulated_people_stay_simulated(tmp_path):
    make(tmp_path / "real", T1W)
    make(tmp_path / "simulated", T1W)
    (tmp_path / "simulated" / "dataset_description.json").write_text('{"Simulated": true}')
    assert [only(read_raw(tmp_path / name)).is_simulated for name in ("real", "simulated")] == [False, True]
