"""One new patient: the command on a simulated cohort, and what it refuses."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthpet.cohort import Cohort, read_image, write_image
from synthpet.cohort.files import read_tsv, sha256, write_json
from synthpet.cohort.index import write_participants
from synthpet.cohort.names import sidecar_path
from synthpet.errors import DataError, DataLeakageError, UsageError
from tests.conftest import study
from uad.detect import check_cohort_is_said
from uad.evaluation.run import ensure_evaluation, say_evaluation
from uad.new_patient.run import ensure_detection

OPTIONS = ("study=tiny", "detector=zmap")


def test_nobody_is_judged_against_simulated_people_unless_that_is_said():
    with pytest.raises(UsageError, match=r"cohort: was not given.*cohort=phantom"):
        check_cohort_is_said("phantom", ["t1w=a.nii", "detector=zmap"])
    for said in (["cohort=phantom"], ["study=tiny"]):
        check_cohort_is_said("phantom", said)
    check_cohort_is_said("folder", [])


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """The tiny simulated cohort with a z-map detector, its patients evaluated."""
    folder = tmp_path_factory.mktemp("detect")
    ensure_evaluation(study("uad_evaluate", *OPTIONS, f"work_dir={folder}"))
    return folder


@pytest.fixture
def cohort(work) -> Cohort:
    return Cohort.open(work / "cohort")


@pytest.fixture
def images(cohort, tmp_path) -> dict[str, Path]:
    """T1, PET and mask of a patient of the cohort, under names that say nothing."""
    who = cohort.select("patient")[0].participant_id
    found = {}
    for name, kind in (("t1w", "t1w"), ("pet", "pet"), ("mask", "brain_mask")):
        found[name] = Path(shutil.copy(cohort.path(who, kind), tmp_path / f"{name}.nii.gz"))
    return found


def detect(work, images, *more):
    overrides = [*OPTIONS, f"work_dir={work}", *(f"{k}={v}" for k, v in images.items()), *more]
    return ensure_detection(study("uad_detect", *overrides))


def test_the_command_examines_a_patient_and_finds_it_up_to_date_the_second_time(work, images, tmp_path):
    command = [sys.executable, "-m", "uad.detect", *OPTIONS, f"work_dir={work}", "name=typed"]
    command += [f"t1w={images['t1w']}", f"pet={images['pet']}"]
    for said in ("detection typed: making", "detection typed: up to date"):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert result.returncode == 0, result.stderr
        assert said in result.stdout
        assert f"written: {work / 'detect-typed' / 'report.html'}" in result.stdout
    folder = work / "detect-typed"
    rows, summary = read_tsv(folder / "clusters.tsv"), json.loads((folder / "summary.json").read_text())
    assert summary["n_candidates"] + summary["n_weaker"] == len(rows)
    assert [row["candidate"] for row in rows].count("true") == summary["n_candidates"]
    assert list(json.loads((folder / "clusters.json").read_text())) == list(
        (folder / "clusters.tsv").read_text().splitlines()[0].split("\t")
    )
    page = (folder / "report.html").read_text()
    assert 10_000 < len(page) < 3_000_000
    assert "PET uptake by region" in page and len(read_tsv(folder / "regions.tsv")) == 84
    outputs = json.loads((folder / "run.json").read_text())["outputs"]
    assert {"regions.tsv", "regions.json", "report.pdf"} <= set(outputs)
    assert 'href="report.pdf"' in page and (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "For research only" in page and "SIMULATED CONTROLS" in page  # no sidecar says that the patient is, too
    assert str(tmp_path) not in page
    if shutil.which("pdftotext"):
        words = subprocess.run(
            ["pdftotext", folder / "report.pdf", "-"], capture_output=True, text=True, check=True
        ).stdout
        assert sha256(folder / "report.html") in words and str(tmp_path) not in words


def test_a_patient_of_the_cohort_gets_the_clusters_of_the_evaluation(work, cohort):
    subject = cohort.select("patient")[0].participant_id
    folder = detect(work, {"t1w": cohort.path(subject, "t1w"), "pet": cohort.path(subject, "pet")})
    assert folder.name == f"detect-{subject}"
    evaluated = read_tsv(work / "evaluation-zmap-real" / "clusters.tsv")
    expected = [{k: v for k, v in row.items() if k not in ("participant_id", "seed")} for row in evaluated
                if row["participant_id"] == subject]  # fmt: skip
    assert read_tsv(folder / "clusters.tsv") == expected
    assert "SIMULATED: the images on this page" in (folder / "report.html").read_text()


def test_without_a_pet_the_cost_is_told(work, images, capsys):
    folder = detect(work, {"t1w": images["t1w"]}, "name=t1only")
    said = capsys.readouterr().out
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["detector"], summary["pet"]) == ("zmap_t1w", False)
    assert not (folder / "regions.tsv").exists() and "by region" not in (folder / "report.html").read_text()
    both, alone = (
        json.loads((work / f"evaluation-{d}-real" / "summary.json").read_text())["n_detected"]
        for d in ("zmap", "zmap_t1w")
    )
    words = rf"of 2 known lesions .* find {both}, the T1 alone {alone}"
    assert re.search(words, said) and re.search(words, (folder / "report.html").read_text())
    with pytest.raises(UsageError, match=r"detect.without_pet=asymmetry: needs a PET"):
        detect(work, {"t1w": images["t1w"]}, "detect.without_pet=asymmetry")


def test_a_cohort_without_patients_serves_and_says_that_the_cost_is_unknown(work, cohort, images, tmp_path, capsys):
    root = Path(shutil.copytree(cohort.root, tmp_path / "controls"))
    write_participants(root, cohort.select("paired", "heldout"), name="controls", simulated=True)
    overrides = [f"cohort={root}", f"work_dir={tmp_path / 'out'}", "detector=zmap", f"t1w={images['t1w']}"]
    ensure_detection(study("uad_detect", *overrides))
    assert "What that costs is unknown" in capsys.readouterr().out


@pytest.mark.parametrize("role", ["paired", "heldout"])
def test_the_images_of_a_control_are_refused_under_any_name(work, cohort, images, role):
    control = cohort.select(role)[0].participant_id
    for kind in ("t1w", "pet"):
        data, grid = read_image(cohort.path(control, kind))
        write_image(images[kind], data, grid, description="somebody else")
    with pytest.raises(DataLeakageError, match=rf"t1w.nii.gz: holds the same voxels as .* of control {control}"):
        detect(work, images, f"name=leak-{role}")
    folder = detect(work, images, f"name=forced-{role}", "force=true")
    assert "FORCED" in (folder / "report.html").read_text()


def test_a_synthetic_pet_is_refused(work, images):
    write_json(sidecar_path(images["pet"]), {"Synthetic": True})
    with pytest.raises(DataError, match=r"E_SYNTHETIC .*pet.nii.gz"):
        detect(work, images)
    sidecar_path(images["pet"]).unlink()
    data, grid = read_image(images["pet"])
    write_image(images["pet"], data, grid, description="SYNTHETIC FDG PET (synthpet), not a measurement")
    with pytest.raises(DataError, match=r"E_SYNTHETIC .*pet.nii.gz"):
        detect(work, images)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def _change(path, change):
    image = nib.load(path)
    nib.save(nib.Nifti1Image(change(np.asarray(image.dataobj)), image.affine), path)


def _swap_with_pet(path):
    pet = path.with_name("pet.nii.gz")
    shutil.move(path, path.with_name("x"))
    shutil.move(pet, path)
    shutil.move(path.with_name("x"), pet)


def _as_mgh(path):
    nib.save(nib.MGHImage(np.ones((5, 5, 5), np.float32), np.eye(4)), path.with_name("x.mgz"))
    shutil.move(path.with_name("x.mgz"), path)


BAD = {
    "missing": ("t1w", lambda path: path.unlink(), r"E_MISSING t1w=.*no such file; expected a NIfTI"),
    "cut": ("pet", _cut, r"E_TRUNCATED .*pet.nii.gz"),
    "no image": ("t1w", lambda path: path.write_text("hello"), r"E_NOT_GZIP .*t1w.nii.gz"),
    "another grid": ("pet", lambda path: _change(path, lambda d: d[1:]), r"E_GRID .*pet.nii.gz(.|\n)*synthpet.prepare"),
    "zeros": ("t1w", lambda path: _change(path, lambda d: 0 * d), r"E_CONSTANT .*t1w.nii.gz: all zeros"),
    "zero PET": ("pet", lambda path: _change(path, lambda d: 0 * d), r"E_CONSTANT .*pet.nii.gz: all zeros"),
    "nan": ("pet", lambda path: _change(path, lambda d: np.where(d > 1, np.nan, d)), r"E_NONFINITE .*pet.nii.gz: n="),
    "becquerel": ("pet", lambda path: _change(path, lambda d: 9000 * d), r"E_UNITS .*pet.nii.gz: mean .*SUVR"),
    "half a PET": ("pet", lambda path: _change(path, lambda d: d * (np.indices(d.shape)[2] < 14)), "E_FIELD_OF_VIEW"),
    "the T1 twice": (
        "pet",
        lambda path: shutil.copy(path.with_name("t1w.nii.gz"), path),
        r"E_SAME .*pet.nii.gz: holds the same",
    ),
    "T1 and PET swapped": ("t1w", _swap_with_pet, r"E_SWAPPED .*t1w.nii.gz: the PET is like the template's T1"),
    "T1 upside down": (
        "t1w",
        lambda path: _change(path, lambda d: d[:, :, ::-1]),
        r"E_ORIENTATION .*t1w.nii.gz: it",
    ),
    "FreeSurfer's": ("t1w", _as_mgh, r"E_NOT_NIFTI .*t1w.nii.gz: FreeSurfer's format is not read; convert it"),
    "empty mask": ("mask", lambda path: _change(path, lambda d: 0 * d), r"E_CONSTANT .*its brain mask is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_image_is_named_with_what_was_expected(work, images, case):
    which, spoil, words = BAD[case]
    spoil(images[which])
    with pytest.raises(DataError, match=words):
        detect(work, images, "name=bad")
    assert not (work / "detect-bad").exists()


def test_a_whole_head_without_a_mask_is_refused(work, images):
    _change(images["t1w"], lambda data: data + np.random.default_rng(0).uniform(0.05, 0.1, data.shape).astype("f4"))
    with pytest.raises(DataError, match=r"E_MASK .*t1w.nii.gz: not skull-stripped .*mask=<file>"):
        detect(work, {"t1w": images["t1w"], "pet": images["pet"]})


def test_the_mask_beside_the_t1_is_taken(work, cohort, images, tmp_path):
    t1w = tmp_path / "sub-x_desc-preproc_T1w.nii.gz"
    shutil.copy(images["t1w"], t1w)
    mask, grid = read_image(images["mask"])
    mask[: mask.shape[0] // 2] = 0  # the right half
    write_image(tmp_path / "sub-x_desc-brain_mask.nii.gz", mask > 0, grid)
    folder = detect(work, {"t1w": t1w, "pet": images["pet"]})
    assert folder.name == "detect-sub-x"
    z = read_image(next(folder.glob("*zmap.nii.gz")))[0]
    assert not z[mask == 0].any() and z.any()


@pytest.mark.parametrize("name", ["../up", "a b", "x" * 65, "'<script>'"])
def test_a_name_that_is_no_name_is_refused(images, work, name):
    with pytest.raises(UsageError, match=r"expected (1 to 64 letters|the name of a folder)"):
        detect(work, images, f"name='{name.strip(chr(39))}'")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 64, "t1w: expected the patient's T1"),
        (["t1w=no.nii.gz", "pet=nor.nii"], 65, "E_MISSING t1w=no.nii.gz, pet=nor.nii: no such file"),
    ],
)
def test_the_command_says_what_is_wrong_before_it_makes_anything(tmp_path, arguments, code, words):
    command = [sys.executable, "-m", "uad.detect", *OPTIONS, *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert result.returncode == code
    assert words in result.stderr and "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_help_answers_at_once_and_loads_nothing_heavy():
    code = (
        "import sys, runpy; sys.argv = ['x', '--help']\n"
        "try: runpy.run_module('uad.detect', run_name='__main__', alter_sys=True)\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'nilearn', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "python -m uad.detect" in result.stdout
    assert result.stdout.strip().endswith("[]")


def test_a_loop_over_files_of_one_name_replaces_nobodys_page(work, cohort, tmp_path):
    """``<id>/T1.nii.gz``: nothing says who it is, so the second one needs a name; a folder named by BIDS is one."""
    first, second = cohort.select("patient")[:2]
    folders = {}
    for who, folder in ((first, "one"), (second, "two"), (second, "sub-09x")):
        folders[folder] = tmp_path / folder / "T1.nii.gz"
        folders[folder].parent.mkdir()
        shutil.copy(cohort.path(who.participant_id, "t1w"), folders[folder])
    place = [f"work_dir={tmp_path / 'work'}", f"cohort={cohort.root}", "detector=zmap_t1w"]

    def examine(folder, *more):
        overrides = [*place, f"t1w={folders[folder]}", *more]
        return ensure_detection(study("uad_detect", *overrides))

    page = (examine("one") / "report.html").read_bytes()
    with pytest.raises(UsageError, match=r"E_CLAIMED .*detect-patient: .*from other people.*name="):
        examine("two")
    assert (tmp_path / "work" / "detect-patient" / "report.html").read_bytes() == page
    assert examine("two", "name=two").name == "detect-two"
    assert examine("sub-09x").name == "detect-sub-09x"
    told = (tmp_path / "work" / "detect-two" / "run.json").read_text()
    assert list(json.loads(told)["inputs"]) == ["t1w"] and "T1.nii.gz" not in told and tmp_path.name not in told


def test_what_an_evaluation_found_is_said_when_it_is_up_to_date_as_well(work, capsys):
    folder = ensure_evaluation(study("uad_evaluate", *OPTIONS, f"work_dir={work}"))
    say_evaluation(folder)
    said = capsys.readouterr().out
    assert "up to date" in said and "of 2 lesions detected" in said
    assert said.splitlines()[-1] == f"written: {folder / 'report.html'}"


def test_what_is_known_of_the_patient_and_how_images_are_shown_is_on_the_page(work, images):
    options = ("name=shown", "patient_age=80", "patient_sex=M", "display.convention=radiological")
    page = (detect(work, images, *options, "display.pet_colours=gray_r") / "report.html").read_text()
    assert "AGE: this person is 80 years old" in page and "80 years, M; controls" in page
    assert "RIGHT of the patient, the radiological convention" in page and "the neurological" not in page
