"""What a person reads on the terminal: lines and progress bars with the remaining time."""

import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from multiprocessing import current_process
from pathlib import Path
from typing import Any, TextIO, TypeVar

from synthpet.errors import printable

T = TypeVar("T")
BAR_EVERY_S = 0.5  # how often bars are drawn anew


def say(message: str) -> None:
    """Print one line at once, also when the output is piped."""
    _write(sys.stdout, message)


def complain(message: str) -> None:
    """The same where errors are read."""
    _write(sys.stderr, message)


def _write(stream: TextIO | None, message: str) -> None:
    if stream is not None:  # closed before the command began
        stream.write(printable(message) + "\n")
        stream.flush()


def bar(done: int, total: int, width: int = 20) -> str:
    """A bar in plain characters: ``[#####...............]``."""
    full = round(width * min(1.0, done / max(1, total)))
    return f"[{'#' * full}{'.' * (width - full)}]"


def on_terminal() -> bool:
    """Whether bars can be drawn: a terminal, and no other process that draws its own."""
    return sys.stdout is not None and sys.stdout.isatty() and current_process().name == "MainProcess"


def losses_of(metrics: Mapping[str, Any], at_most: int | None = None) -> str:
    """The training losses among Lightning's metrics in words, all or the first of them."""
    found = {name.removeprefix("train/loss_"): v for name, v in metrics.items() if name.startswith("train/loss_")}
    return ", ".join([f"{name} {float(value):.3f}" for name, value in found.items() if value is not None][:at_most])


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
    elif on_terminal():
        with _rich_bars() as bars:
            task = bars.add_task(label, total=total, words="")
            yield from bars.track(items, total=total, task_id=task)
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


def _rich_bars() -> Any:
    """Bars with the number done, the remaining time and, if there are any, words."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    words = (TextColumn("{task.description}"), TextColumn("{task.fields[words]}"))
    columns = (words[0], BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn(), words[1])
    return Progress(*columns, speed_estimate_period=60)


class Bar:
    """One bar on the terminal, drawn from ``__init__`` to ``stop``."""

    def __init__(self, label: str, total: int) -> None:
        self.bars = _rich_bars()
        self.task = self.bars.add_task(label, total=total, words="")
        self.bars.start()

    def show(self, done: int, words: str) -> None:
        """So many are done; ``words`` stand behind the bar."""
        self.bars.update(self.task, completed=done, words=words)

    def stop(self) -> None:
        """Leave the bar as it is."""
        self.bars.stop()


@contextmanager
def training_bars(files: Mapping[str, Path], n_steps: int) -> Iterator[bool]:
    """A bar for each training that other processes do meanwhile, read from what they log.

    Args:
        files: label to ``metrics.jsonl``; one that is older than now is not read.
        n_steps: of each.

    Yields:
        Whether bars are drawn; if not, the trainings may write lines of their own.
    """
    if not on_terminal():
        yield False
        return
    began, done = time.time(), threading.Event()
    with _rich_bars() as bars:
        tasks = {label: bars.add_task(label, total=n_steps, words="") for label in files}

        def draw() -> None:
            for label, path in files.items():
                if (row := _last_row(path, began)) is not None:
                    bars.update(tasks[label], completed=row["step"] + 1, words=losses_of(row, 1))

        def keep_drawing() -> None:
            while not done.wait(BAR_EVERY_S):
                draw()

        thread = threading.Thread(target=keep_drawing, daemon=True)
        thread.start()
        try:
            yield True
            for task in tasks.values():
                bars.update(task, completed=n_steps)
        finally:
            done.set()
            thread.join()


def _last_row(path: Path, began: float, longest: int = 4096) -> dict[str, Any] | None:
    """The last whole row of a JSON-lines file that was written after ``began``."""
    try:
        if path.stat().st_mtime < began:
            return None
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - longest))
            return json.loads(stream.read().rpartition(b"\n")[0].rpartition(b"\n")[2])
    except (OSError, ValueError):
        return None
