"""What is written passes the official BIDS validator: no errors (it also has recommendations, which are not ours)."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synthpet.completion.write import ensure_completed
from synthpet.phantom.cohort import ensure_phantom
from synthpet.phantom.raw_dataset import ensure_raw
from synthpet.prepare.cohort import ensure_prepared
from tests.conftest import study
from tests.test_training import configure  # a small configuration of training

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
PEOPLE = ("cohort.n_paired=1", "cohort.n_unpaired=0", "cohort.n_heldout=0", "cohort.n_patients=1")


def errors(folder: Path) -> list[str]:
    """The validator's errors about a folder: code and file."""
    program = VALIDATOR if VALIDATOR.is_file() else shutil.which("bids-validator-deno")
    if program is None:
        pytest.skip("no bids-validator-deno; pip install -e '.[dev]'")
    result = subprocess.run([program, folder, "--format", "json"], capture_output=True, text=True, timeout=120)
    issues = json.loads(result.stdout)["issues"]["issues"]
    assert issues, "the validator always recommends something"
    return [f"{i['code']} {i.get('subCode', '')} {i.get('location')}" for i in issues if i["severity"] == "error"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Simulated raw BIDS: T1, FLAIR, dynamic PET, a lesion drawn on the T1."""
    folder = tmp_path_factory.mktemp("simulated") / "raw"
    return ensure_raw(study("phantom", f"raw={folder}", *PEOPLE, "raw_flair_share=1", "compute.n_jobs=1"))


@pytest.mark.slow
def test_simulated_raw_data_and_the_cohort_prepared_from_them_are_valid(raw, tmp_path):
    assert errors(raw) == []
    assert errors(raw / "derivatives" / "lesions") == []
    quick = ("registration=affine", "cohort.resolution_mm=4", "compute.n_jobs=1")
    root = ensure_prepared(study("prepare", f"bids_dir={raw}", f"work_dir={tmp_path}", *quick)).root
    kinds = {path.name.rpartition("_")[2].partition(".")[0] for path in root.rglob("*.nii.gz")}
    assert {"T1w", "FLAIR", "pet", "mask", "probseg"} <= kinds
    assert (root / "report.html").is_file() and list(root.glob("sub-*/figures/*.webp"))
    assert errors(root) == []


def test_a_simulated_cohort_is_valid(tmp_path):
    assert errors(Path(ensure_phantom(study("phantom", "study=tiny", *PEOPLE, f"work_dir={tmp_path}")))) == []


def test_a_completed_control_set_is_valid(shared_cohort, tmp_path):
    assert errors(ensure_completed(configure(shared_cohort, tmp_path, "complete.residual=resampled"))) == []


def test_the_validator_finds_a_misnamed_file(tmp_path):
    root = Path(ensure_phantom(study("phantom", "study=tiny", *PEOPLE, f"work_dir={tmp_path}")))
    t1w = next(root.rglob("*_T1w.nii.gz"))
    t1w.rename(t1w.with_name("T1.nii.gz"))
    assert any("T1.nii.gz" in error for error in errors(root))
