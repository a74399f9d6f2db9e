"""The table of docs/speed.md: what a row is, how two ways are timed side by side, and what prints it.

``make bench`` (or ``python tests/benchmarks/table.py [name ...]``) imports each ``bench_<name>.py`` of this folder,
takes the rows of its ``rows()`` and writes them to ``outputs/benchmarks/table.md`` as well. ``rows(tiny=True)``, or
``--tiny`` before the names, gives the same rows on sizes that mean nothing, for the tests that they run.

Both ways of a row run in one process on two threads, in turn (ours, theirs, ours, theirs, ...), and the shortest time
of each counts: other work on the machine then hits both alike. pytest-benchmark runs all rounds of one before the
other and knows no ratio, so it is not used.
"""

import importlib
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from synthpet.cohort.files import write_text
from synthpet.runtime.console import say

N_THREADS = 2
FOLDER = Path("outputs") / "benchmarks"


class Row(NamedTuple):
    """One line of the table; every field is finished text such as ``1.3 s``, ``4.2x``, ``at least 3x``."""

    part: str
    against: str
    ours: str
    theirs: str
    ratio: str
    bar: str


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Shortest wall-clock seconds of each, run in turn; warm both up before where the first call does more."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for work, found in zip((ours, theirs), times, strict=True):
            found.append(seconds(work))
    return min(times[0]), min(times[1])


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def faster(part: str, against: str, ours_s: float, theirs_s: float, bar: str, note: str = "") -> Row:
    """A row whose ratio is their time over ours; ``note`` follows the ratio, such as ``0.01 dB better``."""
    ratio = theirs_s / ours_s
    shown = f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2f}x"
    return Row(part, against, words(ours_s), words(theirs_s), f"{shown}, {note}" if note else shown, bar)


def words(duration_s: float) -> str:
    """Seconds with three digits and a fitting unit.

    >>> words(0.0123), words(12.3)
    ('12.3 ms', '12.3 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if duration_s >= size:
            return f"{duration_s / size:.3g} {unit}"
    return f"{duration_s * 1e6:.3g} µs"


def limit_threads() -> None:
    """Start this program again with two threads for BLAS, OpenMP and torch: they read it when they are loaded."""
    wanted = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(N_THREADS))
    if wanted.items() <= os.environ.items():
        return
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)  # noqa: S606 - this program itself


def plain(rows: Sequence[Row]) -> str:
    """Aligned columns."""
    lines = [Row._fields, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(Row._fields))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def markdown(rows: Iterable[Row]) -> str:
    """A Markdown table with a line about the machine."""
    lines = [f"| {' | '.join(Row._fields)} |", f"|{'---|' * len(Row._fields)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), "", machine(), ""])


def machine() -> str:
    """Processor, cores, threads, versions."""
    import numpy as np
    import torch

    cpuinfo = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}"
    return f"{time.strftime('%Y-%m-%d')}, {processor}, {os.cpu_count()} cores, {N_THREADS} threads, {versions}"


def collect(names: Sequence[str], tiny: bool = False) -> Iterator[Row]:
    """The rows of each ``bench_<name>.py``, said as they come."""
    for name in names:
        start = time.perf_counter()
        for row in importlib.import_module(f"bench_{name}").rows(**({"tiny": True} if tiny else {})):
            say(f"{row.part}: {row.ours} against {row.theirs} ({row.against}): {row.ratio}; bar {row.bar}")
            yield row
        say(f"bench_{name}: {time.perf_counter() - start:.0f} s")


def main() -> None:
    """Print the table of the named benchmarks, of all where none is named."""
    limit_threads()
    here = Path(__file__).parent
    sys.path.append(str(here.parents[1]))  # some rows use what the tests use
    names, tiny = [name for name in sys.argv[1:] if name != "--tiny"], "--tiny" in sys.argv
    rows = list(collect(names or sorted(path.stem[len("bench_") :] for path in here.glob("bench_*.py")), tiny))
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_text(FOLDER / "table.md", markdown(rows))
    say(f"\n{plain(rows)}\n\n{machine()}\n{FOLDER / 'table.md'}")


if __name__ == "__main__":
    main()
