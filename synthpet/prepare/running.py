"""Preparing people side by side: whoever fails is named with the reason, the others go on."""

import difflib
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from synthpet.errors import DataError, SynthPetError, UsageError
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.subject import Settings, subject_stage, write_subject
from synthpet.runtime.compute import Compute, WorkerDiedError, as_finished
from synthpet.runtime.console import progress, say


@dataclass(frozen=True)
class Outcome:
    """What became of one person: ``problem`` is empty when the person is in the cohort."""

    raw: RawSubject
    problem: str = ""


def prepare_all(
    people: Sequence[RawSubject],
    out: Path,
    settings: Settings,
    *,
    compute: Compute,
    on_invalid: str,
    labels: Sequence[str] | None = None,
) -> list[Outcome]:
    """Run the stages of people side by side; those that are up to date are not run.

    Args:
        people: everybody of the folder.
        out: where the cohort is written.
        settings: what determines the images.
        compute: where the work runs.
        on_invalid: skip (a problem is an outcome) or stop (the first problem ends the work).
        labels: only these people; others belong to the cohort as far as they are prepared already, and
            their raw images are not read.

    Raises:
        DataError: somebody could not be prepared and ``on_invalid`` is ``stop``.
        UsageError: a label is nobody's.
    """
    chosen = people if labels is None else select(people, labels)
    usable = [p for p in people if not p.problem]
    others = [p for p in usable if p not in chosen and subject_stage(p, out, settings).is_written()]
    current = {p.subject.participant_id for p in usable if p in chosen and _is_current(p, out, settings)}
    outcomes = {p.subject.participant_id: Outcome(p, p.problem) for p in people if p in chosen or p in others}
    todo = [p for p in chosen if not p.problem and p.subject.participant_id not in current]
    there = f"; {len(others)} others are there" if others else ""
    say(f"prepare: {len(todo)} to do, {len(current)} up to date{there}")
    if on_invalid == "stop":
        _stop_on_problem(outcomes.values())
    prepare = partial(prepare_one, out=out, settings=settings)
    jobs = as_finished(prepare, todo, compute, name=lambda person: person.subject.participant_id)
    for person, found in progress(jobs, "subjects", total=len(todo)):
        problem = str(found) if isinstance(found, WorkerDiedError) else found
        outcomes[person.subject.participant_id] = Outcome(person, problem)
        if on_invalid == "stop" and problem:
            _stop_on_problem([Outcome(person, problem)])
    return list(outcomes.values())


def select(people: Sequence[RawSubject], labels: Sequence[str]) -> list[RawSubject]:
    """The people of these labels, ``01`` or ``sub-01``.

    Raises:
        UsageError: a label is nobody's; the nearest are named.
    """
    by_label = {person.subject.participant_id.removeprefix("sub-"): person for person in people}
    wanted = [str(label).removeprefix("sub-") for label in labels]
    unknown = [label for label in wanted if label not in by_label]
    if unknown:
        near = list(
            dict.fromkeys(n for label in unknown for n in difflib.get_close_matches(label, by_label, cutoff=0.1))
        )
        raise UsageError(
            f"participant_label: no participant is called {', '.join(unknown)}; expected labels of the {len(people)} "
            "people" + (f" (did you mean {', '.join(near)}?)" if near else "")
        )
    return [by_label[label] for label in dict.fromkeys(wanted)]


def _is_current(person: RawSubject, out: Path, settings: Settings) -> bool:
    return subject_stage(person, out, settings).is_current()


def prepare_one(person: RawSubject, out: Path, settings: Settings) -> str:
    """Prepare one person; return why it could not be done, empty when it was.

    Raises:
        SynthPetError: what concerns everybody, such as a full disk.
    """
    name = f"{person.subject.participant_id} ({person.t1w})"
    try:
        subject_stage(person, out, settings).ensure(lambda: write_subject(person, out, settings))
    except DataError as error:
        return str(error)
    except SynthPetError:
        raise
    except MemoryError:
        return f"E_MEMORY {name}: too little memory; fewer at once (compute.n_jobs=1) or a coarser grid"
    except RuntimeError as error:  # of ITK: its last line says what happened
        return f"E_ITK {name}: {(str(error).strip().splitlines() or ['no reason given'])[-1]}"
    except Exception as error:  # one person's surprise must not end the work of the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return f"E_INTERNAL {name}: {type(error).__name__}: {error} ({where}); please report it"
    return ""


def _stop_on_problem(outcomes: Iterable[Outcome]) -> None:
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if problems:
        raise DataError("on_invalid=stop, and not every subject can be prepared:\n  " + "\n  ".join(problems))
