"""The one place where work runs side by side: threads or processes here (joblib), or a Dask cluster."""

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from synthpet.errors import SynthPetError, UsageError
from synthpet.runtime import worker
from synthpet.runtime.lock import working_on
from synthpet.runtime.signals import before_stopping
from synthpet.runtime.worker import do_marked, ending_hangs, named, stop_workers

T = TypeVar("T")
R = TypeVar("R")
CONNECT_S = 20  # how long a Dask scheduler has to answer


class WorkerDiedError(SynthPetError):
    """A process ended before it gave its result: killed, out of memory, or crashed in compiled code."""


@dataclass(frozen=True)
class Compute:
    """Where work runs.

    ``backend``: local or dask; ``n_jobs``: processes side by side; for Dask ``address``: of a scheduler that is there,
    ``tcp://host:8786`` or its scheduler file, None: a cluster on this machine; ``memory_per_worker``: such as 4GB,
    above which Dask ends a worker of that cluster.
    """

    backend: str = "local"
    n_jobs: int = 1
    address: str | None = None
    memory_per_worker: str | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Compute":
        """From the configuration's group ``compute``.

        Raises:
            UsageError: a value that is not allowed.
        """
        compute = cls(**{key: settings[key] for key in cls.__dataclass_fields__ if key in settings})
        if compute.backend not in ("local", "dask"):
            raise UsageError(f"compute.backend={compute.backend!r}: expected local or dask")
        if not isinstance(compute.n_jobs, int) or compute.n_jobs < 1:
            raise UsageError(f"compute.n_jobs={compute.n_jobs!r}: expected a number of processes, 1 or more")
        return compute

    def at_most(self, n_jobs: int) -> "Compute":
        """The same with no more processes than that."""
        return replace(self, n_jobs=max(1, min(self.n_jobs, n_jobs)))


def in_threads(work: Callable[[T], R], items: Iterable[T], n_jobs: int) -> Iterator[R]:
    """Results in the order of the items; threads share what ``work`` holds instead of copying it."""
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=n_jobs, prefer="threads", require="sharedmem", return_as="generator")(
        delayed(work)(item) for item in items
    )


def in_processes(
    work: Callable[[T], R], items: Sequence[T], compute: Compute, *, name: Callable[[T], str] = str
) -> Iterator[tuple[T, R]]:
    """Each item with its result, as they finish.

    Args:
        work: a function of a module, or a ``partial`` of one: it is sent to the processes.
        items: what it is called with.
        compute: where.
        name: how a message calls an item.

    Raises:
        WorkerDiedError: a process died; the message names the item. The other items have been yielded before.
    """
    dead = []
    for item, result in as_finished(work, items, compute, name=name):
        if isinstance(result, WorkerDiedError):
            dead.append(result)
        else:
            yield item, result
    if dead:
        raise WorkerDiedError("\n".join(map(str, dead)))


def as_finished(
    work: Callable[[T], R], items: Sequence[T], compute: Compute, *, name: Callable[[T], str] = str
) -> Iterator[tuple[T, R | WorkerDiedError]]:
    """As ``in_processes``, but a death is a result like any other, and the rest goes on."""
    if not items:
        return
    if compute.backend == "dask":
        yield from _with_dask(work, items, compute, name)
    elif compute.n_jobs == 1:
        for item in items:
            working_on(name(item))
            yield item, named(work, item, name(item))
    else:
        yield from _with_joblib(work, items, compute.n_jobs, name)


def _died(name: str, what: str = "") -> WorkerDiedError:
    return WorkerDiedError(
        f"E_WORKER {name}: its process ended without a result{what}; often there was too little memory "
        "(fewer at once: compute.n_jobs=1). The same command goes on from what is finished"
    )


def _with_joblib(
    work: Callable[[T], R], items: Sequence[T], n_jobs: int, name: Callable[[T], str]
) -> Iterator[tuple[T, R | WorkerDiedError]]:
    """Processes of joblib; after a death those that were running are tried alone, which shows whose it was."""
    left = dict(enumerate(items))
    hung: set[int] = set()
    with tempfile.TemporaryDirectory(prefix="synthpet-") as folder, ending_hangs(Path(folder), hung):
        marks = Path(folder)

        def stop_first(_: int) -> bool:
            stop_workers(marks)
            return False

        with before_stopping(stop_first):
            while left:
                for number, result in _joblib_pool(work, dict(left), n_jobs, marks, name):
                    yield left.pop(number), result
                for number in [number for number in left if (marks / str(number)).exists()]:
                    one = {} if number in hung else {number: left[number]}
                    alone = dict(_joblib_pool(work, one, 2, marks, name))
                    item = left.pop(number)
                    why = f" (it used no processor for {worker.HANG_S:g} s and was ended)" if number in hung else ""
                    (marks / str(number)).unlink(missing_ok=True)
                    yield item, alone.get(number, _died(name(item), why))


def _joblib_pool(
    work: Callable[[T], R], items: Mapping[int, T], n_jobs: int, marks: Path, name: Callable[[T], str]
) -> Iterator[tuple[int, R]]:
    """Numbers and results as they finish, up to the end or a worker's death."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    tasks = (delayed(do_marked)(work, number, item, name(item), marks) for number, item in items.items())
    # A process that has grown by a training is replaced by a new one: nothing that a user has to do anything about
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    try:
        # One task at a time is handed out, so that a mark means that somebody works on it
        yield from Parallel(n_jobs=n_jobs, batch_size=1, backend="loky", return_as="generator_unordered")(tasks)
    except TerminatedWorkerError:
        return


def _with_dask(
    work: Callable[[T], R], items: Sequence[T], compute: Compute, name: Callable[[T], str]
) -> Iterator[tuple[T, R | WorkerDiedError]]:
    with _dask_client(compute) as client:
        from distributed import KilledWorker, as_completed

        futures = {client.submit(work, item, pure=False): item for item in items}
        suspects = []
        for future in as_completed(list(futures)):
            item = futures.pop(future)
            if isinstance(future.exception(), KilledWorker):
                suspects.append(item)  # it, or another one that waited at the same worker
            else:
                yield item, future.result()
            future.release()
        for item in suspects:
            alone = client.submit(work, item, pure=False)
            error = alone.exception()
            where = f" on {error.last_worker.address}" if isinstance(error, KilledWorker) else ""
            yield item, _died(name(item), where) if where else alone.result()


@contextmanager
def _dask_client(compute: Compute) -> Iterator[Any]:
    """A client of the scheduler at ``address``, or of a cluster on this machine that ends with the work."""
    try:
        import dask.utils
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UsageError("compute=dask needs Dask: pip install 'synthpet-uad[dask]', or compute=local") from error

    if compute.address is not None:
        where = (
            {"scheduler_file": compute.address} if compute.address.endswith(".json") else {"address": compute.address}
        )
        try:
            client = Client(**where, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise UsageError(f"compute.address={compute.address}: no Dask scheduler answers there ({error})") from error
        with client:
            yield client
        return
    try:
        dask.utils.parse_bytes(compute.memory_per_worker or "1GB")
    except ValueError as error:
        raise UsageError(
            f"compute.memory_per_worker={compute.memory_per_worker}: expected a size such as 4GB, or null"
        ) from error
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=compute.n_jobs,
            threads_per_worker=1,
            memory_limit=compute.memory_per_worker or "auto",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
