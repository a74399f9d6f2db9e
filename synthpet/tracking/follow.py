"""Trainings as they go on, for the one run that they belong to, whichever processes train.

W&B orders what a run says by its writer. Trainings side by side would be several writers, so one of them, the process
that started them, reads what they write for everybody: rows of ``metrics.jsonl``, and pictures where they may be shown.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from synthpet.cohort.text import read_rows
from synthpet.errors import SynthPetError
from synthpet.tracking.run import Run

EVERY_S = 5.0  # how often a run hears of its trainings


@dataclass
class Section:
    """One training of a run.

    Args:
        name: ``fold-0``, ``seed-0``: what its numbers' names begin with.
        rows: its ``metrics.jsonl``.
        pictures: folder in which it leaves pictures named by their step; they are taken away.
        caption: of these.
    """

    name: str
    rows: Path
    pictures: Path | None = None
    caption: str = ""
    told: int = field(default=-1, init=False)  # the last step that the run knows

    def tell(self, run: Run, began: float, look: Callable[[str, Mapping[str, Any]], None]) -> None:
        """What the run does not know yet; rows of before ``began`` are those of another training."""
        rows = _rows_of(self.rows) if _changed(self.rows) >= began else []
        for row in (row for row in rows if row.get("step", -1) > self.told):
            self.told = row["step"]
            run.log({k: v for k, v in row.items() if k != "step" and v is not None}, self.told, self.name)
            look(self.name, row)
        for path in sorted(self.pictures.glob("[0-9]*.png")) if self.pictures is not None else ():
            run.log_picture(_read_picture(path), self.caption, int(path.stem), self.name)
            path.unlink(missing_ok=True)


@contextmanager
def following(
    run: Run, sections: Sequence[Section], look: Callable[[str, Mapping[str, Any]], None] = lambda section, row: None
) -> Iterator[None]:
    """Tell a run of trainings while a block lasts in which they are done, by this process or others.

    Args:
        run: of W&B.
        sections: the trainings.
        look: called with the name of a section and each of its new rows.
    """
    run.begin()
    if not run:
        yield
        return
    for section in sections if run.resumed else ():  # it knows the rows of the training that is continued
        section.told = max((row.get("step", -1) for row in _rows_of(section.rows)), default=-1)
    began, done = time.time(), threading.Event()

    def tell() -> None:
        for section in sections:
            with suppress(OSError, SynthPetError):  # a file that is being replaced: next time
                section.tell(run, began, look)

    def keep_telling() -> None:
        while not done.wait(EVERY_S):
            tell()

    thread = threading.Thread(target=keep_telling, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        tell()


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0


def _rows_of(path: Path) -> list[dict[str, Any]]:
    return read_rows(path) if path.is_file() else []


def _read_picture(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture)
