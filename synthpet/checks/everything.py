"""What ``python -m synthpet.validate`` does: choose what is checked, print the table, write ``validation.json``."""

from pathlib import Path

from synthpet.checks.cohort import validate_cohort
from synthpet.checks.options import ValidationStudy
from synthpet.cohort import Cohort
from synthpet.cohort.files import write_json
from synthpet.cohort.paths import Paths
from synthpet.cohort.problems import Problem, Report
from synthpet.errors import DataError
from synthpet.prepare.options import PrepareStudy
from synthpet.runtime.console import say
from synthpet.runtime.options import Study


def check(study: ValidationStudy) -> Report:
    """Check a cohort, a raw folder or results; print and write what was found.

    Args:
        study: which of them.

    Raises:
        DataError: at least one error was found.
    """
    if study.raw is not None:
        report, where = _of_raw(study.raw)
    elif study.verify is not None:
        report, where = _of_results(study.verify, study.work_dir)
    else:
        report, where = _of_cohort(study)
    for line in report.lines():
        say(line)
    say(report.headline())
    say(f"written: {where}")
    if report.errors:
        raise DataError(f"E_INVALID {report.headline()}; expected none; see {where}")
    return report


def _of_cohort(study: Study) -> tuple[Report, Path]:
    root, work_dir = study.cohort.path, study.work_dir
    try:
        return validate_cohort(Cohort.open(root), work_dir, study.compute.n_jobs), study.paths.validation
    except DataError as error:  # of the table: there is nobody to look at
        first, *lines = str(error).split("\n  ")
        table = " ".join(first.split(" ")[:2]).removesuffix(":")  # the code and the file, for lines without their own
        whole = (line if line.startswith("E_") else f"{table}: {line}" for line in lines or [first])
        problems = [Problem.of(DataError(line), root) for line in whole]
        report = Report(root.resolve().name, 0, tuple(problems))
        return report, write_json(study.paths.validation, report.content())


def _of_raw(study: PrepareStudy) -> tuple[Report, Path]:
    from synthpet.prepare.check_raw import check_raw

    report = check_raw(study)
    return report, write_json(study.paths.validation, report.content())


def _of_results(root: Path, work_dir: Path) -> tuple[Report, Path]:
    from synthpet.checks.results import verify

    report = verify(root)
    return report, write_json(Paths(work_dir).verification, report.content())
