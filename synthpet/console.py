"""What a person reads on the terminal: lines and progress bars with the remaining time."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from multiprocessing import current_process
from typing import TypeVar

T = TypeVar("T")


def say(message: str) -> None:
    """Print one line at once, also when the output is piped."""
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


def bar(done: int, total: int, width: int = 20) -> str:
    """A bar in plain characters: ``[#####...............]``."""
    full = round(width * min(1.0, done / max(1, total)))
    return f"[{'#' * full}{'.' * (width - full)}]"


def progress(items: Iterable[T], label: str, total: int | None = None, *, lines: bool = False) -> Iterator[T]:
    """Iterate with a progress bar and the remaining time; plain lines when not on a terminal.

    Args:
        items: what to go through.
        label: what is being done, in words.
        total: number of items where ``items`` does not know it.
        lines: a line after each item, also on a terminal: for work whose processes write lines of their own.
    """
    total = total if total is not None else (len(items) if isinstance(items, Sized) else None)
    if lines:
        yield from _plain_progress(items, label, total, every_s=0)
    elif sys.stdout.isatty() and current_process().name == "MainProcess":  # bars of several processes would mix
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as bar:
            yield from bar.track(items, total=total, description=label)
    else:
        yield from _plain_progress(items, label, total)


def _plain_progress(items: Iterable[T], label: str, total: int | None, every_s: float = 15) -> Iterator[T]:
    """One line each ``every_s`` seconds: done, total and the remaining time."""
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= every_s:
            last = now
            left = "" if total is None else f", {(now - start) / done * (total - done):.0f} s left"
            say(f"{label}: {done}/{total or '?'}{left}")
