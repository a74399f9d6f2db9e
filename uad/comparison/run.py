"""Several evaluations of the same patients side by side: the published table, with statistics that fit its size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort
from synthpet.cohort.files import write_bytes, write_json, write_text, write_tsv
from synthpet.cohort.marks import is_simulated_dataset
from synthpet.completion.write import completed_folder
from synthpet.errors import UsageError
from synthpet.generators.crossfit import ensure_cohort
from synthpet.quality.run import ensure_evaluated
from synthpet.report.plain import plain_table
from synthpet.runtime.compute import Compute, in_processes
from synthpet.runtime.console import progress, say
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.tracking import COMPARISON, tracked
from uad.comparison.cells import generator_pictures
from uad.comparison.options import Cell, ComparisonStudy
from uad.comparison.statistics import Settings, compare
from uad.comparison.table import MISSED, ROWS, Outcome, check_same_patients, table_rows
from uad.detectors.train import NEEDS_SYNTHESIS, uses_synthesis, with_translation
from uad.evaluation.run import ensure_evaluation, evaluation_folder
from uad.findings.options import EvaluationStudy
from uad.normative.sets import MEASURED_ALIKE
from uad.tracking.stages import track_comparison

READ = ("ranks.tsv", "summary.json", "froc.tsv", "froc_found.tsv")  # of each evaluation
LAYOUT = 2  # of what is written here; another number makes folders of older versions anew

Outcomes = Mapping[str, Mapping[str, Outcome]]  # detector to column to what was found


def ensure_comparison(study: ComparisonStudy) -> Path:
    """Compare detectors and normative sets on the cohort's patients; first run the evaluations that are missing.

    Args:
        study: options, with those of every evaluation.

    Returns:
        The folder ``comparison`` with ``table.tsv``, ``table.txt``, ``statistics.json``, ``report.html`` and
        ``figures/``.

    Raises:
        UsageError: the reference is not among the columns.
        DataError: the evaluations are not of the same patients.
    """
    columns, detectors = _columns(study), study.compare.detectors
    cells = [(detector, column) for detector in detectors for column in columns]
    folders = _ensure_evaluations({cell: study.evaluations[cell] for cell in cells}, study.compute)
    sets = {column: study.evaluations[detectors[0], column].normative.name for column in columns}
    outcomes = {d: {c: Outcome.read(folders[d, c], sets[c]) for c in columns} for d in detectors}
    check_same_patients(outcomes)
    folder = study.paths.comparison
    config = {
        "compare": plain(study.compare),
        "columns": columns,
        "max_clusters": study.detection.max_clusters,
        "false_per_scan": study.detection.false_per_scan,
        "seed": study.seed,
        "layout": LAYOUT,
        **(cohort := open_cohort(study)).told(),
    }
    shown = generator_pictures(_synthetic(study, columns))
    stage = Stage("comparison", folder, config, (*_inputs(outcomes), *shown))
    if stage.ensure(lambda: _write(study, cohort, folder, outcomes)):
        options = {"detection": plain(study.detection), "compare": plain(study.compare), "columns": columns}
        with tracked(study, COMPARISON, "comparison") as run:
            track_comparison(run, folder, folders, options)
    for line in (folder / "table.txt").read_text().splitlines():
        say(line)
    say(f"written: {folder / 'report.html'}")
    return folder


def _columns(study: ComparisonStudy) -> list[str]:
    """The columns, without the oracle where nobody knows everybody's true PET."""
    reference, columns = study.compare.reference, list(study.compare.columns)
    if reference not in columns:
        raise UsageError(f"compare.reference={reference}: expected one of {columns}")
    if study.cohort.is_simulated or is_simulated_dataset(study.cohort.path):
        return columns
    cells = {column: study.evaluations[study.compare.detectors[0], column] for column in columns}
    known = [column for column, cell in cells.items() if cell.normative.name != "oracle"]
    if known != columns:
        say(f"comparison: column oracle left out, since {study.cohort.path} is not a simulated cohort")
    return known


def _synthetic(study: ComparisonStudy, columns: Sequence[str]) -> dict[str, Path]:
    """The folder of the synthetic images of each generator that the columns use, by its name."""
    cells = [study.evaluations[study.compare.detectors[0], column] for column in columns]
    used = [cell for cell in cells if cell.normative.name in NEEDS_SYNTHESIS or cell.normative.name == "matched"]
    return {cell.gan.folder_name: completed_folder(with_translation(cell)) for cell in used}


