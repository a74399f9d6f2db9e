"""What is written: headers that say one thing (C11), manifests that are held to (C12), messages without tracebacks."""

import json
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from synthpet.checks.everything import check
from synthpet.checks.results import verify
from synthpet.cohort import Grid, write_image
from synthpet.command.main import compose
from synthpet.errors import DataError
from synthpet.phantom.cohort import ensure_phantom
from synthpet.runtime.stage import Stage
from tests.conftest import study
from tests.robustness.conftest import GRID, asymmetric

TILTED = Grid.of(
    GRID.shape, GRID.matrix @ np.array([[0.9, 0.1, 0, 0], [-0.1, 0.9, 0.2, 3], [0, -0.2, 1, 5], [0, 0, 0, 1]])
)


def header_problems(path) -> list[str]:
    header = nib.load(path).header
    qform, q_code = header.get_qform(coded=True)
    sform, s_code = header.get_sform(coded=True)
    found = [] if header.get_data_dtype() in (np.float32, np.uint8) else ["dtype"]
    found += [] if header.get_xyzt_units()[0] == "mm" else ["unit"]
    found += [] if s_code and (not q_code or np.allclose(qform, sform, atol=0.01)) else ["forms"]
    return found + ([] if not header.extensions and not header["aux_file"].item() else ["left over"])


@pytest.mark.parametrize(
    "data", [asymmetric(), asymmetric().astype(np.float64), asymmetric() > 1], ids="C11-{.dtype}".format
)
@pytest.mark.parametrize("grid", [GRID, TILTED], ids=["straight", "sheared"])
def test_every_image_is_float32_or_uint8_in_mm_with_one_place(tmp_path, data, grid):
    assert header_problems(write_image(tmp_path / "image.nii.gz", data, grid)) == []


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A simulated cohort, written by its command's own stage."""
    work = tmp_path_factory.mktemp("study") / "tiny"
    few = [f"cohort.n_{role}=1" for role in ("paired", "unpaired", "heldout", "patients")]
    ensure_phantom(study("phantom", "study=tiny", f"work_dir={work}", "cohort.resolution_mm=9", *few))
    return work


def test_c11_every_image_of_a_cohort(results):
    images = sorted(results.rglob("*.nii.gz"))
    assert images and {path.name: header_problems(path) for path in images if header_problems(path)} == {}


def test_c12_every_output_is_in_a_manifest_and_unchanged(results):
    report = verify(results)
    assert report.problems == () and report.n_subjects == 1


def test_c12_what_changed_is_missing_or_is_in_no_manifest_is_named(results, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(results, root)
    image, table = next(root.rglob("*T1w.nii.gz")), root / "cohort" / "participants.tsv"
    image.write_bytes(image.read_bytes()[:-1] + b"\7")
    table.unlink()
    (root / "cohort" / "extra.txt").write_text("whose?")
    with pytest.raises(DataError, match="2 errors"):
        check(study("validate", f"verify={root}", f"work_dir={tmp_path / 'work'}"))
    content = json.loads((tmp_path / "work" / "verification.json").read_text())
    found = {(p["code"], p["path"]) for p in content["problems"]}
    assert found == {
        ("E_CHANGED", image.relative_to(root).as_posix()),
        ("E_MISSING", "cohort/participants.tsv"),
        ("E_NOT_LISTED", "cohort/extra.txt"),
    }
    (root / "cohort" / "run.json").write_text("{")
    assert "E_MANIFEST" in {p.code for p in verify(root).problems}
    with pytest.raises(DataError, match="E_NO_MANIFEST"):
        verify(tmp_path / "work")


def test_a_stage_whose_inputs_are_away_is_written_but_not_current(tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("1")
    stage = Stage("x", tmp_path / "out", {"a": 1}, (source,), quiet=True)
    stage.ensure(lambda: [write_image(tmp_path / "out" / "image.nii.gz", asymmetric(), GRID)])
    assert stage.is_current()
    source.write_text("2")
    assert stage.is_written() and not stage.is_current()


BAD_OPTIONS = [
    pytest.param(["gan.n_steps=abc"], "whole number", id="A22-type"),
    pytest.param(["gan.patch_size=[-8,8,8]"], "1 or more", id="A22-negative"),
    pytest.param(["gan.patch_size=[8,8]"], "3 numbers", id="A22-length"),
    pytest.param(["gan.coordinates=2"], "true or false", id="A22-flag"),
    pytest.param(["cohort.n_paired=-3"], "0 or more", id="A22-count"),
]


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS)
def test_a_value_of_the_wrong_kind_is_refused(options, words):
    from synthpet.command.options import check_options
    from synthpet.errors import UsageError

    keys = [option.partition("=")[0] for option in options]
    with pytest.raises(UsageError, match=words):
        check_options(compose("train", *options), compose("train"), keys)


def test_values_of_the_right_kind_and_the_words_beside_numbers_are_taken():
    from synthpet.command.options import check_options

    given = {"gan.n_steps": "7", "normative.smooth_fwhm_mm": "match", "detector.seeds": "[0,1,2]",
             "detector.n_directions": "null", "detection.false_per_scan": "1", "trainer.devices": "auto"}  # fmt: skip
    composed = [
        compose("uad_evaluate", "detector=zmap_conditional", *more)
        for more in ([f"{k}={v}" for k, v in given.items()], [])
    ]
    check_options(*composed, given)


CRASH = """
import sys
from synthpet.command.main import command
sys.argv = ["x", "work_dir=" + {work!r}]
@command("train")
def main(cfg):
    raise {error}
main()
"""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("RuntimeError('surprise')", 70, "E_INTERNAL RuntimeError: surprise"),
        ("MemoryError()", 70, "compute.n_jobs=1"),
        ("OSError(28, 'No space left on device', 'x.nii.gz')", 74, "E_DISK x.nii.gz: No space left"),
    ],
    ids=["internal", "memory", "disk"],
)
def test_no_bare_traceback_the_whole_one_is_in_the_log(tmp_path, error, code, words):
    script = CRASH.format(work=str(tmp_path / "work"), error=error)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert result.returncode == code and words in result.stderr and "Traceback" not in result.stderr
    log = tmp_path / "work" / "error.log"
    assert (code == 70) == log.is_file() == ("error.log" in result.stderr)
    assert code != 70 or "Traceback" in log.read_text()


def test_a22_and_a30_on_the_command_line(tmp_path):
    """Wrong kind: 64 and no folder. Accents, another locale and a folder that cannot be read: 65 and a message."""
    work = tmp_path / "Élève 1"
    run = [sys.executable, "-m", "synthpet.validate"]
    options = {"capture_output": True, "text": True, "timeout": 60, "env": {"LANG": "C", "PATH": "/usr/bin:/bin"}}
    wrong = subprocess.run([*run, f"work_dir={work}", "cohort.resolution_mm=x"], check=False, **options)
    assert wrong.returncode == 64 and not work.exists()
    (tmp_path / "é").mkdir()
    empty = subprocess.run([*run, f"bids_dir={tmp_path / 'é'}", f"work_dir={work}"], check=False, **options)
    assert empty.returncode == 65 and "E_NO_BIDS" in empty.stderr and "Traceback" not in empty.stderr
