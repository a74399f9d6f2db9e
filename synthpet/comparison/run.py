"""Several generators on the same people: run what is missing of each, then table, tests and page."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from synthpet.checks.cohort import open_cohort
from synthpet.cohort.files import write_bytes, write_json, write_text, write_tsv
from synthpet.comparison.options import GeneratorsStudy
from synthpet.comparison.results import Result, check_same_people
from synthpet.completion.write import completed_folder, generators_source
from synthpet.errors import DataError, UsageError
from synthpet.quality.run import ensure_evaluated, source_of
from synthpet.quality.source import Source
from synthpet.quality.words import ROLE_WORDS
from synthpet.runtime.console import say
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.tracking import COMPARISON, tracked
from synthpet.tracking.stages import track_generator_table

LAYOUT = 2  # of what is written here; another number makes folders of older versions anew


def ensure_generators_compared(study: GeneratorsStudy) -> Path:
    """Compare generators on the paired controls of a cohort; first train, complete and evaluate what is missing.

    Args:
        study: options, with those of the evaluation of every generator.

    Returns:
        The folder ``generators`` with ``table.tsv``, ``table.txt``, ``statistics.json``, ``report.html`` and
        ``figures/``.

    Raises:
        UsageError: a generator twice, other numbers of folds, or generators of another cohort.
        DataError: the evaluations are not of the same people, or nobody has a real image to compare with.
    """
    _check(study)
    results = _ensure_evaluations(study)
    check_same_people(results)
    first = next(iter(results.values()))
    role = first.quality["headline_role"]
    if role is None:
        raise DataError(f"E_NO_TRUTH {first.folder}: nobody has a real image beside the synthetic one; expected some")
    folder = study.paths.generator_comparison
    config = {
        "compare": plain(study.compare),
        "n_steps": {name: result.n_steps for name, result in results.items()},
        "role": role,
        "seed": study.seed,
        "layout": LAYOUT,
        **open_cohort(study).told(),
    }
    sources = {name: source_of(one, results[name].folder) for name, one in study.evaluations.items()}
    stage = Stage("generators", folder, config, _inputs(results, sources, role))
    if stage.ensure(lambda: _write(study, results, sources, folder, config)):
        with tracked(study, COMPARISON, "generators") as run:
            track_generator_table(run, folder, [result.folder for result in results.values()], plain(study.compare))
    for line in (folder / "table.txt").read_text().splitlines():
        say(line)
    say(f"written: {folder / 'report.html'}")
    return folder


def _check(study: GeneratorsStudy) -> None:
    names = [study.evaluations[name].gan.folder_name for name in study.compare.generators]
    if len(set(names)) < len(names):
        raise UsageError(
            f"compare.generators={list(study.compare.generators)}: their results would lie in {', '.join(names)}; "
            "expected each generator once, and no gan.name"
        )
    folds = {name: one.gan.n_folds for name, one in study.evaluations.items()}
    if len(set(folds.values())) > 1:
        told = ", ".join(f"{name} {n}" for name, n in folds.items())
        raise UsageError(f"gan.n_folds: {told}; expected one number for all, such as gan.n_folds={max(folds.values())}")
    if study.complete.generators is not None:
        raise UsageError(
            "complete.generators: compare trains each generator on the people that it is compared on; expected null"
        )


def _ensure_evaluations(study: GeneratorsStudy) -> dict[str, Result]:
    """What every generator's evaluation found, those that are missing run one after the other, folds side by side."""
    results = {}
    for k, (name, one) in enumerate(study.evaluations.items(), start=1):
        say(f"generator {k} of {len(study.evaluations)}: {name}")
        ensure_evaluated(one)
        gan = one.gan
        voxels = gan.batch_size * prod(gan.patch_size)
        results[name] = Result(name, completed_folder(one), generators_source(one), gan.n_steps, voxels)
    return results


def _inputs(results: Mapping[str, Result], sources: Mapping[str, Source], role: str) -> dict[str, Path]:
    from synthpet.comparison.pictures import image_files, people_shown

    found = image_files(sources, role, list(people_shown(results, role)))
    for result in results.values():
        found |= result.inputs()
    return found


def _write(
    study: GeneratorsStudy,
    results: Mapping[str, Result],
    sources: Mapping[str, Source],
    folder: Path,
    config: Mapping[str, Any],
) -> list[Path]:
    from synthpet.comparison.costs import cost_of
    from synthpet.comparison.page import in_short, make_page
    from synthpet.comparison.pictures import case_of, people_shown, person_pictures, strips_picture
    from synthpet.comparison.statistics import BASELINE, MEASURES, Settings, compare
    from synthpet.comparison.table import for_terminal, headlines, of_role, table_rows
    from synthpet.report.plain import plain_table
    from synthpet.runtime.console import progress

    role, cohort, first = config["role"], open_cohort(study), next(iter(results.values()))
    who = first.ids(role)[0]
    timed = progress(results.items(), "taking the time of one person", len(results))
    costs = {name: cost_of(result, study.evaluations[name], cohort, who) for name, result in timed}
    rows = table_rows(results, costs)
    values = {name: {m: result.values(role, m) for m in MEASURES} for name, result in results.items()}
    values[BASELINE] = {m: first.values(role, m, BASELINE) for m in MEASURES}
    statistics = {"role": role, **compare(values, Settings(study.seed, study.compare.n_resamples))}
    pictures = {"people": strips_picture(results, role)}
    for person, why in people_shown(results, role).items():
        pictures |= person_pictures(sources, results, case_of(sources[first.name], role, person), why)
    shown = [picture for name, picture in pictures.items() if name != "people"]
    page = make_page(results, sources[first.name], rows, statistics, pictures["people"], shown, config)
    text = plain_table(for_terminal(of_role(rows, role)))
    said = [
        f"{ROLE_WORDS[role]} (n = {len(first.ids(role))}), in the brain",
        text,
        "",
        *headlines(of_role(rows, role)),
        *in_short(statistics),
    ]
    for stale in (folder / "figures").glob("*.png"):
        stale.unlink()  # of people that were shown before
    return [
        write_tsv(folder / "table.tsv", rows),
        write_json(folder / "table.json", _about()),
        write_json(folder / "statistics.json", statistics | {"left_out": list(cohort.left_out)}),
        write_text(folder / "table.txt", "\n".join(said) + "\n"),
        *(write_bytes(folder / "figures" / f"{name}.png", picture.image) for name, picture in pictures.items()),
        write_text(folder / "report.html", page.render()),
    ]


def _about() -> dict[str, dict[str, str]]:
    """What the columns of ``table.tsv`` mean."""
    from synthpet.comparison.table import COLUMNS

    return {column: {"Description": words} for column, words in COLUMNS.items()}
