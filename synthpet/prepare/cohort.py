"""Every person of a raw BIDS folder, side by side, into a cohort."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from synthpet.cohort.files import write_tsv
from synthpet.cohort.index import Cohort, write_participants
from synthpet.console import progress, say
from synthpet.errors import DataError, UsageError
from synthpet.prepare.picture import write_contact_sheet
from synthpet.prepare.raw import RawSubject, read_raw
from synthpet.prepare.registration import choose_engine, describe_engine
from synthpet.prepare.subject import Settings, read_measures, subject_stage, write_subject
from synthpet.stage import Stage

if TYPE_CHECKING:
    from omegaconf import DictConfig

QC_COLUMNS = ("participant_id", "similarity", "gm_correlation", "mask_dice", "native_brain_ml", "problem")


@dataclass(frozen=True)
class Outcome:
    """What became of one person: ``problem`` is empty when the person is in the cohort."""

    raw: RawSubject
    problem: str = ""


def ensure_prepared(cfg: "DictConfig") -> Cohort:
    """Prepare whoever is not prepared yet, write the cohort's tables and picture, say how it went.

    Args:
        cfg: ``configs/prepare.yaml``.

    Raises:
        DataError: nobody could be prepared, or somebody could not and ``on_invalid`` is ``stop``.
        UsageError: an option's value is unknown.
    """
    if cfg.on_invalid not in ("skip", "stop"):
        raise UsageError(f"on_invalid={cfg.on_invalid!r}: expected skip or stop")
    if OmegaConf.is_missing(cfg.cohort, "name"):
        cfg.cohort.name = Path(cfg.bids_dir).resolve().name
    engine = choose_engine(cfg.registration)
    settings = Settings(
        float(cfg.cohort.resolution_mm), cfg.registration, engine, float(cfg.min_similarity), int(cfg.seed)
    )
    people = read_raw(
        Path(cfg.bids_dir),
        brain_mask=cfg.brain_mask,
        control_groups=tuple(cfg.control_groups),
        patient_groups=tuple(cfg.patient_groups),
    )
    _announce(people, settings)
    out = Path(cfg.out)
    outcomes = _prepare_all(people, out, settings, n_jobs=int(cfg.compute.n_jobs), on_invalid=cfg.on_invalid)
    _write_cohort(outcomes, out, cfg.cohort.name, settings)
    return Cohort.open(out)


def _announce(people: Sequence[RawSubject], settings: Settings) -> None:
    say(f"{len(people)} subjects; registration: {describe_engine(settings.engine, settings.registration)}")
    for person in people:
        for note in person.notes:
            say(f"  {person.subject.participant_id}: {note}")


def _prepare_all(
    people: Sequence[RawSubject], out: Path, settings: Settings, *, n_jobs: int, on_invalid: str
) -> list[Outcome]:
    """Run the subjects' stages in parallel; those that are up to date are not run."""
    from joblib import Parallel, delayed

    outcomes = {p.subject.participant_id: Outcome(p, p.problem) for p in people}
    todo = [p for p in people if not p.problem and not _is_current(p, out, settings)]
    ready = len(people) - len(todo) - sum(bool(p.problem) for p in people)
    say(f"prepare: {len(todo)} to do, {ready} up to date")
    if on_invalid == "stop":
        _stop_on_problem(outcomes.values())
    jobs: Iterator[Outcome] = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_prepare_one)(person, out, settings) for person in todo
    )
    for outcome in progress(jobs, "subjects", total=len(todo)):
        outcomes[outcome.raw.subject.participant_id] = outcome
        if on_invalid == "stop":
            _stop_on_problem([outcome])
    return list(outcomes.values())


def _is_current(person: RawSubject, out: Path, settings: Settings) -> bool:
    return subject_stage(person, out, settings).is_current()


def _prepare_one(person: RawSubject, out: Path, settings: Settings) -> Outcome:
    try:
        subject_stage(person, out, settings).ensure(lambda: write_subject(person, out, settings))
    except DataError as error:
        return Outcome(person, str(error))
    except RuntimeError as error:  # of ITK: its last line says what happened
        reason = str(error).strip().splitlines()[-1]
        return Outcome(person, f"E_ITK {person.subject.participant_id} ({person.t1w}): {reason}")
    return Outcome(person)


def _stop_on_problem(outcomes: Iterable[Outcome]) -> None:
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if problems:
        raise DataError("on_invalid=stop, and not every subject can be prepared:\n  " + "\n  ".join(problems))


def _write_cohort(outcomes: Sequence[Outcome], out: Path, name: str, settings: Settings) -> None:
    """Write what holds for all together, and say how each went."""
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    done = [outcome.raw.subject for outcome in outcomes if not outcome.problem]
    if not done:
        raise DataError(f"None of {len(outcomes)} subjects could be prepared:\n  " + "\n  ".join(problems))
    rows = [_qc_row(outcome, out, settings) for outcome in outcomes]
    rows.sort(key=lambda row: row.get("similarity", 0.0))
    manifests = tuple(out / subject.participant_id / "run.json" for subject in done)
    config = {"name": name, "participants": [subject.row() for subject in done], "problems": problems}

    def make() -> list[Path]:
        written = write_participants(out, done, name=name, simulated=False)
        written.append(write_tsv(out / "qc.tsv", rows, QC_COLUMNS))
        return [*written, write_contact_sheet(Cohort.open(out), out / "figures" / "prepared.png")]

    Stage("prepare", out, config, manifests).ensure(make)
    _say_table(rows)
    say(f"{len(done)} of {len(outcomes)} subjects in {out}; look at {out / 'figures' / 'prepared.png'}")
    for problem in problems:
        say(f"  skipped: {problem}")


def _qc_row(outcome: Outcome, out: Path, settings: Settings) -> dict[str, Any]:
    participant_id = outcome.raw.subject.participant_id
    if outcome.problem:
        return {"participant_id": participant_id, "problem": outcome.problem.splitlines()[0]}
    return {"participant_id": participant_id, "problem": None, **read_measures(participant_id, out, settings)}


def _say_table(rows: Sequence[dict[str, Any]]) -> None:
    """The numbers, the least alike first."""
    say(f"{'subject':<12} {'similarity':>10} {'GM':>6} {'mask Dice':>9} {'brain mL':>8}")
    for row in rows:
        if not row["problem"]:
            say(
                f"{row['participant_id']:<12} {row['similarity']:>10.3f} {row['gm_correlation']:>6.3f} "
                f"{row['mask_dice']:>9.3f} {row['native_brain_ml']:>8.0f}"
            )
