"""What participants.tsv says of each person."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synthpet.cohort.text import read_text
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
    text, note = read_text(path)
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter="\t") if any(map(str.strip, line))]
    if not lines:
        raise DataError(f"E_TSV {path}: empty; expected a header line with participant_id")
    header = [name.strip() for name in lines[0]]
    lower = [name.lower() for name in header]
    _check_header(path, header, lower, columns)
    rows: dict[str, dict[str, str]] = {}
    problems = []
    for number, line in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in line]
        if len(cells) > len(header) and any(cells[len(header) :]):
            problems.append(f"row {number} has {len(cells)} cells, the header {len(header)}")
        row = dict(zip(lower, cells, strict=False))
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
        separator = next((word for sign, word in ((";", "semicolons"), (",", "commas")) if sign in header[0]), None)
        if separator and len(header) == 1:
            raise DataError(f"E_TSV {path}: columns are separated by {separator}; expected tabs. Save it as TSV")
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
