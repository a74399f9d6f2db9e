"""What holds for all prepared people together: tables, quality control, the page; and what is said at the end."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

from synthpet.cohort.files import write_json, write_text, write_tsv
from synthpet.cohort.index import write_participants
from synthpet.cohort.manifest import MANIFEST, OF_QC, Manifest
from synthpet.errors import DataError
from synthpet.prepare.decisions import decisions_table, of_person, who_is_who
from synthpet.prepare.qc.cohort import Person, judge_cohort, table_columns, table_rows, verdict_word
from synthpet.prepare.qc.page import cohort_page, person_page
from synthpet.prepare.qc.person import check_person, qc_stage, read_checked
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.running import Outcome
from synthpet.prepare.settings import Settings
from synthpet.runtime.compute import Compute, WorkerDiedError, as_finished
from synthpet.runtime.console import progress, say
from synthpet.runtime.stage import Stage

NOT_THERE = ("E_POINTER", "E_MISSING", "E_UNREADABLE")  # of raw images: dropped after use, or a disk that is away
SAID = 12  # people whose flags are said on the terminal; the page has everybody


def write_cohort(
    outcomes: Sequence[Outcome], out: Path, name: str, settings: Settings, compute: Compute, notes: Sequence[str] = ()
) -> None:
    """Check everybody, write participants.tsv, qc.tsv and the pages, and say how it went.

    Args:
        outcomes: of everybody.
        out: the cohort's folder.
        name: of the cohort.
        settings: that people were prepared with.
        compute: where quality control runs.
        notes: what the reader should know of the whole folder.

    Raises:
        DataError: nobody could be prepared.
    """
    refused = {o.raw.subject.participant_id: _shown(o.problem, o.raw) for o in outcomes if o.problem}
    done = [outcome.raw for outcome in outcomes if not outcome.problem]
    if not done:
        problems = "\n  ".join(outcome.problem for outcome in outcomes)
        raise DataError(f"None of {len(outcomes)} subjects could be prepared:\n  {problems}")
    remove_refused(out, refused)
    unchecked = _check(done, out, settings, compute)
    ids = [raw.subject.participant_id for raw in done]
    checked = {who: read_checked(who, out) for who in ids if who not in unchecked}
    people, norm = judge_cohort(checked, unchecked)
    subjects = [raw.subject for raw in done]
    simulated = any(raw.is_simulated for raw in done)
    decisions = {raw.subject.participant_id: of_person(raw) for raw in done}
    about = (*who_is_who(done), *notes)
    config = {
        "name": name,
        "decisions": [*about, decisions],
        "participants": [subject.row() for subject in subjects],
        "refused": refused,
        "unchecked": unchecked,
        "simulated": simulated,
    }
    manifests = tuple(out / who / found for who in ids for found in (MANIFEST, OF_QC) if who in checked)
    provenance = {"Settings": json.dumps(asdict(settings), indent=1, default=str)}

    def make() -> list[Path]:
        columns = table_columns(people)
        page = cohort_page(name, people, refused, provenance, (*about, decisions_table(done)), simulated=simulated)
        return [
            *write_participants(out, subjects, name=name, simulated=simulated),
            write_tsv(out / "qc.tsv", table_rows(people, refused), columns),
            write_json(out / "qc.json", {column: {"Description": words} for column, words in columns.items()}),
            write_text(out / "report.html", page.render()),
            *(
                write_text(
                    out / p.participant_id / "report.html",
                    person_page(p, norm, decisions[p.participant_id], simulated=simulated).render(),
                )
                for p in people
            ),
        ]

    Stage("prepare", out, config, manifests).ensure(make)
    _say_result(people, refused, out)


def _check(done: Sequence[RawSubject], out: Path, settings: Settings, compute: Compute) -> dict[str, str]:
    """Quality control of everybody, side by side; why it could not be done, by person."""
    todo = [raw for raw in done if not qc_stage(raw.subject.participant_id, out).is_current()]
    work = partial(check_person, root=out, resolution_mm=settings.resolution_mm)
    running = as_finished(work, todo, compute, name=lambda raw: raw.subject.participant_id)
    problems = {}
    for raw, found in progress(running, "quality control", total=len(todo)):
        problem = str(found) if isinstance(found, WorkerDiedError) else found
        if problem:
            problems[raw.subject.participant_id] = _shown(problem, raw)
    return problems


def remove_refused(out: Path, refused: Mapping[str, str]) -> None:
    """Remove what was written of those whose images are refused now, not of those whose images are out of reach."""
    for who, problem in refused.items():
        if not problem.startswith(NOT_THERE):
            remove_results(out / who)


def remove_results(folder: Path) -> None:
    """What was written of somebody who is refused now: the files of the manifests, the page, then empty folders.

    Images of an earlier run would otherwise be taken for those of a participant.
    """
    for name in (MANIFEST, OF_QC):
        with suppress(DataError):
            manifest = Manifest.read(folder, name)
            for path in (*manifest.files(), manifest.path):
                path.unlink(missing_ok=True)
    if folder.is_dir():
        (folder / "report.html").unlink(missing_ok=True)
        for below in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
            _remove_if_empty(below)
        _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _shown(problem: str, raw: RawSubject) -> str:
    """A problem as results may tell it: without the machine's own folders."""
    return problem if raw.root is None else problem.replace(f"{raw.root}/", "")


def _say_result(people: Sequence[Person], refused: dict[str, str], out: Path) -> None:
    """Who stands out and why, where the page is, who is not in the cohort."""
    flagged = [person for person in people if verdict_word(person) != "ok"]
    for person in flagged[:SAID]:
        words = person.problem or ", ".join(flag.short for flag in person.verdict.flags)
        say(f"  {person.participant_id} {verdict_word(person)}: {words}")
    if len(flagged) > SAID:
        say(f"  and {len(flagged) - SAID} more")
    for problem in refused.values():
        say(f"  skipped: {problem}")
    say(f"{len(people)} of {len(people) + len(refused)} subjects in {out}; {len(people) - len(flagged)} look ordinary")
    say(f"look at {out / 'report.html'}")
