"""Which session's T1 and which session's PET belong together: one session of both, else the nearest in time."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path

from synthpet.cohort.names import check_participant_id
from synthpet.cohort.text import read_table
from synthpet.errors import DataError
from synthpet.prepare.raw.inheritance import read_sidecar
from synthpet.prepare.raw.scan import ANY_SPACE, Scan, natural, words_of_path

# Words of sessions and acquisitions of after (or during) surgery; not posterior, postictal, or after contrast agent
POSTOPERATIVE = re.compile(
    r"post(?!er|ict|con|gd|gad|inj|ce)|after(op|surg)|resect|operated|apresop|nachop|intraop|intrasurg|seeg|implant|"
    r"electrode"
)
SIDECAR_TIMES = ("AcquisitionDateTime", "AcquisitionDate", "SeriesDate", "StudyDate")  # of converters
Acquired = Callable[[Scan], datetime | None]


@dataclass(frozen=True)
class Sessions:
    """The sessions of T1 and PET (None: no PET), what should be said, and why it cannot be decided."""

    t1w: str = ""
    pet: str | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class _Pair:
    """A session with a T1 and one with a PET; ``days`` between them, None where that is not known."""

    t1w: str
    pet: str | None
    operated: bool
    mixed: bool
    days: float | None

    @property
    def one(self) -> bool:
        return self.pet is None or self.t1w == self.pet


def postoperative(scan: Scan) -> bool:
    """Whether the session or the name says that it was taken after surgery; of a pattern's image, its whole path."""
    words = [scan.session, *(scan.entities.get(entity, "") for entity in ("acq", "desc"))]
    words += words_of_path(scan) if scan.space == ANY_SPACE else []
    return any(POSTOPERATIVE.search(word.casefold()) for word in words)


def choose_sessions(t1ws: Sequence[Scan], pets: Sequence[Scan], acquired: Acquired, *, said: bool) -> Sessions:
    """Choose among a person's sessions; before surgery comes before after it.

    Args:
        t1ws: of one person, at least one.
        pets: of the tracer; may be none.
        acquired: when a scan was taken, None where nobody says.
        said: the user chose the sessions: what they do not exclude is taken, and said.
    """
    pairs = _pairs(t1ws, pets, acquired)
    possible = [pair for pair in pairs if said or not pair.mixed]
    if not possible:
        before, after = ("PET", "T1w") if any(map(postoperative, t1ws)) else ("T1w", "PET")
        found = f"{after} in {_named(pairs, after)} was taken after surgery, {before} in {_named(pairs, before)} is not"
        return Sessions(
            problem=f"{found}; expected both from before surgery; say which by "
            "session=<label> or 'session={t1w: <label>, pet: <label>}'"
        )
    best = [pair for pair in possible if pair.operated == possible[0].operated]
    first = {scan.session: acquired(scan) for scan in reversed(t1ws)}
    if best[0].one:
        chosen = _earliest([pair for pair in best if pair.one], first)
    elif len(best) == 1:
        chosen = best[0]
    elif all(pair.days is not None for pair in best):
        chosen = min(best, key=lambda pair: (pair.days, natural(pair.t1w)))
    else:
        return Sessions(
            problem=f"T1w in {_named(best, 'T1w')}, PET in {_named(best, 'PET')}, and no acq_time (scans.tsv or "
            "sessions.tsv) says which are nearest; expected one session with both; say which by "
            "'session={t1w: <label>, pet: <label>}'"
        )
    return Sessions(chosen.t1w, chosen.pet, tuple(_notes(chosen, pairs, first)))


def _pairs(t1ws: Sequence[Scan], pets: Sequence[Scan], acquired: Acquired) -> list[_Pair]:
    """Every session of a T1 with every one of a PET: those before surgery first, those of one session first."""
    pairs = []
    for a, b in product(_by_session(t1ws).values(), _by_session(pets).values() if pets else (None,)):
        after = (all(map(postoperative, a)), all(map(postoperative, b)) if b else None)
        times = [(acquired(s), acquired(t)) for s, t in product(a, b or ())]
        days = [abs((s - t).total_seconds()) / 86400 for s, t in times if s and t]
        pairs.append(
            _Pair(a[0].session, b[0].session if b else None, after[0] or bool(after[1]),
                  b is not None and after[0] != after[1], min(days, default=None))
        )  # fmt: skip
    return sorted(pairs, key=lambda p: (p.mixed, p.operated, not p.one, natural(p.t1w), natural(p.pet or "")))


