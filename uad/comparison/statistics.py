"""The statistics of the comparison: every column against the reference, every detector against the best one.

Two questions decide the words: which lesions are detected (exact McNemar) and at which rank (signed-rank test, misses
censored). The p-values of both, of all comparisons of a run, are corrected together (Holm). Everything else describes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.statistics.intervals import LEVEL, Interval, wilson_interval
from synthpet.statistics.p_values import holm
from synthpet.statistics.paired import (
    censored_ranks,
    mcnemar,
    mcnemar_power,
    paired_bootstrap,
    paired_difference_interval,
    verdict,
    wilcoxon_signed_rank,
)
from uad.comparison.table import Outcome
from uad.scores.lesions import RANKS, across_seeds, found_at_rank, froc_areas

RANK_WORDS = "mean rank, misses censored"
DEFINITIONS = {
    "n_tests": "p-values that Holm's correction takes together: two for each comparison, whatever it shows",
    "n_below_level": "how many of them are at most 0.05 before that correction",
    "columns": "each normative set against the reference, same detector, same patients, first seed",
    "detectors": "each detector against the one that finds most (then: lowest censored rank), at the reference column; "
    "that one was chosen after looking at the same patients, which flatters it",
    "detected.only_a, only_b": "lesions that only this one, only the other finds",
    "detected.p_exact, p_mid": "McNemar, two-sided: exact conditional and mid-p",
    "detected.p_holm": "p_exact after Holm's correction; the words rest on it",
    "detected.difference, interval": "share detected, this minus the other; 95 %, Newcombe's method 10",
    "ranks": "Wilcoxon's signed-rank test on ranks, a miss taken as the worst kept rank plus one; positive, negative: "
    "sums of ranks; difference of the means, this minus the other, with its 95 % bootstrap interval; negative: better",
    "at_rank": "share of patients whose lesion is among the first k clusters, with its 95 % Wilson interval; "
    "difference to the other with its 95 % bootstrap interval over patients",
    "froc_area": "area under sensitivity against false clusters per real control over all thresholds, up to the "
    "accepted rate and divided by it; difference with its 95 % bootstrap interval over patients (the controls' rates "
    "taken as known); null: the evaluation wrote no froc.tsv",
    "seeds": "mean, sample standard deviation, least and most over the detector's seeds; tests are of the first",
    "oracle_share": "(column - real) / (oracle - real): the share of what true PET of all controls would gain that "
    "synthetic PET of the unpaired delivers; null: the oracle gains nothing",
    "power": "probability that exact McNemar at 0.05 tells 60 % from 80 % sensitivity with this many patients, if the "
    "two find lesions independently",
}


@dataclass(frozen=True)
class Settings:
    """What the statistics need to know of the run.

    Args:
        reference: the column that the others are tested against.
        max_clusters: clusters kept per scan.
        false_per_scan: accepted false clusters per control; the FROC area reaches up to it.
        seed: of the bootstrap.
        n_resamples: of the bootstrap.
    """

    reference: str
    max_clusters: int
    false_per_scan: float
    seed: int
    n_resamples: int


def compare(outcomes: Mapping[str, Mapping[str, Outcome]], settings: Settings) -> dict[str, Any]:
    """All statistics; the content of ``statistics.json``, whose keys ``DEFINITIONS`` explains.

    Args:
        outcomes: detector to column to outcome, of the same patients.
        settings: of the run.
    """
    reference = settings.reference
    columns = {
        detector: {name: _against(cell, cells[reference], settings) for name, cell in cells.items()}
        for detector, cells in outcomes.items()
    }
    at_reference = {detector: cells[reference] for detector, cells in outcomes.items()}
    best = best_detector(at_reference, settings.max_clusters)
    detectors = {name: _against(cell, at_reference[best], settings) for name, cell in at_reference.items()}
    tested = [
        (found, name, reference) for cells in columns.values() for name, found in cells.items() if name != reference
    ] + [(found, name, best) for name, found in detectors.items() if name != best]
    n_tests, n_below_level = _correct([found for found, _, _ in tested])
    n = at_reference[best].first.size
    for found, a, b in tested:
        found["verdict"] = words_of(found, n, a, b)
    for found in (*(cells[reference] for cells in columns.values()), detectors[best]):
        found["verdict"] = "the reference"
    return {
        "definitions": DEFINITIONS,
        "n_patients": n,
        "n_tests": n_tests,
        "n_below_level": n_below_level,
        "power": mcnemar_power(n, 0.6, 0.8),
        "reference": reference,
        "columns": columns,
        "best_detector": best,
        "detectors": detectors,
        "oracle_share": {d: oracle_share(cells, settings.max_clusters) for d, cells in outcomes.items()},
    }


def best_detector(outcomes: Mapping[str, Outcome], max_clusters: int) -> str:
    """The detector that finds most lesions; among equals the lowest censored mean rank, then the first."""

    def merit(name: str) -> tuple[int, float]:
        ranks = outcomes[name].first
        return int(np.isfinite(ranks).sum()), -float(censored_ranks(ranks, max_clusters).mean())

    return max(outcomes, key=merit)


def _against(a: Outcome, b: Outcome, settings: Settings) -> dict[str, Any]:
    """One outcome against another of the same patients."""
    found_a, found_b = np.isfinite(a.first), np.isfinite(b.first)
    rank_a, rank_b = (censored_ranks(outcome.first, settings.max_clusters) for outcome in (a, b))
    ranks = wilcoxon_signed_rank(rank_a, rank_b)
    resampling = {"seed": settings.seed, "n_resamples": settings.n_resamples}
    mean_rank = paired_bootstrap(rank_a, rank_b, **resampling)
    return {
        "n_detected": int(found_a.sum()),
        "mean_rank_censored": float(rank_a.mean()),
        "identical": bool(np.array_equal(rank_a, rank_b)),
        "detected": {
            **mcnemar(found_a, found_b)._asdict(),
            "difference": float(found_a.mean() - found_b.mean()),
            "interval": list(paired_difference_interval(found_a, found_b)),
        },
        "ranks": {**ranks._asdict(), "difference": mean_rank.value, "interval": list(mean_rank.interval)},
        "at_rank": {str(k): _at_rank(a.first, b.first, k, resampling) for k in RANKS if k <= settings.max_clusters},
        "froc_area": _froc_area(a, b, settings, resampling),
        "seeds": {key: across_seeds(a.summaries, key) for key in ("n_detected", "mean_rank_censored")},
    }


def _at_rank(a: NDArray[np.float64], b: NDArray[np.float64], k: int, resampling: Mapping[str, int]) -> dict[str, Any]:
    found = found_at_rank(a, k)
    difference = paired_bootstrap(found, found_at_rank(b, k), **resampling)
    return {
        "sensitivity": float(found.mean()),
        "sensitivity_interval": list(wilson_interval(int(found.sum()), found.size)),
        "difference": difference.value,
        "interval": list(difference.interval),
    }


def _froc_area(a: Outcome, b: Outcome, settings: Settings, resampling: Mapping[str, int]) -> dict[str, Any] | None:
    if a.froc is None or b.froc is None:
        return None
    area_a, area_b = (
        froc_areas(froc.found, froc.false_per_scan[:, None], up_to=settings.false_per_scan) for froc in (a.froc, b.froc)
    )
    difference = paired_bootstrap(area_a, area_b, **resampling)
    return {"area": float(area_a.mean()), "difference": difference.value, "interval": list(difference.interval)}


def _correct(comparisons: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Write ``p_holm`` beside every p that decides; return how many there are, and how many are at most 0.05.

    All comparisons that were planned count, also those whose results turn out equal: otherwise the results would
    choose the family that they are corrected for.
    """
    tests = [(found["detected"], "p_exact") for found in comparisons] + [(found["ranks"], "p") for found in comparisons]
    raw = [test[key] for test, key in tests]
    for (test, _), p in zip(tests, holm(raw), strict=True):
        test["p_holm"] = float(p)
    return len(tests), sum(p <= 1 - LEVEL for p in raw)


