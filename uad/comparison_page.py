"""The page of the comparison: the answer in words first, then pictures, tables, numbers and definitions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from synthpet.report.html import Page, Picture, Section, Table
from uad.comparison_statistics import DEFINITIONS, Settings
from uad.comparison_table import Outcome

TITLE = "Does synthetic PET serve as well as real PET?"
KINDS = ("better", "worse", "not distinguishable", "the same in every patient")
Rows = Sequence[Mapping[str, str]]


def in_short(statistics: Mapping[str, Any]) -> list[str]:
    """The answer in a few sentences, each column against the reference over all detectors."""
    n, reference = statistics["n_patients"], statistics["reference"]
    columns = statistics["columns"]
    words = []
    for name in next(iter(columns.values())):
        if name != reference:
            words.append(_column_words(name, {d: cells[name] for d, cells in columns.items()}, columns, reference, n))
    words.append(
        f"“Not distinguishable” does not mean equal: with {n} patients, a sensitivity of 60 % would be told from one "
        f"of 80 % with a probability of {statistics['power']:.2f} only."
    )
    return words


def _column_words(name: str, cells: Mapping[str, Any], columns: Mapping[str, Any], reference: str, n: int) -> str:
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for detector, found in cells.items():
        kinds[_kind(found)].append(
            f"{detector} {found['n_detected']} against {columns[detector][reference]['n_detected']}"
        )
    said = "; ".join(f"{kind} with {', '.join(who)}" for kind, who in kinds.items() if who)
    return f"{name} against {reference}, lesions detected of {n}: {said}."


def _kind(found: Mapping[str, Any]) -> str:
    """What a comparison comes to: better or worse only where a corrected test and its interval say so."""
    if found["identical"]:
        return "the same in every patient"
    for key, better in (("detected", 1), ("ranks", -1)):
        (low, high), test = found[key]["interval"], found[key]
        if test["p_holm"] <= 0.05 and not low <= 0 <= high:
            return "better" if better * test["difference"] > 0 else "worse"
    return "not distinguishable"


def make_page(
    outcomes: Mapping[str, Mapping[str, Outcome]],
    tables: Mapping[str, Rows],
    statistics: Mapping[str, Any],
    pictures: Mapping[str, Picture],
    settings: Settings,
    *,
    simulated: bool,
) -> Page:
    """Put the page together.

    Args:
        outcomes: detector to column to outcome.
        tables: detector to rows of ``table_rows``.
        statistics: of ``compare``.
        pictures: of ``make_pictures``.
        settings: of the run.
        simulated: whether the patients exist in a simulation only.
    """
    sections = [
        Section("The answer in short", in_short(statistics), [_overview(statistics)]),
        *(_detector_section(d, tables[d], statistics, pictures, settings) for d in outcomes),
        *_oracle_section(statistics),
        *_between_section(statistics),
        Section("Statistics in numbers", _method_words(statistics), _number_tables(statistics)),
        Section("What the numbers mean", (), [_definitions()]),
        Section("Each evaluation", (), [_links(outcomes)]),
    ]
    return Page(TITLE, sections, _notices(simulated), {"Settings": json.dumps(vars(settings), indent=1)})


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
    names = list(next(iter(statistics["columns"].values())))
    rows = [
        [detector, *(f"{c['n_detected']} ({c['mean_rank_censored']:.1f})" for c in cells.values())]
        for detector, cells in statistics["columns"].items()
    ]
    caption = (
        f"Lesions detected of {statistics['n_patients']} and, in brackets, the mean rank of the true cluster with "
        "misses counted as one more than the clusters kept (lower is better). First seed of each detector."
    )
    return Table(["detector", *names], rows, caption)


def _detector_section(
    detector: str, rows: Rows, statistics: Mapping[str, Any], pictures: Mapping[str, Picture], settings: Settings
) -> Section:
    names = list(rows[0])
    caption = (
        "Rank of the true cluster (1: the most suspicious place is the lesion; -: missed), first seed. 95 % interval: "
        "of the share detected, Wilson. Mean rank: detected patients only, as published. Censored: a miss counts as "
        f"{settings.max_clusters + 1}, so that a weak detector is not flattered. Strict: the cluster's centre of mass "
        "lies, besides, within 10 mm of the lesion. Each seed: mean ± standard deviation [least–most]. Areas and "
        "Dice: over voxels, mean ± standard deviation over patients."
    )
    words = [c["verdict"] + "." for c in statistics["columns"][detector].values() if c["verdict"] != "the reference"]
    shown = [pictures[key] for kind in ("table", "ranks", "sensitivity", "froc", "seeds")
             if (key := f"{kind}-{detector}") in pictures]  # fmt: skip
    return Section(
        f"Detector: {detector}", words, [Table(names, [[row[n] for n in names] for row in rows], caption)], shown
    )


def _oracle_section(statistics: Mapping[str, Any]) -> list[Section]:
    words = [
        f"{detector}: {found['words']}."
        for detector, shares in statistics["oracle_share"].items()
        for found in (shares or {}).values()
    ]
    about = (
        "The oracle learns from everybody's true PET, which only a simulation knows: more than completing a control "
        "set with synthetic PET can give. The gain is a small number of lesions, so one lesion moves its share by much."
    )
    return [Section("How much of the possible gain does synthetic PET deliver?", [about, *words])] if words else []


def _between_section(statistics: Mapping[str, Any]) -> list[Section]:
    others = {name: found for name, found in statistics["detectors"].items() if name != statistics["best_detector"]}
    about = (
        f"At the column {statistics['reference']}, {statistics['best_detector']} finds most; it was chosen after "
        "looking at the same patients, which flatters it."
    )
    words = [f"{found['verdict']}." for found in others.values()]
    return [Section("Detector against detector", [about, *words])] if others else []


def _method_words(statistics: Mapping[str, Any]) -> list[str]:
    return [
        f"{statistics['n_tests']} p-values decide the words of this page (detection and rank of every comparison whose "
        "results differ); they are corrected together by Holm's method. All other numbers describe and are not "
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
    return f"{found['difference']:+.2f} ({low:+.2f} to {high:+.2f})"


def _definitions() -> Table:
    rows = [(name, text) for name, text in DEFINITIONS.items()]
    return Table(("key in statistics.json", "definition"), rows, "Definitions, as in statistics.json.", prose=True)


def _links(outcomes: Mapping[str, Mapping[str, Outcome]]) -> Table:
    rows = [
        [detector, name, f"../{outcome.folder.name}/report.html"]
        for detector, columns in outcomes.items()
        for name, outcome in columns.items()
    ]
    return Table(("detector", "column", "page"), rows, "Maps and clusters of every patient.", prose=True)
