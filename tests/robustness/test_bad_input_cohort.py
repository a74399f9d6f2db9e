"""Bad cohorts, tables and raw folders, by the numbers of ROBUSTNESS.md: every problem found, before work starts."""

import json
import os
import shutil

import numpy as np
import pytest

from synthpet.checks.cohort import open_cohort, validate_cohort
from synthpet.checks.everything import check
from synthpet.cohort import Cohort, read_image, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.names import sidecar_path
from synthpet.cohort.paths import Paths
from synthpet.cohort.text import read_table
from synthpet.errors import DataError, IdError, UsageError
from synthpet.prepare.pet import read_pet
from synthpet.quality import run as evaluation
from tests.conftest import study, write_cohort
from tests.robustness.conftest import GRID
from tests.test_evaluation import write_synthetic

NAN = float("nan")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Cohort:
    return write_cohort(tmp_path_factory.mktemp("made") / "cohort")


@pytest.fixture
def cohort(made, tmp_path) -> Cohort:
    """A copy that a test may spoil."""
    shutil.copytree(made.root, tmp_path / "cohort")
    return Cohort.open(tmp_path / "cohort")


def spoil(cohort, who, kind, change):
    path = cohort.path(who, kind)
    data, grid = read_image(path)
    mask = read_image(cohort.path(who, "brain_mask"))[0] > 0.5
    return write_image(path, change(data.copy(), mask), grid)


def found(cohort, tmp_path, level="error"):
    report = validate_cohort(cohort, tmp_path / "work")
    return {(p.participant_id, p.code) for p in report.problems if p.level == level}


def settings(cohort, tmp_path, *more):
    return study("train", f"cohort={cohort.root}", f"work_dir={tmp_path / 'work'}", *more)


def put(where, value):
    def change(data, mask):
        data[mask if where == "inside" else ~mask] = value
        return data

    return change


def one_voxel(value, inside=True):
    def change(data, mask):
        data[tuple(np.argwhere(mask == inside)[7])] = value
        return data

    return change