def _ensure_evaluations(cells: Mapping[Cell, EvaluationStudy], compute: Compute) -> dict[Cell, Path]:
    """The folder of each cell's evaluation; cells side by side, which is faster than one on all cores."""
    ensure_cohort(next(iter(cells.values())))
    for study in {study.gan.name: study for study in reversed(list(cells.values())) if uses_synthesis(study)}.values():
        ensure_evaluated(study)  # before them, since several cells read it
    cells = {cell: _as_learned(study) for cell, study in cells.items()}
    paged = next(iter(cells))[0]  # pages of every patient cost more than all else: of the first detector only
    cells = {cell: replace(study, patient_pages=cell[0] == paged) for cell, study in cells.items()}
    folders = {cell: evaluation_folder(with_translation(study)) for cell, study in cells.items()}
    if compute.n_jobs > 1:
        cells = {cell: replace(study, compute=study.compute.at_most(1)) for cell, study in cells.items()}
    first = {folder: cell for cell, folder in reversed(folders.items())}  # several columns may share one evaluation
    work = partial(_ensure_cell, studies=cells)
    running = in_processes(work, [cell for cell in cells if cell in first.values()], compute, name="-".join)
    list(progress(running, "evaluations", len(first), lines=True))
    return folders


def _as_learned(study: EvaluationStudy) -> EvaluationStudy:
    """A detector that learns from measured PET alone learns the same from these sets: it is trained and run once."""
    if study.detector.measured_only and study.normative.name in MEASURED_ALIKE:
        return replace(study, normative=replace(study.normative, name="real"))
    return study


def _ensure_cell(cell: Cell, studies: Mapping[Cell, EvaluationStudy]) -> Path:
    return ensure_evaluation(studies[cell])


def _inputs(outcomes: Outcomes) -> Iterator[Path]:
    for columns in outcomes.values():
        for outcome in columns.values():
            yield from (path for name in READ if (path := outcome.folder / name).is_file())


def _write(study: ComparisonStudy, cohort: Cohort, folder: Path, outcomes: Outcomes) -> list[Path]:
    from uad.comparison.cells import quality_parts
    from uad.comparison.figures import make_pictures
    from uad.comparison.page import in_short, make_page

    settings = Settings(
        study.compare.reference,
        study.detection.max_clusters,
        study.detection.false_per_scan,
        study.seed,
        study.compare.n_resamples,
    )
    tables = {detector: table_rows(columns, settings.max_clusters) for detector, columns in outcomes.items()}
    statistics = compare(outcomes, settings)
    pictures = make_pictures(outcomes, settings)
    page = make_page(
        outcomes,
        tables,
        statistics,
        pictures,
        settings,
        simulated=is_simulated_dataset(study.cohort.path),
        quality=quality_parts(_synthetic(study, list(next(iter(outcomes.values()))))),
        notices=cohort.notices,
    )
    rows = [{"detector": detector, **row} for detector, table in tables.items() for row in table]
    for stale in (folder / "figures").glob("*.png"):
        stale.unlink()  # of detectors that were compared before
    text = "\n\n".join(f"{detector}\n{_for_terminal(table)}" for detector, table in tables.items())
    return [
        write_tsv(folder / "table.tsv", rows),
        write_json(folder / "table.json", _about(settings.reference, list(rows[0]))),
        write_json(folder / "statistics.json", statistics | {"left_out": list(cohort.left_out)}),
        write_text(folder / "table.txt", "\n".join([text, "", *in_short(statistics)]) + "\n"),
        *(write_bytes(folder / "figures" / f"{name}.png", picture.image) for name, picture in pictures.items()),
        write_text(folder / "report.html", page.render()),
    ]


def _about(reference: str, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the columns and the rows of ``table.tsv`` mean."""
    fixed: dict[str, dict[str, Any]] = {
        "detector": {"Description": "configs/detector"},
        "patient": {"Description": "BIDS id, or a summary of all patients", "Levels": ROWS},
        "lesion_site": {"Description": "where the lesion is, in words"},
    }
    cells = f"rank of the true cluster with this normative set, first seed; {MISSED}: missed; the others are tested "
    return fixed | {c: {"Description": f"{cells}against {reference}"} for c in columns if c not in fixed}


def _for_terminal(rows: Sequence[Mapping[str, str]]) -> str:
    """The plain table without the lesions' sites, which ``table.tsv`` has: a terminal is narrow."""
    return plain_table([{key: cell for key, cell in row.items() if key != "lesion_site"} for row in rows])
