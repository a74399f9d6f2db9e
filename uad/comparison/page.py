"""The page of the comparison: the answer in words first, then pictures, tables, numbers and definitions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synthpet.report.assemble import Parts, assemble
from synthpet.report.html import Link, Page, Part, Picture, Section, Table
from synthpet.statistics.intervals import LEVEL
from uad.comparison.cells import MOST_PICTURES, rank_table
from uad.comparison.statistics import DEFINITIONS, Settings
from uad.comparison.table import ROWS, Outcome
from uad.scores.lesions import STRICT_MM

KINDS = ("better", "worse", "not distinguishable", "the same")
MARKS = {"better": " ▲", "worse": " ▼", "not distinguishable": "", "the same": " ="}
BETTER = {"detected": 1, "ranks": -1}  # deciding test: sign of a difference that is good
SETS = {
    "real": "the paired controls with their real PET",
    "synthetic": "the same people, each with PET computed from T1 by a generator that never saw that person",
    "completed": "the paired controls with their real PET, and the others with synthetic PET",
    "resampled": "as completed, each synthetic PET with the residual of another control, to vary like real ones",
    "matched": "as real, but every real PET, the patients' too, as smooth as the synthetic ones: what a synthetic set "
    "gains beyond this does not come from its smoothness",
    "oracle": "all these controls with their true PET, which only a simulation knows",
}
DETECTED, RANK = "detected", "mean_rank_censored"  # keys of the oracle's shares
Rows = Sequence[Mapping[str, str]]


def in_short(statistics: Mapping[str, Any]) -> list[str]:
    """The answer in a few sentences: what is distinguishable from the reference, and what that can mean."""
    reference, n = statistics["reference"], statistics["n_patients"]
    cells = [
        (kind_of(found), f"{name} with {detector} ({_against(found, columns[reference], n)})")
        for detector, columns in statistics["columns"].items()
        for name, found in columns.items()
        if name != reference
    ]
    said = {kind: [words for k, words in cells if k == kind] for kind in KINDS}
    differ = [f"{kind} than {reference}: {', '.join(said[kind])}" for kind in ("better", "worse") if said[kind]]
    words = [
        f"Distinguishable after correction for the number of tests, {'; '.join(differ)}. "
        f"Not so the others ({len(cells) - len(said['better']) - len(said['worse'])} of {len(cells)} comparisons)."
        if differ
        else f"With {n} patients, no difference from {reference} is distinguishable after correction for the number of "
        f"tests (comparisons: {len(cells)})."
    ]
    if said["the same"]:
        words.append(
            f"Every patient at the same rank as with {reference}: {_by_detector(statistics)}. Equal ranks say nothing "
            "of a column that the detector cannot use: what expects a PET from the T1 learns from measured PET only, "
            "and such columns share one evaluation."
        )
    if statistics["n_tests"]:
        words.append(
            f"Before that correction, {statistics['n_below_level']} of the {statistics['n_tests']} deciding tests have "
            f"p ≤ 0.05; up to {0.05 * statistics['n_tests']:.1f} would by chance alone."
        )
    words.append(
        f"“Not distinguishable” does not mean equal: with {n} patients, a sensitivity of 60 % would be told from one "
        f"of 80 % with a probability of {statistics['power']:.2f} only."
    )
    return words


def _by_detector(statistics: Mapping[str, Any]) -> str:
    """The columns without a difference: ``residual with a, b; zmap with c``."""
    same = {
        detector: [name for name, found in cells.items() if found["identical"] and name != statistics["reference"]]
        for detector, cells in statistics["columns"].items()
    }
    return "; ".join(f"{detector} with {', '.join(names)}" for detector, names in same.items() if names)


def _against(found: Mapping[str, Any], base: Mapping[str, Any], n: int) -> str:
    return f"{found['n_detected']} against {base['n_detected']} of {n}"


def kind_of(found: Mapping[str, Any]) -> str:
    """What a comparison comes to, of ``KINDS``; better and worse only where a corrected test and its interval agree."""
    if found["identical"]:
        return "the same"
    signs = {-better * np.sign(found[key]["difference"]) for key, better in BETTER.items() if is_distinct(found[key])}
    return "not distinguishable" if len(signs) != 1 else "worse" if signs == {1} else "better"


def is_distinct(test: Mapping[str, Any]) -> bool:
    """Whether the corrected p and the interval of a deciding test both say that there is a difference."""
    low, high = test["interval"]
    return bool(test["p_holm"] <= 1 - LEVEL and not low <= 0 <= high)


def make_page(
    outcomes: Mapping[str, Mapping[str, Outcome]],
    tables: Mapping[str, Rows],
    statistics: Mapping[str, Any],
    pictures: Mapping[str, Picture],
    settings: Settings,
    *,
    simulated: bool,
    quality: Sequence[Part] = (),
    notices: Sequence[str] = (),
) -> Page:
    """Put the page together.

    Args:
        outcomes: detector to column to outcome.
        tables: detector to rows of ``table_rows``.
        statistics: of ``compare``.
        pictures: of ``make_pictures``.
        settings: of the run.
        simulated: whether the patients exist in a simulation only.
        quality: what says how good the synthetic PET is, from ``quality_parts``.
        notices: of the cohort, such as who was left out.
    """
    parts: Parts = {
        "in_short": in_short(statistics),
        "overview": _overview(statistics),
        "quality": list(quality),
        "each_detector": _detector_sections(outcomes, statistics, pictures, settings),
        "oracle": _oracle(statistics),
        "between": _between(statistics),
        "seeds": _seeds(outcomes, pictures),
        "full_tables": [_full_table(d, rows, settings) for d, rows in tables.items()],
        "method": _method_words(statistics),
        "numbers": _number_tables(statistics),
        "columns": _columns(outcomes),
        "definitions": _definitions(),
        "links": _links(outcomes),
    }
    provenance = {"Settings": json.dumps(vars(settings), indent=1)}
    return assemble(__package__, "page.yaml", parts, {}, [*_notices(simulated), *notices], provenance)


def _notices(simulated: bool) -> list[str]:
    notices = [
        "SYNTHETIC: columns called synthetic, completed or resampled learned from PET that was computed from T1 MRI."
    ]
    if simulated:
        notices.append(
            "SIMULATED: these patients do not exist; the page says how the methods work, not how well on people."
        )
    return notices


def _overview(statistics: Mapping[str, Any]) -> Table:
    names, n = list(next(iter(statistics["columns"].values()))), statistics["n_patients"]
    rows = [
        [
            detector,
            *(
                f"{c['n_detected']} ({c['mean_rank_censored']:.1f})"
                + (MARKS[kind_of(c)] if name != statistics["reference"] else "")
                for name, c in cells.items()
            ),
        ]
        for detector, cells in statistics["columns"].items()
    ]
    caption = (
        f"Lesions detected of {n} and, in brackets, the mean rank of the true cluster with misses counted as one more "
        "than the clusters kept (lower is better); first seed of each detector. ▲ better, ▼ worse than "
        f"{statistics['reference']}, = the same rank in every patient, no mark: not distinguishable."
    )
    return Table(["detector", *names], rows, caption)


def _detector_sections(
    outcomes: Mapping[str, Mapping[str, Outcome]], statistics: Mapping[str, Any], pictures: Mapping[str, Picture],
    settings: Settings,
) -> list[Section]:  # fmt: skip
    sections, room = [], MOST_PICTURES
    for detector, columns in outcomes.items():
        table = rank_table(detector, columns, settings.max_clusters, room)
        room -= sum(cell.picture is not None for row in table.rows for cell in row if isinstance(cell, Link))
        words = _words_table(statistics["columns"][detector], settings.reference, statistics)
        kinds = ("ranks", "sensitivity", "froc")
        shown = [pictures[key] for kind in kinds if (key := f"{kind}-{detector}") in pictures]
        sections.append(Section(f"Detector: {detector}", [table, words, *shown]))
    return sections


def _seeds(outcomes: Mapping[str, Mapping[str, Outcome]], pictures: Mapping[str, Picture]) -> list[Part]:
    """The spread over seeds, or what to run to learn it."""
    shown = [pictures[key] for detector in outcomes if (key := f"seeds-{detector}") in pictures]
    return list(shown) or [
        "Every detector was trained with one seed only: how much its result would change by training it again is not "
        "known here. Run `python -m uad.compare compare.detectors=[ocsvm_voxel] detector.seeds=[0,1,2]` to see it; "
        "differences between columns that are smaller than this spread mean nothing."
    ]


def _words_table(cells: Mapping[str, Any], reference: str, statistics: Mapping[str, Any]) -> Table:
    """Each comparison with the reference in words."""
    n = statistics["n_patients"]
    rows = [[name, *_words(found, cells[reference], n)] for name, found in cells.items() if name != reference]
    caption = (
        f"Each against {reference}, same {n} patients. Brackets: 95 % interval of the difference. Corrected: by Holm's "
        f"method for {statistics['n_tests']} tests; the words rest on it."
    )
    return Table(("", "lesions detected", "mean rank, misses counted"), rows, caption, prose=True)


def _words(found: Mapping[str, Any], base: Mapping[str, Any], n: int) -> list[str]:
    ranks = f"{found['mean_rank_censored']:.1f} against {base['mean_rank_censored']:.1f}"
    if found["identical"]:
        return [f"{_against(found, base, n)}: the same patients", f"{ranks}: the same rank in every patient"]
    return [
        f"{numbers}: {_decision(found[key], BETTER[key])}"
        for key, numbers in (("detected", _against(found, base, n)), ("ranks", ranks))
    ]


def _decision(test: Mapping[str, Any], better: int) -> str:
    said = "not distinguishable"
    if is_distinct(test):
        said = "better" if better * test["difference"] > 0 else "worse"
    p = test["p_exact"] if "p_exact" in test else test["p"]
    return f"{said}, difference {_with_interval(test)}, p = {p:.3g}, corrected {test['p_holm']:.3g}"


def _full_table(detector: str, rows: Rows, settings: Settings) -> Table:
    names = list(rows[0])
    caption = (
        f"{detector}. Rank of the true cluster (1: the most suspicious place is the lesion; -: missed), first seed. "
        "95 % interval: of the share detected, Wilson. Mean rank: detected patients only, as published. Censored: a "
        f"miss counts as {settings.max_clusters + 1}, so that a weak detector is not flattered. Strict: the cluster's "
        f"centre of mass lies, besides, within {STRICT_MM:g} mm of the lesion. All seeds: mean ± standard deviation, "
        "then [least–most]. Areas and Dice: over voxels, mean ± standard deviation over patients."
    )
    n_foot = sum(row["patient"] in ROWS for row in rows)
    return Table(names, [[row[n] for n in names] for row in rows], caption, n_foot=n_foot)


def _oracle(statistics: Mapping[str, Any]) -> list[Part]:
    rows = [
        [detector, name, *(_share_words(found[key], form) for key, form in ((DETECTED, ".0f"), (RANK, ".1f")))]
        for detector, shares in statistics["oracle_share"].items()
        for name, found in (shares or {}).items()
    ]
    about = (
        "The oracle learns from everybody's true PET, which only a simulation knows: what completing the control set "
        "could give at best. Where the oracle gains one or two lesions, one more or less moves the share by much, and "
        "shares below 0 % or above 100 % are the play of chance."
    )
    caption = (
        f"Share of the gain from real to oracle, and in brackets: real, column, oracle; n = {statistics['n_patients']}."
    )
    table = Table(("detector", "column", "lesions detected", "mean rank, misses counted"), rows, caption, prose=True)
    return [about, table] if rows else []


def _share_words(found: Mapping[str, float | None], form: str) -> str:
    share = "no gain to share" if found["share"] is None else f"{round(100 * found['share'])} %"
    return f"{share} ({', '.join(f'{found[key]:{form}}' for key in ('real', 'column', 'oracle'))})"


def _between(statistics: Mapping[str, Any]) -> list[Part]:
    best = statistics["best_detector"]
    about = (
        f"With the normative set {statistics['reference']}, {best} finds most; it was chosen after looking at the same "
        "patients, which flatters it."
    )
    several = len(statistics["detectors"]) > 1
    table = _words_table(statistics["detectors"], best, statistics)
    return [about, table] if several else []


def _method_words(statistics: Mapping[str, Any]) -> list[str]:
    return [
        f"{statistics['n_tests']} p-values decide the words of this page (detection and rank of every comparison); "
        "they are corrected together by Holm's method. All other numbers describe and are not "
        "corrected."
    ]


def _number_tables(statistics: Mapping[str, Any]) -> list[Table]:
    reference = statistics["reference"]
    tables = [
        _numbers(f"{detector}: each column against {reference}.", cells)
        for detector, cells in statistics["columns"].items()
    ]
    if len(statistics["detectors"]) > 1:
        best = statistics["best_detector"]
        tables.append(_numbers(f"Each detector against {best}, column {reference}.", statistics["detectors"]))
    return tables


def _numbers(caption: str, cells: Mapping[str, Any]) -> Table:
    first = next(iter(cells.values()))
    header = ["", "only this : only other", "p exact", "p mid", "p Holm", "difference detected", "p ranks",
              "p ranks Holm", "difference rank", *(f"difference at rank {k}" for k in first["at_rank"]),
              "FROC area", "difference FROC area"]  # fmt: skip
    rows = [[name, *_cells(found)] for name, found in cells.items() if found["verdict"] != "the reference"]
    return Table(header, rows, caption)


def _cells(found: Mapping[str, Any]) -> list[str]:
    detected, ranks, area = found["detected"], found["ranks"], found["froc_area"]
    return [
        f"{detected['only_a']} : {detected['only_b']}",
        *(f"{detected[key]:.3f}" for key in ("p_exact", "p_mid", "p_holm")),
        _with_interval(detected),
        f"{ranks['p']:.3f}",
        f"{ranks['p_holm']:.3f}",
        _with_interval(ranks),
        *(_with_interval(at) for at in found["at_rank"].values()),
        "n/a" if area is None else f"{area['area']:.2f}",
        "n/a" if area is None else _with_interval(area),
    ]


def _with_interval(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['difference']:+.2f} [{low:+.2f}, {high:+.2f}]"


def _columns(outcomes: Mapping[str, Mapping[str, Outcome]]) -> Table:
    sets = dict.fromkeys(outcome.normative for columns in outcomes.values() for outcome in columns.values())
    rows = [(name, SETS[name]) for name in sets if name in SETS]
    caption = "What the detectors learned from; after the hyphen: the generator that computed the synthetic PET."
    return Table(("column", "normative set"), rows, caption, prose=True)


def _definitions() -> Table:
    rows = [(name, text) for name, text in DEFINITIONS.items()]
    return Table(("key in statistics.json", "definition"), rows, "Definitions, as in statistics.json.", prose=True)


def _links(outcomes: Mapping[str, Mapping[str, Outcome]]) -> Table:
    rows: list[list[str | Link]] = [
        [detector, name, Link("patients, FROC curve, healthy controls", f"../{outcome.folder.name}/report.html")]
        for detector, columns in outcomes.items()
        for name, outcome in columns.items()
    ]
    caption = "Each patient has a page with the first detector; `python -m uad.evaluate` with another makes its pages."
    return Table(("detector", "column", "page"), rows, caption, prose=True)
