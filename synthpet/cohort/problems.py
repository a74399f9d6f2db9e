"""What is wrong with a data set: one line a problem, with its code, its subject, its file and what to do."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ERROR, WARNING = "error", "warning"
SHOWN = 40  # problems on the terminal; validation.json has all
KEYS = {
    "dataset": "name of the folder that was checked",
    "n_subjects": "how many subjects (verify=: manifests) were checked",
    "n_errors": "how many problems make a subject, or everything, unusable",
    "n_warnings": "how many problems are worth a look and stop nothing",
    "unusable": "subjects with an error: left out under on_invalid=skip",
    "problems": "level (error or warning), code, participant_id (empty: of the data set), path below the data set, "
    "message: what was found; what is expected; what to do",
}


@dataclass(frozen=True, order=True)
class Problem:
    """One problem; ``participant_id`` is empty where it concerns the whole data set, ``path`` where no single file."""

    participant_id: str
    path: str
    code: str
    message: str
    level: str = ERROR

    @classmethod
    def of(cls, error: Exception, root: Path, participant_id: str = "", level: str = ERROR) -> "Problem":
        """From an error of the gate, whose text is ``E_CODE <path>: <message>``."""
        text = str(error).replace(f"{root}/", "")
        found = re.match(r"(E_[A-Z0-9_]+) ?(.*)", text, re.DOTALL)
        code, rest = (found[1], found[2]) if found else ("E_DATA", text)
        rest = rest.removeprefix(f"{participant_id} ").removeprefix(f"{participant_id}: ") if participant_id else rest
        where = re.match(r"\(?([^\s:()]+/[^:()\n]+|[^\s:()]+\.(?:tsv|json))\)?: ", rest)
        path, message = (where[1], rest[where.end() :]) if where else ("", rest)
        return cls(participant_id, path, code, re.sub(r"\s*\n\s*", " ", message), level)

    def __str__(self) -> str:
        return " ".join(part for part in (self.code, self.participant_id, self.path) if part) + f": {self.message}"


@dataclass(frozen=True)
class Report:
    """Every problem of a data set, errors first, in a stable order."""

    dataset: str
    n_subjects: int
    problems: tuple[Problem, ...]
    unit: str = "subjects"
    unusable: dict[str, str] = field(init=False)  # subject: its first error

    def __post_init__(self) -> None:
        ordered = tuple(sorted(set(self.problems), key=lambda p: (p.level != ERROR, p)))
        object.__setattr__(self, "problems", ordered)
        first: dict[str, str] = {}
        for problem in self.errors:
            if problem.participant_id:
                first.setdefault(problem.participant_id, str(problem))
        object.__setattr__(self, "unusable", first)

    @property
    def errors(self) -> list[Problem]:
        """Problems that make somebody, or everything, unusable."""
        return [problem for problem in self.problems if problem.level == ERROR]

    @property
    def of_everybody(self) -> list[Problem]:
        """Errors that leaving somebody out does not mend."""
        return [problem for problem in self.errors if not problem.participant_id]

    def content(self) -> dict[str, Any]:
        """What ``validation.json`` holds; ``KEYS`` says what each key means."""
        return {
            "dataset": self.dataset,
            "n_subjects": self.n_subjects,
            "n_errors": len(self.errors),
            "n_warnings": len(self.problems) - len(self.errors),
            "unusable": list(self.unusable),
            "problems": [asdict(problem) for problem in self.problems],
            "keys": KEYS,
        }

    def headline(self) -> str:
        """How many problems there are."""
        n_errors = len(self.errors)
        people = f" in {len(self.unusable)} of them" if self.unusable else ""
        return (
            f"{self.dataset}: {self.n_subjects} {self.unit}, {n_errors} error{'s' * (n_errors != 1)}{people}, "
            f"{len(self.problems) - n_errors} warnings"
        )

    def lines(self) -> list[str]:
        """The table for the terminal: errors one by one, warnings counted by kind."""
        shown = self.errors[:SHOWN]
        width = [max((len(text) for text in column), default=0) for column in zip(*map(_cells, shown), strict=True)]
        table = []
        for problem in shown:
            cells = "  ".join(cell.ljust(n) for cell, n in zip(_cells(problem), width, strict=True))
            table += [cells.rstrip(), f"    {problem.message}"]
        if len(self.errors) > SHOWN:
            table.append(f"and {len(self.errors) - SHOWN} more errors")
        return table + _counted([p for p in self.problems if p.level == WARNING])


def _cells(problem: Problem) -> tuple[str, str, str]:
    return problem.code, problem.participant_id or "everybody", problem.path


def _counted(warnings: Sequence[Problem]) -> list[str]:
    counts = Counter(problem.code for problem in warnings)
    examples = {code: next(p for p in warnings if p.code == code) for code in counts}
    return [
        f"warning, {n} x {code}, such as {str(examples[code]).removeprefix(code).strip()}" for code, n in counts.items()
    ]
