"""What participants.tsv says of each person."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from synthpet.cohort.text import read_json_object, read_table
from synthpet.cohort.words import plain
from synthpet.errors import DataError
from synthpet.prepare.raw.scan import natural

EMPTY = ("", "n/a", "nan", "na", "none")
COLUMNS = {name: name for name in ("group", "role", "age", "sex", "site", "lesion_site")}
GROUP_COLUMNS = ("group", "diagnosis", "diagnosisgroup", "dx", "dxgroup", "diagnostic", "diagnose", "participantgroup",
                 "participanttype", "subjectgroup", "subjecttype", "patientgroup", "casecontrol", "grp", "groupe",
                 "gruppe", "grupo", "condition", "status")  # fmt: skip


@dataclass(frozen=True)
class Participants:
    """Rows by participant id, with column names in lower case; no columns without a table.

    ``levels``, ``units``: what participants.json beside it says of a column's values (BIDS ``Levels``, ``Units``);
    ``notes`` and ``problems`` are of the whole table.
    """

    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    name: str = "participants.tsv"
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def value(self, participant_id: str, *columns: str) -> str | None:
        """The first of these columns that holds a value."""
        row = self.rows.get(participant_id, {})
        values = (row.get(column.lower(), "") for column in columns)
        return next((value for value in values if value.lower() not in EMPTY), None)

    def values(self, column: str) -> Counter[str]:
        """How often each value of a column stands there, empty ones not counted."""
        cells = (row.get(column.lower(), "") for row in self.rows.values())
        return Counter(cell for cell in cells if cell.lower() not in EMPTY)

    def usual_group_columns(self) -> list[str]:
        """The columns whose names say that they tell who is ill."""
        bare = {re.sub(r"[^0-9a-z]", "", column): column for column in reversed(self.columns)}
        return [bare[name] for name in GROUP_COLUMNS if name in bare]

    def group_column(self, named: str) -> str | None:
        """The column that tells who is ill: the one that is named, else a usual one; one with values comes first."""
        usual = self.usual_group_columns() if named == COLUMNS["group"] else []
        candidates = [column for column in (named.lower(), *usual) if column in self.columns]
        return next((column for column in candidates if self.values(column)), next(iter(candidates), None))


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
        participant_id = bids_id(re.sub(r"^(\d+)\.0+$", r"\1", label))  # a spreadsheet's number is no other id
        if not label:
            problems.append(f"row {number} has no participant_id")
        elif participant_id in rows:
            problems.append(f"E_DUP_ID {participant_id} stands in several rows; expected one row a person")
        rows[participant_id] = row
    if problems:
        raise DataError(f"E_TSV {path}:\n  " + "\n  ".join(dict.fromkeys(problems)))
    levels, units = _read_dictionary(path.with_suffix(".json"))
    return Participants(rows, tuple(lower), (note,) if note else (), path.name, levels, units)


def _read_dictionary(path: Path) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """``Levels`` (value to its description) and ``Units`` of each column; empty where the JSON is no such thing."""
    try:
        about = read_json_object(path) if path.is_file() else {}
    except DataError:
        return {}, {}
    columns = {column.lower(): said for column, said in about.items() if isinstance(said, dict)}
    units = {column: str(said["Units"]) for column, said in columns.items() if said.get("Units")}
    levels = {
        column: {
            str(value): str(d.get("Description", "")) if isinstance(d, dict) else str(d)
            for value, d in said["Levels"].items()
        }
        for column, said in columns.items()
        if isinstance(said.get("Levels"), dict)
    }
    return levels, units


def matched(table: Participants, ids: Sequence[str]) -> Participants:
    """The table by the ids of the folders: ``1`` is ``sub-01`` where no other folder or row can be meant, and is said.

    Where no row belongs to anybody, that is one of ``problems``.
    """
    without_row = [pid for pid in ids if pid not in table.rows]
    without_folder = [pid for pid in table.rows if pid not in set(ids)]
    folders, rows = _by_key(without_row), _by_key(without_folder)
    same = {
        mine[0]: folders[key][0]
        for key, mine in rows.items()
        if len(mine) == 1 and len(folders.get(key, ())) == 1 and sum(_key(pid) == key for pid in ids) == 1
    }
    renamed = {same.get(pid, pid): row for pid, row in table.rows.items()}
    notes, problems = list(table.notes), list(table.problems)
    if same:
        pairs = ", ".join(f"{mine.removeprefix('sub-')} is {pid}" for mine, pid in list(same.items())[:6])
        notes.append(f"{table.name}: {len(same)} ids are matched but for zeros and case: {pairs}")
    absent = sorted(set(renamed) - set(ids), key=natural)
    if ids and renamed and len(absent) == len(renamed):
        problems.append(
            f"E_TABLE {table.name}: no row belongs to anybody: it names {_few(absent)}, the folders are "
            f"{_few(ids)}; expected the folders' names as participant_id; correct the table"
        )
    elif absent:
        notes.append(f"{table.name} names {len(absent)} without images here: {', '.join(absent[:10])}")
    rows_here = {pid: row for pid, row in renamed.items() if pid not in set(absent)}
    return replace(table, rows=rows_here, notes=tuple(notes), problems=tuple(problems))


def _by_key(ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pid in ids:
        found.setdefault(_key(pid), []).append(pid)
    return found


def _key(participant_id: str) -> str:
    """An id without case and leading zeros: equal for ``sub-01`` and ``sub-1``, ``sub-P007`` and ``sub-p7``."""
    return re.sub(r"0*(\d+)", r"\1", participant_id.casefold())


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")


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
    return "sub-" + re.sub(r"^sub-|[^0-9a-zA-Z]", "", label, flags=re.IGNORECASE)


def one_spelling(names: Iterable[str | None]) -> dict[str, str]:
    """The most frequent spelling of each name that is written in several ways: case, accents, spaces."""
    counts = Counter(name for name in names if name)
    alike: dict[str, list[str]] = {}
    for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        alike.setdefault(plain(name), []).append(name)
    return {name: spellings[0] for spellings in alike.values() for name in spellings[1:]}