def _by_session(scans: Iterable[Scan]) -> dict[str, list[Scan]]:
    found: dict[str, list[Scan]] = {}
    for scan in scans:
        found.setdefault(scan.session, []).append(scan)
    return found


def _earliest(pairs: Sequence[_Pair], first: dict[str, datetime | None]) -> _Pair:
    """By time where all have one, else by name."""
    dated = all(first.get(pair.t1w) for pair in pairs)
    return min(pairs, key=lambda pair: (first[pair.t1w] or datetime.max if dated else 0, natural(pair.t1w)))


def _notes(chosen: _Pair, pairs: Sequence[_Pair], first: dict[str, datetime | None]) -> Iterable[str]:
    here = _name(chosen.t1w)
    t1w_sessions = dict.fromkeys(pair.t1w for pair in pairs)
    if len(t1w_sessions) > 1:
        both = "T1w and PET" if chosen.pet == chosen.t1w else "T1w"
        others = ", ".join(_name(session) for session in t1w_sessions if session != chosen.t1w)
        why = "it is the only one of both" if chosen.pet is not None else "it comes first"
        alike = [p for p in pairs if p.one and p.operated == chosen.operated and not p.mixed]
        if not chosen.one:
            why = "nearest to the PET" if chosen.days is not None else "the only one that fits"
        elif len(alike) > 1:
            why = "the earliest" if all(first.get(p.t1w) for p in alike) else "the first by name, no acq_time"
        elif any(pair.operated for pair in pairs if pair.t1w != chosen.t1w) and not chosen.operated:
            why = "before surgery"
        yield f"{both} of {here} ({why}), not of {others}"
    if not chosen.one:
        apart = "" if chosen.days is None else f", {chosen.days:.0f} days apart"
        yield f"PET of {_name(chosen.pet)}, T1w of {here}{apart}"
    if chosen.operated:
        yield f"after surgery, as its name says: {here}" + (f", {_name(chosen.pet)}" if not chosen.one else "")


def _named(pairs: Sequence[_Pair], kind: str) -> str:
    sessions = dict.fromkeys((pair.t1w if kind == "T1w" else pair.pet) or "" for pair in pairs)
    return ", ".join(map(_name, sessions))


def _name(session: str | None) -> str:
    return f"ses-{session}" if session else "no session"


def acquisition_times(root: Path, participant_id: str) -> Acquired:
    """When each of a person's scans was taken: ``acq_time`` of scans.tsv, else of the session in sessions.tsv.

    Where no table says anything of the person: by the images' sidecars. The two are not mixed: one may be shifted.

    Args:
        root: the folder that is read.
        participant_id: whose.
    """
    times: dict[str, datetime] = {}
    folder = root / check_participant_id(participant_id)
    for table in sorted((*folder.glob("*_scans.tsv"), *folder.glob("ses-*/*_scans.tsv"))):
        for name, when in _rows(table, "filename"):
            times[(table.parent / name).relative_to(root).as_posix()] = when
    for table in sorted(folder.glob("*_sessions.tsv")):
        times |= dict(_rows(table, "session_id"))

    def acquired(scan: Scan) -> datetime | None:
        if times:
            return times.get(scan.path.as_posix()) or times.get(f"ses-{scan.session}")
        return _by_sidecar(root / scan.path)

    return acquired


def _by_sidecar(image: Path) -> datetime | None:
    try:
        about = read_sidecar(image)
    except DataError:  # said when it is read
        return None
    return next((when for when in (_time(about.get(key)) for key in SIDECAR_TIMES) if when), None)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).strip()).replace(tzinfo=None)
    except ValueError:
        return None


def _rows(table: Path, key: str) -> Iterable[tuple[str, datetime]]:
    """Key and time of the rows that have both; a table that cannot be read says nothing."""
    try:
        header, rows, _ = read_table(table)
        at, when = header.index(key), header.index("acq_time")
    except (DataError, ValueError):
        return
    for row in rows:
        time = _time(row[when])
        if time:
            yield row[at], time
