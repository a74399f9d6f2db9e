"""Two processes on one folder: 75 for the second; what a dead one left is removed with a message."""

import errno
import json
import os
import platform
import signal
import subprocess
import sys
import time

import pytest

from synthpet.errors import BusyError
from synthpet.runtime import lock
from synthpet.runtime.lock import LOCK, Owner, locked, working_on
from synthpet.runtime.stage import Stage
from tests.faults.conftest import training


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(lock, "WAIT_S", 0.2)


def leave(folder, **changes):
    """A lock file as a process would leave it."""
    owner = {"pid": 2**22 + 1, "host": platform.node(), "began": "1", "machine": lock._machine(), "doing": "test"}
    (folder / LOCK).write_text(json.dumps(owner | changes))


def test_a_second_training_on_the_same_folder_is_refused_and_the_first_one_finishes(forge, shared_cohort, tmp_path):
    work = tmp_path / "work"
    first = forge.start(tmp_path / "first", *training(shared_cohort.root, work), pause_after=("last.ckpt", 1))
    code, text = forge.run(tmp_path / "second", *training(shared_cohort.root, work))
    assert code == 75, text
    assert f"process {first.pid} on {platform.node()} (generator patch3d fold 0" in text
    assert "expected one process at a time" in text
    first.send(signal.SIGCONT)
    assert first.wait() == 0, first.text


def test_the_lock_of_a_dead_process_is_removed_with_a_message(tmp_path, capsys):
    leave(tmp_path, doing="generator patch3d fold 0: sub-07")
    (tmp_path / "sub-01").mkdir()
    (tmp_path / "sub-01" / ".partial-abc").write_text("half")
    with locked(tmp_path, "test"):
        pass
    assert "removed the lock of process 4194305" in (said := capsys.readouterr().out)
    assert "sub-07" in said
    assert list(tmp_path.rglob(".*")) == []


def test_a_process_number_that_was_given_again_is_no_owner(tmp_path, capsys):
    leave(tmp_path, pid=os.getpid(), began="another time")
    with locked(tmp_path, "test"):
        pass
    assert "removed the lock" in capsys.readouterr().out


def test_a_lock_of_another_machine_is_not_touched(tmp_path):
    leave(tmp_path, host="node17", machine="another boot")
    with pytest.raises(BusyError, match=r"node17.*delete"), locked(tmp_path, "test"):
        pass
    assert (tmp_path / LOCK).exists()


def test_a_lock_of_another_machine_that_nobody_touches_any_more_is_removed(tmp_path, capsys):
    leave(tmp_path, host="node17", machine="another boot")
    old = (tmp_path / LOCK).stat().st_mtime - lock.SILENT_S - 1
    os.utime(tmp_path / LOCK, (old, old))
    with locked(tmp_path, "test"):
        pass
    assert "node17" in capsys.readouterr().out


def test_an_owner_touches_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "TOUCH_EVERY_S", 0.02)
    with locked(tmp_path, "test"):
        os.utime(tmp_path / LOCK, (0, 0))
        until = time.monotonic() + 10
        while (tmp_path / LOCK).stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert (tmp_path / LOCK).stat().st_mtime > 0


def test_a_lock_file_that_is_cut_is_no_owner(tmp_path):
    (tmp_path / LOCK).write_text('{"pid": 1')
    with locked(tmp_path, "test"):
        owner = Owner(**json.loads((tmp_path / LOCK).read_text()))
        assert owner.pid == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_a_stage_within_a_stage_of_the_same_folder_needs_no_second_lock(tmp_path):
    inner = Stage("inner", tmp_path, {}, (), "inner.json")

    def make():
        inner.ensure(list)
        return []

    Stage("outer", tmp_path, {}).ensure(make)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner.json", "run.json"]


def test_temporary_files_below_somebody_elses_lock_are_left_alone(tmp_path):
    (tmp_path / "sub-02").mkdir()
    leave(tmp_path / "sub-02", host="node17")
    (tmp_path / "sub-02" / ".partial-x").write_text("being written")
    with locked(tmp_path, "test"):
        pass
    assert (tmp_path / "sub-02" / ".partial-x").exists()


def test_the_lock_says_what_is_worked_on(tmp_path):
    with locked(tmp_path, "synthetic PET"):
        working_on("sub-01")
        working_on("sub-02")
        assert json.loads((tmp_path / LOCK).read_text())["doing"] == "synthetic PET: sub-02"


def test_where_the_file_system_knows_no_locks_the_owners_word_has_to_do(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        leave(tmp_path, pid=other.pid, began=lock._began(other.pid))
        with pytest.raises(BusyError, match=f"process {other.pid}"), locked(tmp_path, "test"):
            pass
        other.communicate(b"\n")
    with locked(tmp_path, "test"):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_that_ends_leaves_its_parents_lock_alone(tmp_path):
    held = locked(tmp_path, "test")
    held.__enter__()
    if (child := os.fork()) == 0:
        held.__exit__(None, None, None)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (tmp_path / LOCK).write_text("")  # so that nothing but the kernel speaks for the parent
    code = f"""
from pathlib import Path
from synthpet.runtime import lock
lock.WAIT_S = 0
with lock.locked(Path({str(tmp_path)!r}), "other"):
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    held.__exit__(None, None, None)
    assert "E_BUSY" in done.stderr
