"""A worker that is killed, raises or hangs; too little memory: a message with the name, no hang, nothing left over."""

import os
import signal
import threading
import time
from functools import partial

import pytest

from synthpet.runtime import worker
from synthpet.runtime.compute import Compute, as_finished, in_processes
from synthpet.runtime.lock import LOCK
from tests.faults.conftest import training


def name(number: int) -> str:
    return f"sub-{number:02d}"


def hang_at(number: int, bad: int) -> int:
    if number == bad:
        time.sleep(600)
    return number


def wait_and_look_at(number: int, bad: int) -> int:
    """As a training whose loaders give nothing: it wakes up now and then, which uses a little of a processor."""
    until = time.monotonic() + 600
    while number == bad and time.monotonic() < until:
        time.sleep(0.01)
        sum(range(2000))
    return number


def fail_at(number: int, bad: int) -> int:
    if number == bad:
        raise ZeroDivisionError("of no help")
    return number


def work_on_and_off(number: int) -> int:
    for _ in range(14):
        time.sleep(0.3)
        sum(range(2_000_000))
    return number


def test_a_worker_that_uses_no_processor_is_ended_and_named_and_the_others_finish(monkeypatch):
    monkeypatch.setattr(worker, "HANG_S", 2.0)
    found = dict(as_finished(partial(hang_at, bad=1), [0, 1, 2, 3], Compute(n_jobs=2), name=name))
    hung = found.pop(1)
    assert found == {0: 0, 2: 2, 3: 3}
    assert "E_WORKER sub-01" in str(hung)
    assert "it used no processor for 2 s" in str(hung)


def test_a_worker_that_waits_and_only_looks_now_and_then_is_ended_too(monkeypatch):
    monkeypatch.setattr(worker, "HANG_S", 2.0)
    monkeypatch.setattr(worker, "IDLE_SHARE", 0.1)
    found = dict(as_finished(partial(wait_and_look_at, bad=1), [0, 1], Compute(n_jobs=2), name=name))
    assert found[0] == 0 and "it used no processor for 2 s" in str(found[1])


def test_a_worker_that_works_now_and_then_is_left_alone(monkeypatch):
    monkeypatch.setattr(worker, "HANG_S", 3.0)
    assert dict(as_finished(work_on_and_off, [4], Compute(n_jobs=2), name=name)) == {4: 4}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_that_is_none_of_ours_comes_with_the_name(n_jobs):
    with pytest.raises(ZeroDivisionError) as error:
        list(in_processes(partial(fail_at, bad=2), [1, 2], Compute(n_jobs=n_jobs), name=name))
    assert error.value.__notes__ == ["while working on sub-02"]


def test_no_threads_are_left_over():
    list(in_processes(partial(fail_at, bad=9), [1, 2], Compute(n_jobs=2), name=name))
    assert "ending_hangs" not in {thread.name for thread in threading.enumerate()}


def test_too_little_memory_is_70_with_advice(forge, shared_cohort, tmp_path):
    """A real refusal: the process may not address the memory that a batch of this size takes."""
    options = ("gan.batch_size=4000", "gan.patch_size=[20,24,20]", "gan.generator.channels=[32,64]")
    command = training(shared_cohort.root, tmp_path / "work", *options)
    code, text = forge.run(tmp_path / "log", *command, limit=6 * 1024**3)
    assert code == 70, text
    assert "Too little memory" in text
    for advice in ("gan.batch_size", "gan.patch_size", "while working on generator patch3d fold 0"):
        assert advice in text
    assert "Traceback" not in text


def test_a_process_killed_alone_is_named_by_the_next_run(forge, shared_cohort, tmp_path):
    """With compute.n_jobs=1 nobody is left to report it at once."""
    work = tmp_path / "work"
    command = training(shared_cohort.root, work)
    child = forge.start(tmp_path / "log", *command)
    lock = work / "gan-patch3d" / "fold-1" / LOCK
    child.wait_for(lambda: lock.exists() and "fold 1" in lock.read_text())  # it is written after it is there
    child.send(signal.SIGSTOP)  # so that it does not end before the next line
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    code, text = forge.run(tmp_path / "log", *command)
    assert code == 0, text
    assert f"removed the lock of process {child.pid}" in text
    assert "generator patch3d fold 1" in text
    assert "compute.n_jobs=1" in text
