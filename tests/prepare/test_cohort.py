"""From raw BIDS to a cohort that the other commands open."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from synthpet.cohort import Cohort
from synthpet.errors import DataError, UsageError
from synthpet.prepare import subject
from synthpet.prepare.brain import trim_to_tissue
from synthpet.prepare.cohort import ensure_prepared
from synthpet.prepare.spaces.transform import Transform
from synthpet.template.icbm import template_grid, template_images
from tests.conftest import study
from tests.prepare.trees import make


def configure(bids_dir, work_dir, *more):
    """The command's options: affine at 4 mm in this process."""
    quick = ("registration=affine", "cohort.resolution_mm=4", "compute.n_jobs=1")
    return study("prepare", f"bids_dir={bids_dir}", f"work_dir={work_dir}", *quick, *more)


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory, raw_bids):
    folder = tmp_path_factory.mktemp("work")
    ensure_prepared(configure(raw_bids, folder))
    return folder


def test_a_tilted_head_becomes_the_template_on_its_grid(work_dir):
    cohort = Cohort.open(work_dir / "cohort")
    template = template_images(template_grid(4.0))
    assert cohort.grid.matches(template_grid(4.0))
    inside = template.brain_mask
    assert np.corrcoef(cohort.load_t1w("sub-01")[inside], template.t1w[inside])[0, 1] > 0.9
    assert np.corrcoef(cohort.load("sub-01", "gm")[inside], template.gm[inside])[0, 1] > 0.85
    trimmed = trim_to_tissue(inside, template.gm + template.wm, cohort.grid)
    assert (cohort.load_mask("sub-01") == trimmed).mean() > 0.98


def test_the_tissues_are_probabilities_within_the_brain(work_dir):
    cohort = Cohort.open(work_dir / "cohort")
    total = sum(cohort.load("sub-01", tissue) for tissue in ("gm", "wm", "csf"))
    mask = cohort.load_mask("sub-01")
    assert total.max() < 1.001
    assert total[mask].mean() > 0.9
    assert not total[~mask].any()


def test_the_person_keeps_age_and_sex_and_is_an_unpaired_control(work_dir):
    (subject,) = Cohort.open(work_dir / "cohort").subjects
    assert (subject.age, subject.sex, subject.group, subject.role) == (39.0, "M", "control", "unpaired")


def test_the_sidecar_says_how_it_was_made_and_no_machine_path_is_written(work_dir):
    cohort = work_dir / "cohort"
    sidecar = json.loads(next(cohort.glob("sub-01/anat/*_T1w.json")).read_text())
    assert sidecar["RawSources"] == ["sub-01/anat/sub-01_T1w.nii.gz"]
    assert "affine" in sidecar["Registration"]
    assert sidecar["Measures"]["similarity"] > 0.9
    texts = [path.read_text() for path in cohort.rglob("*") if path.suffix in (".json", ".tfm")]
    assert len(texts) > 5
    assert not any(str(work_dir) in text for text in texts)


def test_who_could_not_be_prepared_stands_in_the_table_with_the_reason(work_dir):
    rows = (work_dir / "cohort" / "qc.tsv").read_text()
    assert "sub-02" in rows and "E_NOT_NIFTI" in rows
    assert "sub-03" in rows and "E_NO_T1W" in rows


def test_pages_say_who_was_taken_as_what_and_why(work_dir):
    why = "group &#39;Healthy controls&#39; in participants.tsv"
    assert why in (work_dir / "cohort" / "report.html").read_text()
    page = (work_dir / "cohort" / "sub-01" / "report.html").read_text()
    assert f"Taken as control, role unpaired: {why}" in page
    assert "T1w: sub-01/anat/sub-01_T1w.nii.gz" in page


def test_an_unanswered_question_stops_before_anything_is_made(tmp_path):
    make(tmp_path / "raw", "sub-01/anat/sub-01_T1w.nii.gz")
    (tmp_path / "raw" / "participants.tsv").write_text("participant_id\tgroup\nsub-01\t2\n")
    with pytest.raises(DataError, match=r"(?s)E_ASK nothing was prepared.*column group holds '2' \(1\)"):
        ensure_prepared(configure(tmp_path / "raw", tmp_path / "work"))
    assert not list((tmp_path / "work").rglob("*.nii.gz"))