def words_of(found: Mapping[str, Any], n: int, a: str, b: str) -> str:
    """Both answers of one comparison in words."""
    if found["identical"]:
        return f"{a} and {b} give every patient the same rank"
    return "; ".join(
        verdict(
            found[key]["difference"], Interval(*found[key]["interval"]), found[key]["p_holm"], n, a=a, b=b, measure=name
        )
        for key, name in (("detected", "share detected"), ("ranks", RANK_WORDS))
    )


def oracle_share(columns: Mapping[str, Outcome], max_clusters: int) -> dict[str, Any] | None:
    """How much of the gain from true PET of all controls synthetic PET delivers; None without both ends.

    Returns:
        By column (``completed`` and ``resampled`` ones): ``detected`` and ``mean_rank_censored``, each the values of
        real, column and oracle and the ``share``, which is None where the oracle gains nothing; and ``words``.
    """
    if not {"real", "oracle"} <= set(columns):
        return None
    values = {
        name: {
            "detected": float(np.isfinite(outcome.first).sum()),
            "mean_rank_censored": float(censored_ranks(outcome.first, max_clusters).mean()),
        }
        for name, outcome in columns.items()
    }
    shares: dict[str, Any] = {}
    for name in (name for name in columns if name.startswith(("completed", "resampled"))):
        found = {
            key: _share(values["real"][key], values[name][key], values["oracle"][key], better)
            for key, better in (("detected", 1), ("mean_rank_censored", -1))
        }
        n = columns[name].first.size
        shares[name] = {**found, "words": _share_words(name, found, n)}
    return shares


def _share(real: float, column: float, oracle: float, better: int) -> dict[str, float | None]:
    gain = better * (oracle - real)
    share = better * (column - real) / gain if gain > 0 else None
    return {"real": real, "column": column, "oracle": oracle, "share": share}


def _share_words(name: str, found: Mapping[str, Mapping[str, float | None]], n: int) -> str:
    parts = []
    for key, measure, form in (
        ("detected", f"lesions detected of {n}", ".0f"),
        ("mean_rank_censored", RANK_WORDS, ".1f"),
    ):
        values = found[key]
        numbers = f"real {values['real']:{form}}, {name} {values['column']:{form}}, oracle {values['oracle']:{form}}"
        share = values["share"]
        said = "no gain to share" if share is None else f"{round(100 * share)} % of the gain"
        parts.append(f"{measure}: {said} ({numbers})")
    return f"{name}: " + "; ".join(parts)
