"""Which of several images of a person is used, and that it is said why."""

import json
from pathlib import PurePosixPath

import numpy as np
import pytest

from synthpet.cohort.images import Grid
from synthpet.prepare.raw import RawOptions, read_raw
from synthpet.prepare.raw.scan import Scan
from synthpet.prepare.raw.t1w import contrast_agent
from tests.prepare.trees import make, only, reasons, with_sidecar

T1W = "sub-01/anat/sub-01_T1w.nii.gz"
NAC, AC = "sub-01/pet/sub-01_trc-18FFDG_rec-NAC_pet.nii.gz", "sub-01/pet/sub-01_trc-18FFDG_rec-OSEM_pet.nii.gz"


@pytest.mark.parametrize(
    ("name", "about"),
    [
        (NAC, {}),
        (NAC.replace("rec-NAC", "acq-noAC"), {}),
        (NAC.replace("rec-NAC", "rec-noMRAC"), {}),
        (NAC.replace("rec-NAC_", ""), {"AttenuationCorrection": "none"}),
        (NAC.replace("rec-NAC_", ""), {"AttenuationCorrection": False}),
        (NAC.replace("rec-NAC", "rec-A"), {"AttenuationCorrectionMethod": "NONE"}),
        (NAC.replace("rec-NAC", "rec-A"), {"CorrectedImage": ["DECY", "DTIM"]}),
        (NAC.replace("rec-NAC", "rec-A"), {"SeriesDescription": "PET Brain (NAC)"}),
    ],
)
def test_a_pet_that_is_not_corrected_for_attenuation_is_not_used(name, about, tmp_path):
    make(tmp_path, T1W)
    with_sidecar(tmp_path, name, **about)
    assert only(read_raw(tmp_path)).problem.startswith("E_NO_PET sub-01: none of its PETs is used (")
    with_sidecar(tmp_path, AC, AttenuationCorrection="measured CT", CorrectedImage=["DECY", "ATTN"])
    raw = read_raw(tmp_path)
    assert only(raw).pet == tmp_path / AC
    assert reasons(raw)[name].startswith("not corrected for attenuation (")


def test_an_uncorrected_pet_is_used_where_its_name_is_asked_for(tmp_path):
    make(tmp_path, T1W, NAC)
    person = only(read_raw(tmp_path, RawOptions(patterns={"pet": "{participant_id}/pet/*_rec-NAC_pet.nii.gz"})))
    assert person.pet == tmp_path / NAC
    assert "PET not corrected for attenuation (NAC), as pet= asks for it" in person.notes
    assert only(read_raw(tmp_path, RawOptions(patterns={"pet": "{participant_id}/pet/*_pet.nii.gz"}))).pet is None


def test_a_pet_of_the_body_is_not_used_beside_one_of_the_head(tmp_path):
    body = Grid.of((4, 5, 190), np.diag([4.0, 4, 4, 1]))
    make(tmp_path, T1W, "sub-01/pet/sub-01_trc-18FFDG_acq-a_pet.nii.gz", grid=body)
    assert only(read_raw(tmp_path)).pet is not None
    make(tmp_path, "sub-01/pet/sub-01_trc-18FFDG_acq-b_pet.nii.gz")
    raw = read_raw(tmp_path)
    assert only(raw).pet.name == "sub-01_trc-18FFDG_acq-b_pet.nii.gz"
    assert "longer than 600 mm, and there is a PET of the head" in reasons(raw).values()


