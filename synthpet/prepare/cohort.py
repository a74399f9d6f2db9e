"""Every person of a raw BIDS folder, side by side, into a cohort."""

from pathlib import Path

from synthpet.cohort.index import Cohort
from synthpet.errors import DataError, UsageError
from synthpet.prepare.announce import announce, write_not_used
from synthpet.prepare.finish import write_cohort
from synthpet.prepare.options import PrepareStudy
from synthpet.prepare.raw import read_raw
from synthpet.prepare.running import prepare_all
from synthpet.prepare.spaces.registration import describe_engine
from synthpet.runtime.claim import PREPARED, Source, claim
from synthpet.runtime.console import say


def ensure_prepared(study: PrepareStudy) -> Cohort:
    """Prepare whoever is not prepared yet, write the cohort's tables and picture, say how it went.

    Args:
        study: the options.

    Raises:
        DataError: nobody could be prepared, or somebody could not and ``on_invalid`` is ``stop``; or who is ill is not
            known.
        UsageError: ``out`` is not the folder of this cohort.
    """
    settings, compute = study.settings, study.compute
    out, bids_dir = _folders(study)
    study.dataset.announce()
    raw = read_raw(bids_dir, study.reading)
    t1s = {person.subject.participant_id: person.t1w for person in raw.people if person.t1w is not None}
    claim(out, PREPARED, Source.of(bids_dir, t1s))
    say(f"registration: {describe_engine(settings.engine, settings.registration)}")
    announce(raw, out)
    write_not_used(raw, out)
    if raw.questions:
        raise DataError("E_ASK nothing was prepared; expected an answer to:\n  " + "\n  ".join(raw.questions))
    labels = study.participant_label
    outcomes = prepare_all(raw.people, out, settings, compute=compute, on_invalid=study.on_invalid, labels=labels)
    write_cohort(outcomes, out, study.cohort.name, settings, compute, raw.notes)
    return Cohort.open(out)


def _folders(study: PrepareStudy) -> tuple[Path, Path]:
    """Where the cohort is written and what is read; absolute where other machines have to find them.

    Raises:
        UsageError: results would be written among the raw images.
    """
    out, bids_dir = study.out, study.bids_dir
    raw, written = bids_dir.resolve(), out.resolve()
    if written.is_relative_to(raw) and raw / "derivatives" not in written.parents:
        raise UsageError(f"out={out} lies in bids_dir={bids_dir}; expected a folder outside, or below its derivatives/")
    return (out.absolute(), bids_dir.absolute()) if study.compute.backend == "dask" else (out, bids_dir)
