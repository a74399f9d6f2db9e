"""One process at a time writes into a folder: ``.lock`` names the process and is held by the kernel (``filelock``).

A process that dies loses the kernel's lock but leaves the file, which says what it was doing when it ended. Locks of
the kernel do not reach every machine that shares a disk: a living owner also touches its file all the time. Both are
ours: filelock's own records tell neither what was being done nor a machine from a container of it, and its leases
take a folder away from a process that is only slow.
"""

import errno
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthpet.errors import BusyError
from synthpet.runtime.console import say

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".lock"
PARTIAL = ".partial-*"  # temporary files of ``synthpet.cohort.files``
TOUCH_EVERY_S = 30.0
SILENT_S = 300.0  # an owner on another machine that has not touched its lock for so long is dead
WAIT_S = 4.0  # the worker processes of a command that was just killed need as long to end
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # of a file system that knows none
_HELD: dict[Path, "Owner"] = {}  # of this process, the latest last


@dataclass(frozen=True)
class Owner:
    """Who writes: process, machine, when the process began (so that a reused number is seen), and what it does."""

    pid: int
    host: str
    began: str
    machine: str
    doing: str

    @classmethod
    def this_process(cls, doing: str) -> "Owner":
        """The process that asks."""
        return cls(os.getpid(), platform.node(), _began(os.getpid()), _machine(), doing)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it ran on a machine whose processes cannot be seen from here."""
        return self.machine != _machine() and self.host != platform.node()

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs on this machine."""
        return self.machine == _machine() and bool(self.began) and _began(self.pid) == self.began

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.doing})"


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold a folder's lock; what a dead process left behind (lock, temporary files) is removed with a message.

    Raises:
        BusyError: another process holds it, or one of another machine left it.
    """
    path = Path(folder).resolve() / LOCK
    if path in _HELD:
        yield
        return
    owner = Owner.this_process(doing)
    lock = _acquire(path)
    try:
        _HELD[path] = owner
        _write(path, owner)
        _sweep(path.parent)
        with _touching(path):
            yield
    finally:
        _HELD.pop(path, None)
        if owner.pid == os.getpid():  # a forked child lets its parent's lock alone
            path.unlink(missing_ok=True)
            lock.release()


@contextmanager
def _touching(path: Path) -> Iterator[None]:
    """Touch a lock from time to time while the block runs."""
    done = threading.Event()

    def touch() -> None:
        while not done.wait(TOUCH_EVERY_S):
            with suppress(OSError):  # a disk that is away for a while, a file that was just removed
                os.utime(path)

    threading.Thread(target=touch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def working_on(name: str) -> None:
    """Note in the lock that this process took last what it works on, so that a sudden end can be told with a name."""
    if _HELD:
        path, owner = list(_HELD.items())[-1]
        with suppress(OSError):  # on a full disk the work itself will say so
            _write(path, Owner(**(asdict(owner) | {"doing": f"{owner.doing}: {name}"})))


def _acquire(path: Path) -> "BaseFileLock":
    from filelock import FileLock

    lock, until = FileLock(path, fallback_to_soft=False), time.monotonic() + WAIT_S
    while True:
        is_free, owner = _try(lock), _read(path)
        if is_free and not (owner and owner.is_alive):
            break
        lock.release()
        if time.monotonic() > until:
            raise _busy(path, str(owner or "another process"))
        time.sleep(0.1)
    try:
        _check_left(path, owner)
    except BaseException:
        lock.release()
        raise
    return lock


def _try(lock: "BaseFileLock") -> bool:
    """Whether the kernel gives a lock; where the file system knows none, the owner's word has to do."""
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True


def _check_left(path: Path, owner: Owner | None) -> None:
    """What the file says although nobody holds it."""
    if owner is None:
        return
    if owner.is_elsewhere and (silent_s := _silent_s(path)) < SILENT_S:
        raise _busy(path, f"{owner}, last seen {silent_s:.0f} s ago,")
    say(
        f"removed the lock of {owner}, which no longer runs: killed, or out of memory (then fewer at once, "
        "compute.n_jobs=1, or smaller patches). Going on from what is finished"
    )


def _silent_s(path: Path) -> float:
    """Seconds since a file was touched, by the clock of its own disk: those of two machines differ."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=PARTIAL.removesuffix("*")) as now:
        return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime


def _busy(path: Path, who: str) -> BusyError:
    return BusyError(
        f"E_BUSY {path.parent}: {who} writes there; expected one process at a time. Wait until it has ended, or use "
        f"another work_dir; if it is certainly not running any more, delete {path}; the lock of another machine is "
        f"taken as left {SILENT_S / 60:.0f} minutes later"
    )


def _read(path: Path) -> Owner | None:
    try:
        with path.open(encoding="utf-8") as stream:
            return Owner(**json.loads(stream.read(10_000)))
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, owner: Owner) -> None:
    with path.open("r+", encoding="utf-8") as stream:  # never a file anew: one that was removed is somebody else's
        stream.truncate()
        stream.write(json.dumps(asdict(owner)))


def _sweep(folder: Path) -> None:
    """Remove temporary files that a killed process left, except below a folder with a lock of its own."""
    for partial in folder.rglob(PARTIAL):
        parents = [p for p in partial.parents if folder in p.parents]
        if not any((parent / LOCK).exists() for parent in parents):
            partial.unlink(missing_ok=True)


def _began(pid: int) -> str:
    """The kernel's clock tick at which a process began; empty where it does not run, or where that is not told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _machine() -> str:
    """This boot of this machine's kernel, the same in all its containers; the host name where it is not told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()
