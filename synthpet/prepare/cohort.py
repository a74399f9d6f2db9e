"""Every person of a raw BIDS folder, side by side, into a cohort."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from synthpet.cohort.index import Cohort
from synthpet.errors import DataError, UsageError
from synthpet.prepare.announce import announce, write_not_used
from synthpet.prepare.finish import write_cohort
from synthpet.prepare.raw import RawOptions, read_raw
from synthpet.prepare.running import prepare_all
from synthpet.prepare.settings import Settings
from synthpet.prepare.spaces.registration import describe_engine
from synthpet.runtime.claim import PREPARED, Source, claim
from synthpet.runtime.compute import Compute
from synthpet.runtime.console import say

if TYPE_CHECKING:
    from omegaconf import DictConfig


def ensure_prepared(cfg: "DictConfig") -> Cohort:
    """Prepare whoever is not prepared yet, write the cohort's tables and picture, say how it went.

    Args:
        cfg: ``configs/prepare.yaml``.

    Raises:
        DataError: nobody could be prepared, or somebody could not and ``on_invalid`` is ``stop``; or who is ill is not
            known.
        UsageError: an option's value is unknown, or ``out`` is not the folder of this cohort.
    """
    if cfg.on_invalid not in ("skip", "stop"):
        raise UsageError(f"on_invalid={cfg.on_invalid!r}: expected skip or stop")
    if OmegaConf.is_missing(cfg.cohort, "name"):
        cfg.cohort.name = Path(cfg.bids_dir).resolve().name
    settings, options, compute = Settings.from_config(cfg), RawOptions.of(cfg), Compute.of(cfg.compute)
    out, bids_dir = _folders(cfg)
    raw = read_raw(bids_dir, options)
    t1s = {person.subject.participant_id: person.t1w for person in raw.people if person.t1w is not None}
    claim(out, PREPARED, Source.of(bids_dir, t1s))
    say(f"registration: {describe_engine(settings.engine, settings.registration)}")
    announce(raw, out)
    write_not_used(raw, out)
    if raw.questions:
        raise DataError("E_ASK nothing was prepared; expected an answer to:\n  " + "\n  ".join(raw.questions))
    labels = _labels(cfg.participant_label)
    outcomes = prepare_all(raw.people, out, settings, compute=compute, on_invalid=cfg.on_invalid, labels=labels)
    write_cohort(outcomes, out, cfg.cohort.name, settings, compute, raw.notes)
    return Cohort.open(out)


def _folders(cfg: "DictConfig") -> tuple[Path, Path]:
    """Where the cohort is written and what is read; absolute where other machines have to find them.

    Raises:
        UsageError: results would be written among the raw images.
    """
    out, bids_dir = Path(cfg.out), Path(cfg.bids_dir)
    raw, written = bids_dir.resolve(), out.resolve()
    if written.is_relative_to(raw) and raw / "derivatives" not in written.parents:
        raise UsageError(f"out={out} lies in bids_dir={bids_dir}; expected a folder outside, or below its derivatives/")
    return (out.absolute(), bids_dir.absolute()) if cfg.compute.backend == "dask" else (out, bids_dir)


def _labels(given: Any) -> list[str] | None:
    """The option ``participant_label``: one label, a list, or None for everybody."""
    if given is None:
        return None
    return [str(given)] if isinstance(given, str | int) else [str(label) for label in given]