def nearly_empty(data, mask):
    inside = np.argwhere(mask)
    data[mask] = 0
    data[tuple(inside[: len(inside) // 200].T)] = 1
    return data


@pytest.mark.parametrize(
    ("kind", "change", "code"),
    [
        pytest.param("t1w", one_voxel(NAN), "E_NONFINITE", id="A05-inside"),
        pytest.param("t1w", put("inside", 0), "E_CONSTANT", id="A06-zeros"),
        pytest.param("pet", put("inside", 3), "E_CONSTANT", id="A06-constant"),
        pytest.param("pet", nearly_empty, "E_CONSTANT", id="A06-99%-zeros"),
        pytest.param("brain_mask", put("inside", 0), "E_CONSTANT", id="A06-empty-mask"),
        pytest.param("pet", lambda data, mask: np.where(mask, data - 1.1, 0), "E_RANGE", id="A09-negative"),
        pytest.param("pet", lambda data, mask: data[:-1], "E_GRID", id="A14-shape"),
    ],
)
def test_an_image_that_cannot_be_used_is_an_error_of_its_subject(cohort, tmp_path, kind, change, code):
    spoil(cohort, "sub-01", kind, change)
    assert found(cohort, tmp_path) == {("sub-01", code)}


def test_padding_that_is_not_zero_is_found_and_is_zero_for_everybody_who_reads_the_pet(cohort, tmp_path):
    def cut(data, mask):
        data = np.where(mask, data, 0.0012)
        data[:, :, 14:] = 0.0012
        return data.astype(np.float32)

    spoil(cohort, "sub-00", "pet", cut)
    assert ("sub-00", "E_COVERAGE") in found(cohort, tmp_path, "warning")
    pet, mask = cohort.load("sub-00", "pet"), cohort.load_mask("sub-00")
    assert not pet[:, :, 14:].any() and pet[:, :, :14][mask[:, :, :14]].all()


def test_a_patient_without_pet_is_said_before_any_training(cohort, tmp_path):
    cohort.path("sub-07", "pet").unlink()
    assert ("sub-07", "E_NO_PET") in found(cohort, tmp_path, "warning")


@pytest.mark.parametrize(
    ("code", "draw"), [("E_NO_LESION", lambda mask: ~mask), ("E_LESION", lambda mask: np.where(mask, 2, 1))]
)
def test_a_lesion_that_evaluation_cannot_use_is_found_before_any_training(cohort, tmp_path, code, draw):
    mask = cohort.load_mask("sub-07")
    write_image(cohort.path("sub-07", "lesion_mask"), draw(mask).astype(np.uint8), cohort.grid)
    assert ("sub-07", code) in found(cohort, tmp_path)


def test_a_control_with_a_lesion_is_an_error_and_an_empty_mask_is_none(cohort, tmp_path):
    mask = cohort.load_mask("sub-02")
    write_image(cohort.path("sub-01", "lesion_mask"), np.zeros(mask.shape, np.uint8), cohort.grid)
    write_image(cohort.path("sub-02", "lesion_mask"), mask.astype(np.uint8), cohort.grid)
    assert found(cohort, tmp_path) == {("sub-02", "E_GROUP")}


def test_a05_outside_the_brain_is_a_warning_and_zeros(cohort, tmp_path):
    spoil(cohort, "sub-01", "pet", one_voxel(NAN, inside=False))
    assert found(cohort, tmp_path) == set()
    assert ("sub-01", "E_NONFINITE") in found(cohort, tmp_path, "warning")
    assert np.isfinite(cohort.load("sub-01", "pet")).all()
    spoil(cohort, "sub-02", "pet", one_voxel(NAN))
    with pytest.raises(DataError, match="n=1 voxels of the brain"):
        cohort.load("sub-02", "pet")


def test_a09_mixed_units_name_both_groups_and_are_nobodys_alone(cohort, tmp_path):
    for who in ("sub-01", "sub-02"):
        spoil(cohort, who, "pet", lambda data, mask: data * 5000)
    with pytest.raises(DataError, match=r"(?s)E_UNITS_MIXED.*sub-0.* and sub-01, sub-02"):
        open_cohort(settings(cohort, tmp_path, "on_invalid=skip"))


def test_a09_everybody_in_becquerel_is_out_of_range(cohort, tmp_path):
    for subject in cohort.select("paired", "heldout", "patient"):
        spoil(cohort, subject.participant_id, "pet", lambda data, mask: data * 5000)
    assert {code for _, code in found(cohort, tmp_path)} == {"E_RANGE"}


def test_a15_the_same_voxels_under_two_ids(cohort, tmp_path):
    for kind in ("t1w", "pet"):
        shutil.copy(cohort.path("sub-00", kind), cohort.path("sub-07", kind))
    assert found(cohort, tmp_path) == {("sub-00", "E_LEAK_SAME_IMAGE"), ("sub-07", "E_LEAK_SAME_IMAGE")}


def test_a15_a_synthetic_pet_is_no_measured_one(cohort, tmp_path):
    write_json(sidecar_path(cohort.path("sub-03", "pet")), {"Synthetic": True, "TracerName": "FDG"})
    assert found(cohort, tmp_path) == {("sub-03", "E_SYNTHETIC")}


def with_flairs(cohort):
    """Everybody gets a FLAIR of their own: the T1 upside down."""
    for subject in cohort.subjects:
        name = subject.participant_id
        mask = cohort.load_mask(name)
        write_image(cohort.path(name, "flair"), np.where(mask, 1.5 - cohort.load(name, "t1w"), 0), cohort.grid)
    return cohort


def test_flairs_are_checked_like_the_others(cohort, tmp_path):
    assert found(with_flairs(cohort), tmp_path) == set()
    spoil(cohort, "sub-00", "flair", put("inside", 0))
    spoil(cohort, "sub-01", "flair", one_voxel(NAN))
    spoil(cohort, "sub-02", "flair", lambda data, mask: data[:-1])
    shutil.copy(cohort.path("sub-03", "t1w"), cohort.path("sub-03", "flair"))
    write_json(sidecar_path(cohort.path("sub-04", "flair")), {"Synthetic": True})
    shutil.copy(cohort.path("sub-05", "flair"), cohort.path("sub-06", "flair"))
    assert found(cohort, tmp_path) == {
        ("sub-00", "E_CONSTANT"), ("sub-01", "E_NONFINITE"), ("sub-02", "E_GRID"), ("sub-03", "E_SAME"),
        ("sub-04", "E_SYNTHETIC"), ("sub-05", "E_LEAK_SAME_IMAGE"), ("sub-06", "E_LEAK_SAME_IMAGE"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../../etc", "/abs", "sub-a;rm", "sub-a\\n", "sub-" + "a" * 300], ids="A16-{:.9}".format
)
def test_an_id_that_leads_elsewhere_is_refused(cohort, name):
    table = cohort.root / "participants.tsv"
    table.write_text(table.read_text().replace("sub-01\t", f"{name}\t"))
    with pytest.raises(IdError, match="E_ID") as error:
        Cohort.open(cohort.root)
    assert error.value.exit_code == 64 and len(str(error.value)) < 800


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda text: text.replace("group\t", "grp\t"), "E_COLUMNS", id="A19-column"),
        pytest.param(lambda text: text.replace("\t", ","), "E_TSV", id="A19-commas"),
        pytest.param(lambda text: text.replace("sub-01\tcontrol", '"sub-01\tcontrol'), "E_TSV", id="A19-quote"),
        pytest.param(lambda text: text.replace("sub-01\t", "sub-01\tx\t"), "E_TSV", id="A19-cells"),
        pytest.param(lambda text: text.replace("paired\t31\t", "paired\told\t"), "E_TABLE", id="A19-age"),
        pytest.param(lambda text: "", "E_TSV", id="A19-empty"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_reported_like_everything(cohort, tmp_path, change, code):
    table = cohort.root / "participants.tsv"
    table.write_text(change(table.read_text()))
    with pytest.raises(DataError, match="E_INVALID"):
        check(study("validate", f"cohort={cohort.root}", f"work_dir={tmp_path / 'work'}"))
    content = json.loads(Paths(tmp_path / "work").validation.read_text())
    assert code in {problem["code"] for problem in content["problems"]}


def test_a19_a_subject_without_files_and_files_without_a_subject(cohort, tmp_path):
    shutil.rmtree(cohort.root / "sub-01")
    shutil.copytree(cohort.root / "sub-02", cohort.root / "sub-99")
    assert found(cohort, tmp_path) == {("sub-01", "E_MISSING")}
    assert ("sub-99", "E_NOT_IN_TABLE") in found(cohort, tmp_path, "warning")


def test_a20_no_sidecar_is_a_warning_and_another_tracer_an_error(cohort, tmp_path):
    assert ("sub-00", "E_SIDECAR") in found(cohort, tmp_path, "warning")
    write_json(sidecar_path(cohort.path("sub-00", "pet")), {"TracerName": "Florbetapir"})
    write_json(sidecar_path(cohort.path("sub-01", "pet")), {"TracerName": "2-deoxy-2-[18F]fluorodeoxyglucose"})
    assert found(cohort, tmp_path) == {("sub-00", "E_TRACER")}


def test_everything_is_found_at_once_and_written_before_work_starts(cohort, tmp_path):
    cohort.path("sub-00", "t1w").write_bytes(b"")
    cohort.path("sub-04", "brain_mask").unlink()
    spoil(cohort, "sub-06", "pet", lambda data, mask: data[1:])
    with pytest.raises(DataError, match="3 errors in 3 of them") as error:
        open_cohort(settings(cohort, tmp_path))
    content = json.loads(Paths(tmp_path / "work").validation.read_text())
    assert [p["code"] for p in content["problems"] if p["level"] == "error"] == ["E_EMPTY", "E_MISSING", "E_GRID"]
    assert content["unusable"] == ["sub-00", "sub-04", "sub-06"] and set(content) == {*content["keys"], "keys"}
    assert all(f"{code:9}  {who}" in str(error.value) for code, who in (("E_EMPTY", "sub-00"), ("E_GRID", "sub-06")))
    assert str(tmp_path) not in json.dumps(content)


def test_skip_goes_on_without_the_bad_and_says_whom_it_left_out(cohort, tmp_path, capsys):
    cohort.path("sub-00", "t1w").write_bytes(b"")
    left = open_cohort(settings(cohort, tmp_path, "on_invalid=skip"))
    assert len(left.subjects) == 7 and left.left_out == (
        "E_EMPTY sub-00 sub-00/anat/sub-00_space-MNI152NLin2009aSym_res-5mm_desc-preproc_T1w.nii.gz: the file has no "
        "bytes; expected an image; copy it again",
    )
    assert "left out (on_invalid=skip): sub-00" in capsys.readouterr().out
    assert left.grid.shape == (20, 24, 20)  # of the first who is left
    for subject in cohort.subjects:
        cohort.path(subject.participant_id, "brain_mask").write_bytes(b"")
    with pytest.raises(DataError, match="no subject is left"):
        open_cohort(settings(cohort, tmp_path, "on_invalid=skip"))
    with pytest.raises(UsageError, match="expected one of stop, skip"):
        open_cohort(settings(cohort, tmp_path, "on_invalid=perhaps"))


@pytest.mark.slow
def test_b12_whom_skip_left_out_stands_in_the_notices_of_every_page_and_in_the_summaries(cohort, tmp_path):
    cohort.path("sub-06", "t1w").write_bytes(b"")
    left = open_cohort(settings(cohort, tmp_path, "on_invalid=skip"))
    (notice,) = left.notices
    assert notice.startswith("LEFT OUT: 1 of 8 subjects") and "sub-06" in notice
    folder = write_synthetic(left, tmp_path / "synthetic", lambda subject, _: left.load_t1w(subject.participant_id))
    config = {"generator": "x", "data_range": None, "seed": 0, "patch_size": [8, 8, 8], "stride": [4, 4, 4]}
    evaluation._write(evaluation.Source(left, folder), folder, config, n_jobs=1)
    assert [problem.split()[1] for problem in json.loads((folder / "quality.json").read_text())["left_out"]] == [
        "sub-06"
    ]
    assert "LEFT OUT: 1 of 8 subjects" in (folder / "report.html").read_text()


@pytest.mark.parametrize("where", [".", "results", "sub-00/x"])
def test_a17_results_within_the_cohort_are_refused(cohort, where):
    with pytest.raises(UsageError, match="lies in the cohort"):
        open_cohort(study("train", f"cohort={cohort.root}", f"work_dir={cohort.root / where}"))
    assert not (cohort.root / "results").exists() and not Paths(cohort.root).validation.exists()


def test_what_was_checked_is_not_read_again_until_it_changes(cohort, tmp_path, monkeypatch):
    import synthpet.checks.cohort as validation

    first = validate_cohort(cohort, tmp_path / "work")
    read = []
    real = validation.check_subject
    monkeypatch.setattr(validation, "check_subject", lambda c, s, g: (read.append(s.participant_id), real(c, s, g))[1])
    validation._KNOWN.clear()
    assert validate_cohort(cohort, tmp_path / "work") == first and read == []
    cache = tmp_path / "work" / "cache" / "validated.json"
    content = json.loads(cache.read_text())
    for other in ({**content, "subjects": []}, {**content, "subjects": {"sub-00 paired": 1}}, [], {}):
        cache.write_text(json.dumps(other))  # not as it was written: checked again
        validation._KNOWN.clear()
        read.clear()
        assert validate_cohort(cohort, tmp_path / "work") == first and len(read) == 8
    read.clear()
    cohort.path("sub-02", "pet").write_bytes(b"")
    assert "sub-02" in validate_cohort(cohort, tmp_path / "work").unusable and read == ["sub-02"]


def test_a30_a_cohort_that_cannot_be_written_and_a_path_with_accents(made, tmp_path):
    root = tmp_path / "Hôpital n° 1" / "cohort é"
    shutil.copytree(made.root, root)
    root.chmod(0o555)
    report = check(study("validate", f"cohort={root}", f"work_dir={tmp_path / 'wörk dir'}"))
    assert not report.errors and Paths(tmp_path / "wörk dir").validation.is_file()
    root.chmod(0o755)


@pytest.mark.parametrize(
    "text",
    ["9" * 5000, "[" * 5000, '{"FrameDuration": [' + "9" * 400 + "]}", '{"FrameDuration": "x"}', "[1]", "\0", "{"],
    ids=["digits", "deep", "overflow", "word", "list", "zero", "cut"],
)
def test_a20_a_sidecar_of_any_text_is_refused_with_a_code(tmp_path, text):
    path = write_image(tmp_path / "sub-01_pet.nii.gz", np.random.default_rng(0).random(GRID.shape), GRID)
    sidecar_path(path).write_text(text)
    with pytest.raises(DataError, match=r"^E_(JSON|TEXT|FRAMES) "):
        read_pet(path, "sub-01")


def test_a20_a_pipe_in_place_of_a_table_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "participants.tsv")
    with pytest.raises(DataError, match="E_TEXT"):
        read_table(tmp_path / "participants.tsv")
