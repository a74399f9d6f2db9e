"""SIGTERM and Ctrl-C on real commands: a checkpoint within one step, 143 and 130, nothing left over."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.conftest import folds, leftovers, training, weights
from tests.faults.forge import ROOT


def steps_of_checkpoint(fold: Path) -> int:
    from synthpet.learning.model_files import read_checkpoint

    return int(read_checkpoint(fold / "last.ckpt")["state_dict"]["step"])


def rows(fold: Path) -> list[dict]:
    return [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_within_a_step_and_the_rerun_ends_with_the_same_weights(
    forge, shared_cohort, tmp_path, number, expected
):
    """One epoch is the whole training here, so that any checkpoint is one that the signal has caused."""
    options = ("trainer.steps_per_checkpoint=1000", "gan.n_steps=150")
    whole, work = tmp_path / "whole", tmp_path / "work"
    assert forge.run(tmp_path / "log", *training(shared_cohort.root, whole, *options))[0] == 0
    child = forge.start(tmp_path / "log", *training(shared_cohort.root, work, *options))
    fold = folds(work)[0]
    child.wait_for(lambda: (fold / "metrics.jsonl").exists() and '"step"' in (fold / "metrics.jsonl").read_text())
    child.send(number)
    assert child.wait(30) == expected, child.text
    assert "Traceback" not in child.text
    assert "Interrupted. What was finished is kept" in child.text
    assert leftovers(work) == []
    assert 10 <= steps_of_checkpoint(fold) < 150
    code, text = forge.run(tmp_path / "log", *training(shared_cohort.root, work, *options))
    assert code == 0, text
    assert f"continuing from {fold / 'last.ckpt'}" in text
    assert weights(work) == weights(whole)
    assert [row["step"] for row in rows(fold)] == [row["step"] for row in rows(folds(whole)[0])]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGHUP, 129), (signal.SIGQUIT, 131), (signal.SIGTERM, 143)])
def test_a_terminal_that_closes_leaves_no_temporary_folder(tmp_path, number, expected):
    code = (
        "import tempfile, time\n"
        "from synthpet.command.main import _exit_on_error\n"
        "from synthpet.errors import Stopped\n"
        "from synthpet.runtime.signals import stopping_by_signal\n"
        "try:\n"
        f"    with stopping_by_signal(), tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):\n"
        "        print('ready', flush=True)\n"
        "        while True:\n"
        "            time.sleep(0.1)\n"  # a signal just before a long sleep would wait for its end
        "except Stopped as stopped:\n"
        "    _exit_on_error(stopped)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(60) == expected
    assert b"Interrupted. What was finished is kept" in process.stderr.read()
    assert list(tmp_path.iterdir()) == []


def test_a_second_signal_does_not_wait(tmp_path):
    code = (
        "import time\n"
        "from synthpet.runtime.signals import stopping_by_signal, before_stopping\n"
        "with stopping_by_signal(), before_stopping(lambda number: True):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    time.sleep(1.2)
    assert process.poll() is None  # it was promised to stop soon
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert b"Stopped" in errors


@pytest.mark.slow
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_parent_alone_lets_its_worker_processes_save(shared_cohort, tmp_path, number, expected):
    """Two folds side by side in processes of joblib: both save, none is left over."""
    options = ("trainer.steps_per_checkpoint=100000", "gan.n_steps=20000", "compute.n_jobs=2")
    process = start_alone(shared_cohort, tmp_path, *options)
    wait_until_logged(process, tmp_path, 2)
    descendants = children_of(process.pid)
    process.send_signal(number)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == expected, output
    assert "Traceback" not in output
    assert all(steps_of_checkpoint(fold) >= 10 for fold in folds(tmp_path))
    assert leftovers(tmp_path) == []
    wait_until_gone(descendants)


@pytest.mark.slow
def test_workers_of_a_killed_parent_save_and_end(shared_cohort, tmp_path):
    options = ("trainer.steps_per_checkpoint=100000", "gan.n_steps=20000", "compute.n_jobs=2")
    process = start_alone(shared_cohort, tmp_path, *options)
    wait_until_logged(process, tmp_path, 2)
    descendants = children_of(process.pid)
    assert len(descendants) >= 2
    process.kill()
    process.wait(30)
    wait_until_gone(descendants)
    assert all(steps_of_checkpoint(fold) >= 10 for fold in folds(tmp_path))


def start_alone(cohort, work: Path, *options: str) -> subprocess.Popen:
    module, *arguments = training(cohort.root, work, *options)
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def wait_until_logged(process: subprocess.Popen, work: Path, n_folds: int, timeout: float = 240) -> None:
    until = time.monotonic() + timeout
    while sum((fold / "metrics.jsonl").exists() and bool(rows(fold)) for fold in folds(work)) < n_folds:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.1)


def children_of(pid: int) -> list[int]:
    psutil = pytest.importorskip("psutil")
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def wait_until_gone(pids: list[int], timeout: float = 60) -> None:
    psutil = pytest.importorskip("psutil")

    def runs(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    until = time.monotonic() + timeout
    while left := [pid for pid in pids if runs(pid)]:
        assert time.monotonic() < until, f"left over: {left}"
        time.sleep(0.1)
