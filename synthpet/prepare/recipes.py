"""Public data sets by name: what a file of ``configs/dataset/`` says of its data set beside how it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from synthpet.command.help import summary
from synthpet.errors import UsageError
from synthpet.runtime.console import say
from synthpet.runtime.options import Options

NONE = "none"
LIST = "dataset=?"  # what is typed to see all
UNTRIED = "nothing was downloaded here: this recipe was tried on simulated files of the same names only"


@dataclass(frozen=True)
class Recipe(Options):
    """Where a public data set comes from; each value in words.

    ``name`` is ``none`` where no data set was named; ``table``: which participants.tsv the user has to give.
    """

    name: str = NONE
    licence: str = ""
    size: str = ""
    citation: str = ""
    get: str = ""
    table: str = ""
    note: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Options.of``; every value is text."""
        return super().of({name: str(value) for name, value in values.items()})

    def check_table(self, bids_dir: Path, participants: Path | None) -> None:
        """Hold the user to giving the table where the data set has none: without it everybody would be a control.

        Raises:
            UsageError: it was not given.
        """
        if self.table and participants is None and not (bids_dir / "participants.tsv").is_file():
            raise UsageError(f"participants: was not given; expected participants=<{self.table}>")

    def announce(self) -> None:
        """Say on whose terms the data may be used; nothing where no data set was named."""
        if self.name == NONE:
            return
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}
        say(f"dataset={said.pop('name')}: {UNTRIED}")
        for name, words in said.items():
            say(f"  {name}: {words}")


def list_recipes() -> None:
    """Say every data set that has a recipe, one a line."""
    found = recipes()
    longest = max(map(len, found))
    for name, words in found.items():
        say(f"{name:<{longest}}  {words}")


def recipes() -> dict[str, str]:
    """Name of each data set and what it is, as the first line of comment of its file says."""
    folder = files("synthpet.configs") / "dataset"
    names = sorted(re.sub(r"\.yaml$", "", file.name) for file in folder.iterdir() if file.name.endswith(".yaml"))
    return {name: summary((folder / f"{name}.yaml").read_text(encoding="utf-8")) for name in names if name != NONE}
