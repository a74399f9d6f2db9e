"""Work side by side: results, deaths with names, threads, a real Dask cluster."""

import os
import signal
import subprocess
import sys
import threading
from functools import partial

import pytest

from synthpet.errors import UsageError
from synthpet.runtime.compute import Compute, WorkerDiedError, as_finished, in_processes, in_threads
from tests.conftest import study


def square(number: int) -> int:
    return number * number


def square_unless_killed(number: int, deadly: int) -> int:
    if number == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def fail(number: int) -> int:
    raise ValueError(f"no square of {number}")


def name(number: int) -> str:
    return f"sub-{number:02d}"


@pytest.fixture(params=["local", "dask"])
def two(request) -> Compute:
    if request.param == "dask":
        pytest.importorskip("distributed", reason="the extra dask is not installed")
    return Compute(request.param, 2)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_item_comes_with_its_result(n_jobs):
    found = dict(in_processes(square, [3, 1, 2], Compute(n_jobs=n_jobs)))
    assert found == {3: 9, 1: 1, 2: 4}


def test_nothing_to_do_starts_nothing():
    assert list(as_finished(square, [], Compute("dask", 2, address="tcp://127.0.0.1:1"))) == []


def test_a_killed_worker_is_reported_with_the_name_and_the_others_finish(two):
    found = dict(as_finished(partial(square_unless_killed, deadly=2), [0, 1, 2, 3, 4], two, name=name))
    died = found.pop(2)
    assert found == {0: 0, 1: 1, 3: 9, 4: 16}
    assert isinstance(died, WorkerDiedError)
    assert "E_WORKER sub-02" in str(died)
    assert "compute.n_jobs=1" in str(died)


def test_where_nobody_may_be_missing_a_death_is_an_error_with_the_name():
    work = partial(square_unless_killed, deadly=7)
    with pytest.raises(WorkerDiedError, match="E_WORKER sub-07"):
        list(in_processes(work, [7, 1], Compute(n_jobs=2), name=name))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_of_the_work_itself_comes_through(n_jobs):
    with pytest.raises(ValueError, match="no square of 5"):
        list(in_processes(fail, [5], Compute(n_jobs=n_jobs)))


def test_threads_share_memory_and_keep_the_order():
    seen = {}

    def remember(number: int) -> int:
        seen[number] = threading.current_thread().name
        return -number

    assert list(in_threads(remember, range(5), 2)) == [0, -1, -2, -3, -4]
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_the_configuration_says_where_and_wrong_values_are_refused():
    assert study("prepare", "bids_dir=x").compute == Compute("local", 2)
    assert study("prepare", "bids_dir=x", "compute=dask", "compute.n_jobs=3").compute.backend == "dask"
    with pytest.raises(UsageError, match="backend='slurm': expected local or dask"):
        Compute.of({"backend": "slurm", "n_jobs": 2})
    with pytest.raises(UsageError, match="n_jobs=0: expected"):
        Compute.of({"n_jobs": 0})


def test_without_dask_the_message_says_how_to_install_it():
    code = (
        "import sys; sys.modules['dask'] = None\n"
        "from synthpet.runtime.compute import Compute, as_finished\n"
        "try: list(as_finished(str, [1], Compute('dask', 1)))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "UsageError compute=dask needs Dask: pip install 'synthpet-uad[dask]'" in result.stdout


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    monkeypatch.setattr("synthpet.runtime.compute.CONNECT_S", 1)
    with pytest.raises(UsageError, match=r"compute.memory_per_worker=much: expected a size such as 4GB"):
        list(in_processes(abs, [1], Compute("dask", memory_per_worker="much")))
    with pytest.raises(UsageError, match=r"compute.address=tcp://127.0.0.1:1: no Dask scheduler answers"):
        list(as_finished(square, [1], Compute("dask", 1, address="tcp://127.0.0.1:1")))
