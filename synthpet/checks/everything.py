"""What ``python -m synthpet.validate`` does: choose what is checked, print the table, write ``validation.json``."""

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from synthpet.checks.cohort import VALIDATION, validate_cohort
from synthpet.cohort import Cohort
from synthpet.cohort.files import write_json
from synthpet.cohort.problems import Problem, Report
from synthpet.errors import DataError, UsageError
from synthpet.runtime.console import say

if TYPE_CHECKING:
    from omegaconf import DictConfig


def check(cfg: "DictConfig") -> Report:
    """Check a cohort, a raw folder or results; print and write what was found.

    Raises:
        UsageError: not exactly one thing to check.
        DataError: at least one error was found.
    """
    asked = [name for name in ("bids_dir", "verify") if cfg[name] is not None]
    asked += ["cohort"] if cfg.cohort.source == "folder" else []
    if len(asked) != 1:
        raise UsageError(
            f"expected one of cohort=<folder>, bids_dir=<folder>, verify=<folder>; found {asked or 'none'}"
        )
    if asked[0] == "cohort":
        report, where = _of_cohort(cfg)
    else:
        root = Path(cfg[asked[0]])
        if OmegaConf.is_missing(cfg.cohort, "name"):
            cfg.cohort.name = root.resolve().name
        report, where = _of_raw(cfg) if asked[0] == "bids_dir" else _of_results(cfg, root)
    for line in report.lines():
        say(line)
    say(report.headline())
    say(f"written: {where}")
    if report.errors:
        raise DataError(f"E_INVALID {report.headline()}; expected none; see {where}")
    return report


def _of_cohort(cfg: "DictConfig") -> tuple[Report, Path]:
    root, work_dir = Path(cfg.cohort.path), Path(cfg.work_dir)
    try:
        return validate_cohort(Cohort.open(root), work_dir, int(cfg.compute.n_jobs)), work_dir / VALIDATION
    except DataError as error:  # of the table: there is nobody to look at
        first, *lines = str(error).split("\n  ")
        table = " ".join(first.split(" ")[:2]).removesuffix(":")  # the code and the file, for lines without their own
        whole = (line if line.startswith("E_") else f"{table}: {line}" for line in lines or [first])
        problems = [Problem.of(DataError(line), root) for line in whole]
        report = Report(root.resolve().name, 0, tuple(problems))
        return report, write_json(work_dir / VALIDATION, report.content())


def _of_raw(cfg: "DictConfig") -> tuple[Report, Path]:
    from synthpet.prepare.check_raw import check_raw

    report = check_raw(cfg)
    return report, write_json(Path(cfg.work_dir) / VALIDATION, report.content())


def _of_results(cfg: "DictConfig", root: Path) -> tuple[Report, Path]:
    from synthpet.checks.results import verify

    report = verify(root)
    return report, write_json(Path(cfg.work_dir) / "verification.json", report.content())