def test_phase_images_are_no_t1(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_part-mag_T1w.nii.gz", "sub-01/anat/sub-01_part-phase_T1w.nii.gz")
    assert reasons(read_raw(tmp_path)) == {
        "sub-01/anat/sub-01_part-phase_T1w.nii.gz": "part-phase; expected magnitudes"
    }


def test_where_no_pet_of_a_folder_is_used_that_is_said(tmp_path):
    make(tmp_path, T1W, "sub-01/pet/sub-01_trc-18FAV45_pet.nii.gz")
    assert "none of 1 PETs is used; not_used.tsv says why of each" in read_raw(tmp_path).notes


def t1w_and_pet(root, *scans):
    """``preop T1w`` for a T1 of ses-preop."""
    for session, kind in (scan.split() for scan in scans):
        name = f"sub-01/ses-{session}/{'anat' if kind == 'T1w' else 'pet'}/sub-01_ses-{session}"
        make(root, f"{name}_T1w.nii.gz" if kind == "T1w" else f"{name}_trc-18FFDG_pet.nii.gz")


def sessions(root, **options):
    person = only(read_raw(root, RawOptions(**options)))
    return [path.parent.parent.name.removeprefix("ses-") if path else "" for path in (person.t1w, person.pet)], person


def test_the_session_of_both_is_taken_and_not_the_first_of_the_alphabet(tmp_path):
    t1w_and_pet(tmp_path, "postop T1w", "preop T1w", "preop PET")
    found, person = sessions(tmp_path)
    assert found == ["preop", "preop"]
    assert person.notes == ("T1w and PET of ses-preop (before surgery), not of ses-postop",)


def test_before_surgery_comes_before_after_it_where_both_have_both(tmp_path):
    t1w_and_pet(tmp_path, "postop T1w", "postop PET", "preop T1w", "preop PET")
    assert sessions(tmp_path)[0] == ["preop", "preop"]


def test_a_t1_of_after_surgery_and_a_pet_of_before_are_refused_unless_said(tmp_path):
    t1w_and_pet(tmp_path, "postop T1w", "preop PET")
    found, person = sessions(tmp_path)
    assert found == ["", ""]
    assert person.problem.startswith(
        "E_SESSION sub-01: T1w in ses-postop was taken after surgery, PET in ses-preop is not"
    )
    found, person = sessions(tmp_path, session={"t1w": "postop", "pet": "preop"})
    assert found == ["postop", "preop"]
    assert person.notes[-1] == "after surgery, as its name says: ses-postop, ses-preop"


def test_without_a_session_of_both_the_nearest_in_time_is_taken(tmp_path):
    t1w_and_pet(tmp_path, "a T1w", "b T1w", "c PET")
    found, person = sessions(tmp_path)
    assert "T1w in ses-a, ses-b, PET in ses-c, and no acq_time" in person.problem
    rows = {"a": "2019-01-01T10:00:00", "b": "2020-02-01T10:00:00", "c": "2020-02-11T10:00:00"}
    table = "".join(f"ses-{session}\t{time}\n" for session, time in rows.items())
    (tmp_path / "sub-01/sub-01_sessions.tsv").write_text("session_id\tacq_time\n" + table)
    found, person = sessions(tmp_path)
    assert found == ["b", "c"]
    assert person.notes == (
        "T1w of ses-b (nearest to the PET), not of ses-a", "PET of ses-c, T1w of ses-b, 10 days apart",
    )  # fmt: skip
    scan = "anat/sub-01_ses-a_T1w.nii.gz\t2020-02-11T09:00:00\n"
    (tmp_path / "sub-01/ses-a/sub-01_ses-a_scans.tsv").write_text("filename\tacq_time\n" + scan)
    assert sessions(tmp_path)[0] == ["a", "c"]  # the scan's own time comes before the session's


def test_without_tables_the_times_of_sidecars_count(tmp_path):
    t1w_and_pet(tmp_path, "a T1w", "b T1w", "c PET")
    times = {"anat/sub-01_ses-a_T1w": "2019-01-01T10:00:00", "anat/sub-01_ses-b_T1w": "2020-02-01T10:00:00.123"}
    for name, time in {**times, "pet/sub-01_ses-c_trc-18FFDG_pet": "20200211"}.items():
        session = name.split("ses-")[1][0]
        about = {"AcquisitionDateTime": time}
        (tmp_path / f"sub-01/ses-{session}/{name}.json").write_text(json.dumps(about))
    assert sessions(tmp_path)[0] == ["b", "c"]


def test_flair_and_lesion_of_after_surgery_do_not_go_with_a_t1_of_before(tmp_path):
    t1w_and_pet(tmp_path, "preop T1w", "preop PET")
    make(tmp_path, "sub-01/ses-postop/anat/sub-01_ses-postop_FLAIR.nii.gz")
    make(tmp_path, "derivatives/m/sub-01/ses-postop/anat/sub-01_ses-postop_label-lesion_mask.nii.gz")
    raw = read_raw(tmp_path)
    assert (only(raw).flair, only(raw).lesion_mask) == (None, None)
    assert sorted(reasons(raw).values()) == [
        "after surgery, as its name says; the T1w is from before",
        "lesion mask of another T1w than the one that is used",
    ]


def grid_of(*spacing) -> Grid:
    return Grid.of((20, 20, 20), np.diag([*spacing, 1.0]))


@pytest.mark.parametrize(
    ("bad", "spacing", "about"),
    [
        ("acq-axial", (1, 1, 6.5), {}),
        ("acq-gado", (1, 1, 1), {}),
        ("acq-T1Gd", (1, 1, 1), {}),
        ("ce-gadolinium", (1, 1, 1), {}),
        ("acq-a", (1, 1, 1), {"ContrastBolusAgent": "Gadovist"}),
        ("acq-a", (1, 1, 1), {"SeriesDescription": "Ax T1 +C"}),
        ("acq-a", (1, 1, 1), {"MRAcquisitionType": "2D"}),
        ("acq-a", (1, 1, 2), {}),
    ],
)
def test_the_best_of_several_t1_is_used_and_it_is_said_why(bad, spacing, about, tmp_path):
    name = f"sub-01/anat/sub-01_{bad}_T1w.nii.gz"
    make(tmp_path, name, grid=grid_of(*spacing))
    (tmp_path / name.replace(".nii.gz", ".json")).write_text(json.dumps(about))
    good = "sub-01/anat/sub-01_acq-mprage_T1w.nii.gz"
    make(tmp_path, good, grid=grid_of(1, 1, 1))
    person = only(read_raw(tmp_path))
    assert person.t1w == tmp_path / good
    used = "2 T1w: anat/sub-01_acq-mprage_T1w.nii.gz is used (1 x 1 x 1 mm), not anat/"
    assert person.notes[0].startswith(used + name[12:])


def test_a_lesion_mask_of_a_t1_that_is_not_used_is_not_used(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_acq-axial_T1w.nii.gz", grid=grid_of(1, 1, 5))
    make(tmp_path, "sub-01/anat/sub-01_acq-iso_T1w.nii.gz", grid=grid_of(1, 1, 1))
    masks = [f"derivatives/m/sub-01/anat/sub-01_acq-{acq}_label-lesion_mask.nii.gz" for acq in ("axial", "iso")]
    make(tmp_path, *masks)
    raw = read_raw(tmp_path)
    assert only(raw).lesion_mask == tmp_path / masks[1]
    assert reasons(raw)[masks[0]] == "lesion mask of another T1w than the one that is used"


def test_a_thin_t1_with_contrast_agent_comes_before_thick_slices_and_is_said(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_acq-axial_T1w.nii.gz", grid=grid_of(1, 1, 5))
    make(tmp_path, "sub-01/anat/sub-01_acq-gado_T1w.nii.gz", grid=grid_of(1, 1, 1))
    person = only(read_raw(tmp_path))
    assert person.t1w.name == "sub-01_acq-gado_T1w.nii.gz"
    assert person.notes[-1] == "T1w with contrast agent (acq)"


def test_words_without_contrast_are_no_contrast():
    names = ("acq-noGd", "acq-precontrast", "acq-mprage", "acq-iso", "acq-nocontrast", "acq-memprage", "acq-spgr")
    for name in names:
        scan = Scan(PurePosixPath("x"), "t1w", "sub-01", entities=dict([name.split("-")]))
        assert contrast_agent(scan, {}) == ""
