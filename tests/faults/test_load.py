"""Many subjects through validate, complete and evaluate: seconds and memory, and nobody is lost."""

import json
import os
import subprocess
import sys
import time

import pytest

from synthpet.cohort import Cohort, Subject
from synthpet.cohort.files import read_tsv
from synthpet.cohort.index import write_participants
from tests.conftest import write_subject
from tests.faults.conftest import SMALL
from tests.faults.forge import ROOT

N_SUBJECTS = int(os.environ.get("FAULTS_SUBJECTS", "200"))
PARTS = {"paired": 0.3, "unpaired": 0.6, "heldout": 0.05, "patient": 0.05}


def write_many(root, n: int) -> Cohort:
    roles = [role for role, part in PARTS.items() for _ in range(round(part * n))]
    subjects = [
        Subject(f"sub-{k:05d}", "patient" if role == "patient" else "control", role, 20.0 + k % 60, "FM"[k % 2], "A")
        for k, role in enumerate(roles)
    ]
    for seed, subject in enumerate(subjects):
        write_subject(root, subject, seed)
    write_participants(root, subjects, name="many", simulated=True)
    return Cohort.open(root)


def measure(module: str, *arguments: str) -> dict:
    """Exit code, seconds, and GB of the largest process."""
    began = time.monotonic()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    found = {
        "command": module,
        "code": os.waitstatus_to_exitcode(status),
        "seconds": round(time.monotonic() - began),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime),
        "largest_process_GB": round(usage.ru_maxrss / 1024**2, 2),
    }
    print(json.dumps(found), flush=True)
    return found


@pytest.mark.slow
def test_many_subjects(tmp_path):
    """How many: the environment variable FAULTS_SUBJECTS."""
    cohort = write_many(tmp_path / "cohort", N_SUBJECTS)
    work = tmp_path / "work"
    options = (f"cohort={cohort.root}", f"work_dir={work}")
    assert measure("synthpet.validate", *options)["code"] == 0
    for module in ("synthpet.complete", "synthpet.evaluate", "synthpet.evaluate"):  # the last one finds all up to date
        found = measure(module, *options, *SMALL)
        assert found["code"] == 0
        assert found["largest_process_GB"] < 4
    made = {path.name.partition("_")[0] for path in work.glob("synthetic-patch3d/sub-*/pet/*desc-synthetic_pet.nii.gz")}
    assert made == {subject.participant_id for subject in cohort.subjects}
    measured = {row["participant_id"] for row in read_tsv(work / "synthetic-patch3d" / "quality.tsv")}
    assert measured >= {s.participant_id for s in cohort.select("paired", "heldout")}
