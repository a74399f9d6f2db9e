"""kill -9 at random moments, also while a checkpoint is written: nothing is lost, the weights are the same bits."""

import os
import random
import shutil
import signal
import time

import pytest

from tests.faults.conftest import folds, leftovers, training, weights

N_KILLED = int(os.environ.get("FAULTS_KILLED_RUNS", "30"))  # of the slow test


def is_writing(work) -> bool:
    return any(path.name.startswith(".partial-") for fold in folds(work) if fold.is_dir() for path in fold.iterdir())


def run_killed(forge, cohort, work, rng: random.Random, longest_s: float) -> tuple[int, bool]:
    """A training that is killed once or twice, then ends; how often it was killed, and whether while it wrote."""
    n_kills, kills, caught_writing = rng.choice((1, 1, 2)), 0, False
    while kills < n_kills:
        work.mkdir(exist_ok=True)
        child = forge.start(work / "log", *training(cohort.root, work))
        time.sleep(rng.random() * longest_s)
        if rng.random() < 0.5:  # at the next sight of a file that is being written
            child.run_until(lambda: is_writing(work))
        caught_writing |= is_writing(work)
        child.send(signal.SIGKILL)  # a child that has ended is a zombie until it is waited for
        code = child.wait()
        if code == 0 and kills == 0:  # it was faster: once more from the start
            shutil.rmtree(work)
            continue
        if code == 0:
            break
        assert code == -signal.SIGKILL, child.text
        kills += 1
    code, text = forge.run(work / "log", *training(cohort.root, work))
    assert code == 0, text
    return kills, caught_writing


def check(forge, cohort, uninterrupted, tmp_path, n_runs: int) -> dict:
    expected = weights(uninterrupted)
    began = time.monotonic()
    code, _ = forge.run(tmp_path / "log", *training(cohort.root, tmp_path / "timed"))
    assert code == 0
    longest_s = time.monotonic() - began
    rng = random.Random(0)
    found = {"runs": 0, "kills": 0, "while_writing": 0, "different": 0}
    for k in range(n_runs):
        work = tmp_path / f"run-{k:03d}"
        kills, writing = run_killed(forge, cohort, work, rng, longest_s)
        found["runs"] += 1
        found["kills"] += kills
        found["while_writing"] += writing
        found["different"] += weights(work) != expected
        assert leftovers(work) == []
        print(found | {"seconds": round(time.monotonic() - began)}, flush=True)
    return found


def test_a_killed_training_goes_on_and_ends_with_the_same_weights(forge, shared_cohort, uninterrupted, tmp_path):
    found = check(forge, shared_cohort, uninterrupted, tmp_path, n_runs=2)
    assert found["different"] == 0


@pytest.mark.slow
def test_many_killed_trainings_go_on_and_end_with_the_same_weights(forge, shared_cohort, uninterrupted, tmp_path):
    """Number of runs: the environment variable FAULTS_KILLED_RUNS."""
    found = check(forge, shared_cohort, uninterrupted, tmp_path, n_runs=N_KILLED)
    assert found["different"] == 0
    assert found["while_writing"] >= 0.05 * N_KILLED
