"""The page of the comparison: the answer in words, the table, the tests, the same person under every generator."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from synthpet.comparison.results import Result
from synthpet.comparison.statistics import BASELINE, MEASURE_WORDS, MEASURES, OF_BASELINE
from synthpet.comparison.table import COLUMNS, COSTS, QUALITY, as_text, made_by_generators, of_role
from synthpet.quality.source import Source
from synthpet.quality.words import ROLE_WORDS, UNSEEN, settings_words
from synthpet.report.assemble import Parts, assemble
from synthpet.report.html import Link, Page, Picture, Table

Rows = Sequence[Mapping[str, Any]]
Statistics = Mapping[str, Any]


def in_short(statistics: Statistics) -> list[str]:
    """What the tests come to: for each measure the generators that are better than others, and than the mean PET."""
    found = [_of_measure(statistics, measure) for measure in MEASURES]
    n, least = statistics["n_people"], statistics["least_p_holm"]
    words = [text for text in found if text] or ["Nothing can be told apart by any measure."]
    if least > 0.05:
        words.append(
            f"With {n} people and {statistics['n_tests']} tests the least corrected p is {least:.2g}: whatever the "
            "generators did, nothing could have been told apart."
        )
    words.append(
        f"“Not distinguishable” does not mean equal. Every p is corrected by Holm's method for {statistics['n_tests']} "
        "tests, which the list of generators makes, whatever they show."
    )
    return words


def _of_measure(statistics: Statistics, measure: str) -> str:
    """A sentence on one measure; empty where nothing is told apart."""
    beaten: dict[str, list[str]] = {}
    for test in statistics["tests"]:
        if test["measure"] == measure and test["better"]:
            other = test["b"] if test["better"] == test["a"] else test["a"]
            beaten.setdefault(test["better"], []).append(_named(other))
    parts = [f"{_named(winner)} is better than {_listed(others)}" for winner, others in beaten.items()]
    return f"{MEASURE_WORDS[measure]}: {'; '.join(parts)}." if parts else ""


def _named(name: str) -> str:
    return "the mean PET" if name == BASELINE else name


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def make_page(
    results: Mapping[str, Result],
    source: Source,
    rows: Rows,
    statistics: Statistics,
    strips: Picture,
    people: Sequence[Picture],
    settings: Mapping[str, Any],
) -> Page:
    """Put the page together.

    Args:
        results: of every generator.
        source: of the first one's images, for what is said of the cohort.
        rows: of ``table_rows``.
        statistics: of ``compare``.
        strips: everybody's numbers.
        people: pictures of single persons.
        settings: of the run, for the provenance.
    """
    role = statistics["role"]
    others = [found for found in dict.fromkeys(row["role"] for row in rows) if found != role]
    parts: Parts = {
        "in_short": in_short(statistics),
        "table": _table(rows, role),
        "costs": _costs(rows, role),
        "fairness": _fairness(rows, role, next(iter(results.values()))),
        "strips": strips,
        "words": _words(statistics),
        "tests": [_matrix(statistics, measure, list(results)) for measure in MEASURES],
        "people": list(people),
        "other_roles": [_table(rows, other) for other in others],
        "numbers": _numbers(statistics),
        "definitions": [_defined("column", COLUMNS), _defined("key in statistics.json", statistics["definitions"])],
        "links": [Link(f"{name}: all about it", f"../{r.folder.name}/report.html") for name, r in results.items()],
    }
    parts = {name: source.translation.put(part) for name, part in parts.items()}
    provenance = {"Settings": json.dumps(settings, indent=1, default=str)}
    words = {"target": source.translation.made.words}
    return assemble(__package__, "page.yaml", parts, words, _notices(source), provenance)


def _notices(source: Source) -> list[str]:
    notices = ["SYNTHETIC: every PET called synthetic was computed from a T1 MRI by a network; nobody measured it."]
    if source.is_simulated:
        notices.append(
            "SIMULATED: the persons of this cohort do not exist; the page says how the generators work, not how well "
            "on real people."
        )
    return [*map(source.translation.put, notices), *source.cohort.notices]


def _table(rows: Rows, role: str) -> Table:
    rows = of_role(rows, role)
    shown = [as_text(row, QUALITY) for row in rows]
    caption = (
        f"{rows[0]['n']} {ROLE_WORDS[role]}, {UNSEEN[role]}: mean ± standard deviation over people, in the brain. "
        "Below: what no generator made. Spread over real: 1 is as diverse as real PETs; knows the person: 0 is nothing "
        "individual, 1 everything."
    )
    cells = [list(row.values()) for row in shown]
    return Table(list(shown[0]), cells, caption, n_foot=len(rows) - len(made_by_generators(rows)))


def _costs(rows: Rows, role: str) -> Table:
    shown = [as_text(row, COSTS) for row in made_by_generators(of_role(rows, role))]
    caption = (
        "What each costs: seconds of the processor, which stay about the same beside other work on the machine, and by "
        "the clock; one person by one generator. A dash: trained by a version that did not write it down."
    )
    return Table(list(shown[0]), [list(row.values()) for row in shown], caption)


def _fairness(rows: Rows, role: str, first: Result) -> list[str]:
    made = made_by_generators(of_role(rows, role))
    odd = [f"{row['method']}: {row['budget']}" for row in made if row["budget"] != "same"]
    steps = (
        f"NOT the same number of steps: {'; '.join(odd)}. What they gain or lose may come from that."
        if odd
        else f"All took the same number of steps ({made[0]['n_steps']:,} a fold); a step of one costs more than one of "
        "another."
    )
    return [
        f"All were trained on the same {len(first.folds)} folds and measured on the same people. {steps}",
        settings_words(first.quality),
    ]


def _words(statistics: Statistics) -> list[str]:
    return [
        f"{statistics['n_people']} {ROLE_WORDS[statistics['role']]}. A cell says how the generator of its row compares "
        "with that of its column: difference of the means with its 95 % interval (bootstrap over people), and the "
        "p-value of Wilcoxon's signed-rank test after correction. “better” and “worse” stand only where both agree."
    ]


def _matrix(statistics: Statistics, measure: str, names: Sequence[str]) -> Table:
    """One measure: each generator (rows) against the others and the mean PET (columns)."""
    tests = {(test["a"], test["b"]): test for test in statistics["tests"] if test["measure"] == measure}
    columns = [*names, *([BASELINE] if measure in OF_BASELINE else [])]
    rows = [[name, *(_cell(tests, name, other) for other in columns)] for name in names]
    return Table(["", *map(_named, columns)], rows, f"{MEASURE_WORDS[measure]}.", prose=True)


def _cell(tests: Mapping[tuple[str, str], Mapping[str, Any]], name: str, other: str) -> str:
    if name == other:
        return "–"
    test, sign = (tests[name, other], 1) if (name, other) in tests else (tests[other, name], -1)
    if test["difference"] is None:
        return "not measured"
    said = "not distinguishable"
    if test["better"]:
        said = "better" if test["better"] == name else "worse"
    low, high = sorted(sign * limit for limit in test["interval"])
    return f"{said}: {sign * test['difference']:+.3f} ({low:+.3f} to {high:+.3f}), p = {test['p_holm']:.2g}"


def _numbers(statistics: Statistics) -> Table:
    rows = [
        [
            f"{_named(test['a'])} − {_named(test['b'])}",
            MEASURE_WORDS[test["measure"]],
            *(
                [f"{test['difference']:+.4f}", "{:+.4f} to {:+.4f}".format(*test["interval"])]
                if test["n"]
                else ["–"] * 2
            ),
            f"{test['n_better']} of {test['n']}",
            f"{test['p']:.3g}",
            f"{test['p_holm']:.3g}",
        ]
        for test in statistics["tests"]
    ]
    header = ["", "measure", "difference", "95 % interval", "better for", "p", "p Holm"]
    return Table(header, rows, f"All {statistics['n_tests']} tests of statistics.json.")


def _defined(heading: str, definitions: Mapping[str, str]) -> Table:
    return Table((heading, "meaning"), list(definitions.items()), f"What each {heading} means.", prose=True)
