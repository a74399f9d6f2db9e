"""What a process of ``synthpet.runtime.compute`` does around its work, and how its parent sees that it hangs.

While a worker has an item, a file named after the item's number holds the worker's process number.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from synthpet.errors import SynthPetError
from synthpet.runtime.signals import end_with_parent, stopping_by_signal
from synthpet.runtime.surroundings import plain_figures

T = TypeVar("T")
R = TypeVar("R")
HANG_S = 1800.0  # with hardly any use of a processor, of its own or of what it started: it waits for ever
IDLE_SHARE = 0.0005  # of a processor: what waiting itself costs, such as a loader that looks for data every 5 s
LOOK_S = 5.0
GRACE_S = 60.0  # for workers to come to a good place after SIGTERM
_watched = False


def do_marked(work: Callable[[T], R], number: int, item: T, name: str, marks: Path) -> tuple[int, R]:
    """In the worker: do one item, marked as long as it takes; SIGTERM or the parent's end stops it in good order."""
    global _watched
    parent = os.getppid()
    if not _watched:
        _watched = True
        plain_figures()
        end_with_parent()
    mark = marks / str(number)
    mark.write_text(str(os.getpid()))
    try:
        with stopping_by_signal():
            return number, named(work, item, name)
    finally:
        mark.unlink(missing_ok=True)
        if os.getppid() != parent:  # nobody takes the result
            os._exit(143)


def named(work: Callable[[T], R], item: T, name: str) -> R:
    """Do one item; an error of another kind is given the item's name."""
    try:
        return work(item)
    except SynthPetError:
        raise
    except Exception as error:
        error.add_note(f"while working on {name}")
        raise


def stop_workers(marks: Path) -> None:
    """Send SIGTERM to all that have an item and wait until they have come to a good place, at most ``GRACE_S``."""
    for pid in _busy(marks).values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + GRACE_S
    while time.monotonic() < until and any(_cpu_ticks(pid) is not None for pid in _busy(marks).values()):
        time.sleep(0.05)


@contextmanager
def ending_hangs(marks: Path, hung: set[int]) -> Iterator[None]:
    """While the block runs, kill workers that hardly used a processor for ``HANG_S``; their items go into ``hung``."""
    over = threading.Event()

    def watch() -> None:
        last: dict[int, tuple[int, int, float]] = {}  # item: process, ticks, since when hardly more
        idle_ticks = int(HANG_S * IDLE_SHARE * os.sysconf("SC_CLK_TCK"))
        while not over.wait(min(LOOK_S, HANG_S / 4)):
            now, busy = time.monotonic(), _busy(marks)
            last = {number: seen for number, seen in last.items() if number in busy}
            for number, pid in busy.items():
                ticks = _cpu_ticks(pid)
                if ticks is None:
                    continue
                if number not in last or last[number][0] != pid or abs(ticks - last[number][1]) > idle_ticks:
                    last[number] = (pid, ticks, now)
                elif now - last[number][2] > HANG_S:
                    hung.add(number)
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True, name="ending_hangs")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _busy(marks: Path) -> dict[int, int]:
    """Item number to process number of the workers that have an item."""
    found = {}
    with suppress(OSError):
        for mark in marks.iterdir():
            with suppress(OSError, ValueError):
                found[int(mark.name)] = int(mark.read_text())
    return found


def _cpu_ticks(pid: int) -> int | None:
    """Processor time of a process and all that it started; None where it is gone, or where that is not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] == "Z":
            return None
    except (OSError, IndexError):
        return None
    children: list[str] = []
    with suppress(OSError):  # not told by every kernel
        children = [c for task in Path(f"/proc/{pid}/task").iterdir() for c in (task / "children").read_text().split()]
    return sum(map(int, fields[11:15])) + sum(_cpu_ticks(int(child)) or 0 for child in children)
