"""Paired tests over people: every generator against every other one, and against the mean PET.

Wilcoxon's signed-rank test for each measure; the p-values of all comparisons that the list of generators makes are
corrected together (Holm), whatever they show: else the results would choose the family that they are corrected for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.statistics.intervals import LEVEL, Interval
from synthpet.statistics.p_values import holm
from synthpet.statistics.paired import paired_bootstrap, verdict, wilcoxon_signed_rank

BASELINE = "mean_pet"
MEASURES = {"ssim": 1, "psnr": 1, "mae": -1, "deviation_correlation": 1}  # sign of a difference that is good
MEASURE_WORDS = {
    "ssim": "SSIM",
    "psnr": "PSNR, dB",
    "mae": "MAE, SUVR",
    "deviation_correlation": "knows the person (correlation)",
}
OF_BASELINE = tuple(measure for measure in MEASURES if measure != "deviation_correlation")
DEFINITIONS = {
    "n_tests": "p-values that Holm's correction takes together: every pair of generators by every measure, and every "
    "generator against the mean PET by all but the last measure, whatever they show",
    "least_p_holm": "least corrected p that this number of people can give: above 0.05 nothing can be told apart",
    "a, b": "the two that are compared; mean_pet: mean PET of the training controls of the person's fold",
    "difference": "mean over people of a minus b",
    "interval": "95 % of the difference, percentile bootstrap over people",
    "n_better": "people for whom a is better than b",
    "p": "Wilcoxon's signed-rank test, exact, two-sided",
    "p_holm": "after Holm's correction; the words rest on it",
    "better": "a, b, or null where corrected p and interval do not both tell them apart",
    "people": "tests take people as independent, though those of a fold share a generator: they say of these trained "
    "generators whether they differ on such people, not whether trainings done anew would",
}

Values = Mapping[str, NDArray[np.float64]]  # measure to (n,), NaN where it could not be measured


@dataclass(frozen=True)
class Settings:
    """``seed`` and ``n_resamples`` of the bootstrap."""

    seed: int
    n_resamples: int


def planned(generators: list[str]) -> Iterator[tuple[str, str, str]]:
    """Every test: the two that are compared, and the measure; it follows from the list of generators alone."""
    for a, b in combinations(generators, 2):
        yield from ((a, b, measure) for measure in MEASURES)
    for name in generators:
        yield from ((name, BASELINE, measure) for measure in OF_BASELINE)


def compare(values: Mapping[str, Values], settings: Settings) -> dict[str, Any]:
    """The content of ``statistics.json``.

    Args:
        values: measures of every generator and, as ``mean_pet``, of the baseline, all of the same people.
        settings: of the bootstrap.

    Returns:
        ``n_people``, ``n_tests``, ``least_p_holm``, ``tests`` and ``definitions``.
    """
    generators = [name for name in values if name != BASELINE]
    tests = [
        {
            "a": a,
            "b": b,
            "measure": measure,
            **_test(values[a][measure], values[b][measure], MEASURES[measure], settings),
        }
        for a, b, measure in planned(generators)
    ]
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = float(p)
        test |= _verdict(test)
    n = len(values[generators[0]]["mae"])
    least = min(1.0, len(tests) * 2 / 2**n)
    return {"n_people": n, "n_tests": len(tests), "least_p_holm": least, "tests": tests, "definitions": DEFINITIONS}


def _test(a: NDArray, b: NDArray, sign: int, settings: Settings) -> dict[str, Any]:
    """One comparison; of a measure that nobody has in both nothing is said, and it still counts as a test."""
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if not known.any():
        return {"n": 0, "difference": None, "interval": None, "n_better": 0, "p": 1.0}
    found = paired_bootstrap(a, b, seed=settings.seed, n_resamples=settings.n_resamples)
    return {
        "n": found.n,
        "difference": found.value,
        "interval": list(found.interval),
        "n_better": int((sign * (a - b) > 0).sum()),
        "p": wilcoxon_signed_rank(a, b).p,
    }


def _verdict(test: Mapping[str, Any]) -> dict[str, Any]:
    """Which of the two is better, and the whole in words."""
    if test["difference"] is None:
        return {"better": None, "words": f"{MEASURE_WORDS[test['measure']]}: not measured"}
    interval = Interval(*test["interval"])
    words = verdict(
        test["difference"], interval, test["p_holm"], test["n"],
        a=test["a"], b=test["b"], measure=MEASURE_WORDS[test["measure"]],
    )  # fmt: skip
    distinct = test["p_holm"] <= 1 - LEVEL and not interval.low <= 0 <= interval.high
    is_a = MEASURES[test["measure"]] * test["difference"] > 0
    return {"better": (test["a"] if is_a else test["b"]) if distinct else None, "words": words}