def test_running_again_makes_nothing_and_changes_no_byte(work_dir, raw_bids, capsys):
    before = {p: p.read_bytes() for p in work_dir.rglob("*") if p.is_file()}
    ensure_prepared(configure(raw_bids, work_dir))
    assert "1 up to date" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in work_dir.rglob("*") if p.is_file()} == before


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(work_dir, raw_bids, tmp_path):
    ensure_prepared(configure(raw_bids, tmp_path))
    files = [p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file() and not p.name.startswith("run")]
    assert any(name.name.endswith("T1w.nii.gz") for name in files)
    assert [n for n in files if (tmp_path / n).read_bytes() != (work_dir / n).read_bytes()] == []


def test_stop_ends_at_the_first_bad_subject(raw_bids, tmp_path):
    with pytest.raises(DataError, match=r"on_invalid=stop.*\n  E_NO_T1W"):
        ensure_prepared(configure(raw_bids, tmp_path, "on_invalid=stop"))
    assert not (tmp_path / "cohort" / "participants.tsv").exists()


def test_when_nobody_can_be_prepared_all_reasons_are_named(raw_bids, tmp_path):
    shutil.copytree(raw_bids, tmp_path / "raw", ignore=shutil.ignore_patterns("sub-01"))
    with pytest.raises(DataError, match=r"(?s)None of 2 subjects.*E_NOT_NIFTI.*E_NO_T1W"):
        ensure_prepared(configure(tmp_path / "raw", tmp_path / "work"))


@pytest.mark.parametrize("offset_mm", [80.0, 900.0])
def test_a_failed_registration_is_a_problem_also_where_nothing_overlaps(offset_mm, raw_bids, tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "correct_bias", lambda t1w, mask, grid: t1w)
    shifted = sitk.AffineTransform(3)
    shifted.Translate((-80.0, -90.0, offset_mm))
    monkeypatch.setattr(subject, "register", lambda *_, **__: Transform.of(shifted))
    with pytest.raises(DataError, match=r"E_REGISTRATION sub-01 .*correlation with the template .*min_similarity"):
        ensure_prepared(configure(raw_bids, tmp_path))


def test_an_unknown_on_invalid_is_refused(raw_bids, tmp_path):
    with pytest.raises(UsageError, match=r"on_invalid=.ask.: expected one of stop, skip"):
        ensure_prepared(configure(raw_bids, tmp_path, "on_invalid=ask"))


def test_the_cohort_is_named_after_the_folder(tmp_path):
    cohort = study("prepare", f"bids_dir={tmp_path}").cohort
    assert (cohort.source, cohort.name, cohort.path) == (
        "bids",
        tmp_path.name,
        Path("outputs", tmp_path.name, "cohort"),
    )


BAD = {"pet001": "web page", "pet002": "web page", "pet003": "E_NOT_NIFTI", "pet004": "E_NO_T1W",
       "pet005": "E_XFORM_CONFLICT .*279.2 mm", "pet006": "E_NO_T1W"}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_each_broken_real_example_is_refused_with_its_own_message(name, real_data, tmp_path):
    with pytest.raises(DataError, match=f"(?s)could be prepared.*{BAD[name]}"):
        ensure_prepared(configure(real_data / "bids-pet-examples" / name, tmp_path, "control_groups=[n/a]"))


@pytest.mark.slow
def test_two_real_people_resemble_the_template_and_repeat_exactly(real_data, tmp_path):
    raw = tmp_path / "raw"
    for name in ("sub-01", "sub-52"):
        shutil.copytree(real_data / "t1w-ds002748" / name, raw / name)
    for n_jobs in (1, 2):
        options = f"bids_dir={raw}", f"work_dir={tmp_path / str(n_jobs)}", f"compute.n_jobs={n_jobs}"
        cohort = ensure_prepared(study("prepare", *options))
    for person in cohort.subjects:
        measures = json.loads(next((cohort.root / person.participant_id).glob("anat/*_T1w.json")).read_text())
        assert measures["Measures"]["similarity"] > 0.75
        assert measures["Measures"]["gm_correlation"] > 0.65
        assert 0.38 < measures["Measures"]["native_gm_ml"] / measures["Measures"]["native_brain_ml"] < 0.6
    images = [p.relative_to(cohort.root) for p in cohort.root.rglob("*.nii.gz")]
    assert len(images) == 14
    assert [p for p in images if (tmp_path / "1/cohort" / p).read_bytes() != (cohort.root / p).read_bytes()] == []
