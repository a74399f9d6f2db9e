"""Every problem of a cohort found before work starts; what was checked once is not read again until it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from synthpet.checks.subject import Facts, cached, check_subject, restored, state_of
from synthpet.checks.together import check_together, common_grid
from synthpet.cohort import Cohort, Subject
from synthpet.cohort.files import write_json
from synthpet.cohort.paths import Paths
from synthpet.cohort.problems import WARNING, Problem, Report
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError, DiskError, UsageError
from synthpet.runtime.claim import RESULTS, claim, source_of
from synthpet.runtime.compute import in_threads
from synthpet.runtime.console import progress, say
from synthpet.runtime.options import Study

CHECKS = 4  # counts up when a check changes, so that everything is checked again
_KNOWN: dict[tuple[Path, Path], tuple[Any, Report]] = {}  # of this process: compare asks a hundred times
_SAID: set[tuple[Path, tuple[Problem, ...]]] = set()


def open_cohort(study: Study) -> Cohort:
    """The cohort of a study, validated; under ``on_invalid=skip`` without the subjects that cannot be used.

    Raises:
        DataError: a problem, and ``on_invalid`` is ``stop``; or nobody is left, or leaving people out does not help.
        UsageError: results would be written into the cohort, or among those of other people.
    """
    root, work_dir = study.cohort.path.resolve(), study.work_dir.resolve()
    if root in (work_dir, *work_dir.parents):
        raise UsageError(f"work_dir={study.work_dir} lies in the cohort {root}; expected a folder outside of it")
    cohort = Cohort.open(study.cohort.path)
    claim(work_dir, RESULTS, source_of(cohort))
    report = validate_cohort(cohort, study.work_dir, study.compute.n_jobs)
    if not report.errors:
        _say_once(cohort.root, report)
        return cohort
    left = tuple(s for s in cohort.subjects if s.participant_id not in report.unusable)
    if study.on_invalid == "stop" or report.of_everybody or not left:
        nobody = "" if left else ", no subject is left"
        advice = (
            "correct them"
            if report.of_everybody or not left
            else "correct them, or go on without these subjects: on_invalid=skip"
        )
        table = "\n  ".join(report.lines())
        raise DataError(
            f"E_INVALID {report.headline()}{nobody}; expected none; {advice} (all: {study.paths.validation})\n  {table}"
        )
    _say_once(cohort.root, report)
    return replace(cohort, subjects=left, left_out=tuple(report.unusable.values()))


def validate_cohort(cohort: Cohort, work_dir: Path, n_jobs: int = 1) -> Report:
    """Check every subject and all together; write ``validation.json`` below ``work_dir`` when something changed.

    Files whose size and times are those of an earlier check are not read again.

    Args:
        cohort: with a table that can be read.
        work_dir: where the report and the memory of earlier checks lie.
        n_jobs: subjects at a time.
    """
    states = {s.participant_id: state_of(cohort, s) for s in cohort.subjects}
    signature = (cohort.subjects, states, Paths(work_dir).validation.is_file())
    key = (cohort.root.absolute(), work_dir.absolute())
    if key in _KNOWN and _KNOWN[key][0] == signature:
        return _KNOWN[key][1]
    grid = common_grid(cohort)
    kept = _read_cache(Paths(work_dir).validated, repr(grid))
    known = {s.participant_id: _restored(s, kept.get(_entry(s)), states[s.participant_id]) for s in cohort.subjects}
    stale = [s for s in cohort.subjects if known[s.participant_id] is None]
    fresh = {facts.participant_id: facts for facts in _examine(cohort, stale, grid, n_jobs)}
    facts = [found for s in cohort.subjects if (found := known[s.participant_id] or fresh.get(s.participant_id))]
    problems = [problem for found in facts for problem in found.problems] + check_together(cohort, facts)
    problems += [Problem("", "participants.tsv", "E_TABLE", note, WARNING) for note in cohort.notes]
    report = Report(cohort.root.resolve().name, len(cohort.subjects), tuple(problems))
    entries = {_entry(s): cached(f, states[s.participant_id]) for s, f in zip(cohort.subjects, facts, strict=True)}
    _remember(work_dir, report, entries, repr(grid), changed=bool(stale))
    _KNOWN[key] = ((cohort.subjects, states, True), report)
    return report


def _entry(subject: Subject) -> str:
    return f"{subject.participant_id} {subject.role}"


def _examine(cohort: Cohort, subjects: Sequence[Subject], grid: Any, n_jobs: int) -> list[Facts]:
    if not subjects:
        return []
    found = in_threads(lambda subject: check_subject(cohort, subject, grid), subjects, n_jobs)
    return list(progress(found, "checking images", len(subjects)))


def _read_cache(path: Path, grid: str) -> dict[str, Any]:
    """Earlier checks on this grid by these rules; none where the file is not there or not whole."""
    try:
        content = read_json_object(path)
        return dict(content["subjects"]) if (content["checks"], content["grid"]) == (CHECKS, grid) else {}
    except (DataError, ValueError, KeyError, TypeError):
        return {}


def _restored(subject: Subject, entry: Any, state: Any) -> Facts | None:
    """What an earlier check found; None where it looked at other files, or is not kept as it was written."""
    try:
        return restored(subject.participant_id, entry) if entry["state"] == state else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _remember(work_dir: Path, report: Report, entries: Mapping[str, Any], grid: str, *, changed: bool) -> None:
    """Write the report and the memory; a folder that cannot be written to is said by whoever writes results there."""
    try:
        if changed:
            write_json(Paths(work_dir).validated, {"checks": CHECKS, "grid": grid, "subjects": entries})
        write_json(Paths(work_dir).validation, report.content())
    except DiskError as error:
        say(f"validation could not be kept: {error}")


def _say_once(root: Path, report: Report) -> None:
    """The table, once in a process for one and the same finding."""
    if not report.problems or (root, report.problems) in _SAID or current_process().name != "MainProcess":
        return  # a process of the pool would say again what has been said
    _SAID.add((root, report.problems))
    for line in report.lines():
        say(line)
    if report.unusable:
        say(f"left out (on_invalid=skip): {', '.join(report.unusable)}")
