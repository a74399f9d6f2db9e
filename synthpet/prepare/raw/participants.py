"""What participants.tsv says of each person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synthpet.cohort.text import read_table
from synthpet.errors import DataError

EMPTY = ("", "n/a", "nan", "na", "none")
COLUMNS = {name: name for name in ("group", "role", "age", "sex", "site", "lesion_site")}


@dataclass(frozen=True)
class Participants:
    """Rows by participant id, with column names in lower case; empty without a table."""

    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def value(self, participant_id: str, *columns: str) -> str | None:
        """The first of these columns that holds a value."""
        row = self.rows.get(participant_id, {})
        values = (row.get(column.lower(), "") for column in columns)
        return next((value for value in values if value.lower() not in EMPTY), None)


def read_participants(path: Path, columns: Mapping[str, str] = COLUMNS) -> Participants:
    """Read the table, in any encoding of ``read_text``; byte-order mark, CRLF and blank lines are accepted.

    Args:
        path: ``participants.tsv``.
        columns: which column of the table holds what; a renamed column has to be there.

    Raises:
        DataError: the table cannot be used; all its problems are named.
    """
    header, lines, note = read_table(path)
    lower = [name.lower() for name in header]
    _check_header(path, header, lower, columns)
    rows: dict[str, dict[str, str]] = {}
    problems = []
    for number, line in enumerate(lines, start=2):
        row = dict(zip(lower, line, strict=True))
        label = row.get("participant_id", "")
        participant_id = bids_id(label)
        if not label:
            problems.append(f"row {number} names nobody: its participant_id is empty")
        elif participant_id in rows:
            problems.append(f"E_DUP_ID {participant_id} stands in several rows; expected one row a person")
        rows[participant_id] = row
    if problems:
        raise DataError(f"E_TSV {path}:\n  " + "\n  ".join(dict.fromkeys(problems)))
    return Participants(rows, tuple(lower), (note,) if note else ())


def _check_header(path: Path, header: Sequence[str], lower: Sequence[str], columns: Mapping[str, str]) -> None:
    found = f"found: {', '.join(header)[:200]}"
    if "participant_id" not in lower:
        raise DataError(f"E_COLUMNS {path}: no column participant_id; {found}")
    twice = sorted({name for name in lower if lower.count(name) > 1})
    if twice:
        raise DataError(f"E_COLUMNS {path}: several columns are named {', '.join(twice)}; expected each once")
    missing = [f"{k}={v}" for k, v in columns.items() if v and v != COLUMNS.get(k) and v.lower() not in lower]
    if missing:
        raise DataError(f"E_COLUMNS {path}: no column for columns.{', columns.'.join(missing)}; {found}")


def bids_id(label: str) -> str:
    """The id that BIDS allows for a label or a folder's name: ``P_01`` gives ``sub-P01``, ``sub-01`` itself."""
    return "sub-" + re.sub(r"[^0-9a-zA-Z]", "", label.removeprefix("sub-"))


def is_number(text: str) -> bool:
    """Whether a cell is a plain number such as 39 or 39.5."""
    return bool(re.fullmatch(r"\d+(\.\d*)?", text))
