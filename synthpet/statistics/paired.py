"""Two methods on the same patients: intervals of a difference, paired tests, bootstrap, power, a verdict in words."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from synthpet.statistics.intervals import LEVEL, Interval, wilson_interval


def paired_difference_interval(found_a: ArrayLike, found_b: ArrayLike, level: float = LEVEL) -> Interval:
    """Interval of sensitivity a minus sensitivity b in the same patients.

    Args:
        found_a: (n,) of 0 or 1.
        found_b: (n,), the same patients in the same order.
        level: of confidence.

    Source: Newcombe, Statistics in Medicine 17 (1998) 2635, method 10 (Wilson intervals joined by the correlation phi,
    with his continuity correction of phi).
    """
    a, b = _pairs(found_a, found_b)
    n = len(a)
    both, only_a, only_b, neither = (int(np.sum(x)) for x in (a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)))
    p_a, p_b = a.mean(), b.mean()
    low_a, high_a = wilson_interval(both + only_a, n, level)
    low_b, high_b = wilson_interval(both + only_b, n, level)
    margins = float((both + only_a) * (only_b + neither)) * (both + only_b) * (only_a + neither)
    cross = float(both * neither - only_a * only_b)
    cross = max(cross - n / 2, 0) if cross > 0 else cross
    phi = cross / np.sqrt(margins) if margins else 0.0

    def half(to_a: float, to_b: float) -> float:
        return float(np.sqrt(max(to_a**2 - 2 * phi * to_a * to_b + to_b**2, 0)))

    difference = float(p_a - p_b)
    return Interval(difference - half(p_a - low_a, high_b - p_b), difference + half(high_a - p_a, p_b - low_b))


class McNemar(NamedTuple):
    """Discordant pairs and the two-sided p-values of McNemar's test."""

    only_a: int
    only_b: int
    p_exact: float
    p_mid: float


def mcnemar(found_a: ArrayLike, found_b: ArrayLike) -> McNemar:
    """McNemar's test, exact conditional and mid-p, two-sided; no discordant pair gives p = 1.

    Args:
        found_a: (n,) of 0 or 1.
        found_b: (n,), the same patients in the same order.

    Source: Fagerland, Lydersen, Laake, BMC Medical Research Methodology 13 (2013) 91. The mid-p does not guarantee
    its level but kept it in all of their 9595 scenarios.
    """
    a, b = _pairs(found_a, found_b)
    only_a, only_b = int(np.sum(a > b)), int(np.sum(b > a))
    n, fewer = only_a + only_b, min(only_a, only_b)
    if n == 0:
        return McNemar(0, 0, 1.0, 1.0)
    exact = min(1.0, 2 * float(stats.binom.cdf(fewer, n, 0.5)))
    observed = float(stats.binom.pmf(fewer, n, 0.5))
    return McNemar(only_a, only_b, exact, exact - (observed / 2 if only_a == only_b else observed))


def censored_ranks(ranks: ArrayLike, max_clusters: int) -> NDArray[np.float64]:
    """Ranks of the true cluster with a miss (NaN) set to the worst rank that is kept, plus one.

    Args:
        ranks: (n,) from 1 to ``max_clusters``, NaN where missed.
        max_clusters: how many clusters are kept per patient.
    """
    ranks = np.asarray(ranks, float)
    if (ranks < 1).any() or (ranks > max_clusters).any():
        raise ValueError(f"ranks: found {ranks.tolist()}; expected 1 to {max_clusters}, NaN where missed")
    return np.where(np.isnan(ranks), max_clusters + 1, ranks)


class SignedRank(NamedTuple):
    """Wilcoxon's signed-rank test: sums of the ranks of positive and negative differences, two-sided exact p."""

    positive: float
    negative: float
    n_nonzero: int
    p: float


def wilcoxon_signed_rank(a: ArrayLike, b: ArrayLike) -> SignedRank:
    """Exact two-sided signed-rank test of paired values, with ties, for any number of patients.

    Zero differences are dropped (Wilcoxon's way: they say nothing of the direction), tied differences share their
    mean rank, and p is exact under all 2^n sign flips of the differences that remain; none remaining gives p = 1.

    Args:
        a: (n,) for example censored ranks.
        b: (n,), the same patients in the same order.

    Source: Wilcoxon 1945; Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3.1, comments on ties.
    """
    x, y = _pairs(a, b)
    difference = (x - y)[x != y]
    if not difference.size:
        return SignedRank(0.0, 0.0, 0, 1.0)
    doubled = np.rint(2 * stats.rankdata(np.abs(difference))).astype(int)  # mean ranks are halves: integers now
    ways: NDArray = np.ones(1)
    for step in doubled:  # distribution of the doubled positive sum, one sign flip at a time
        ways = np.convolve(ways, np.r_[0.5, np.zeros(step - 1), 0.5])
    total, positive = int(doubled.sum()), int(doubled[difference > 0].sum())
    p = 2 * float(ways[: min(positive, total - positive) + 1].sum())
    return SignedRank(positive / 2, (total - positive) / 2, len(doubled), min(1.0, p))


@dataclass(frozen=True)
class Difference:
    """Mean of a minus mean of b over patients, and its bootstrap interval."""

    value: float
    interval: Interval
    n: int


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, seed: int, n_resamples: int = 10_000, level: float = LEVEL
) -> Difference:
    """Percentile bootstrap over patients of the mean difference of paired per-patient values.

    Sensitivity at rank k: values are 0 or 1. FROC: a patient's own area (``detection.froc_areas``), whose mean is the
    area of the curve. Several seeds of a detector: average the values of each patient over the seeds first.
    With a handful of patients the interval is too narrow, and one of no width when all differences are equal: read it
    beside an exact test, as ``verdict`` does.

    Args:
        a: (n,) values.
        b: (n,), the same patients in the same order.
        seed: of the resampling.
        n_resamples: how many.
        level: of confidence.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 13.3.
    """
    x, y = _pairs(a, b)
    difference = x - y
    rng = np.random.default_rng(seed)
    # each resample as counts of the patients: one matrix product in place of fancy indexing
    counts = rng.multinomial(len(difference), np.full(len(difference), 1 / len(difference)), size=n_resamples)
    low, high = np.quantile(counts @ difference / len(difference), [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(difference.mean()), Interval(float(low), float(high)), len(difference))


def mcnemar_power(
    n: int, sensitivity_a: float, sensitivity_b: float, *, only_a: float | None = None, alpha: float = 0.05
) -> float:
    """Probability that exact McNemar gives p <= alpha in n patients.

    Args:
        n: number of patients.
        sensitivity_a: true share of lesions that a finds.
        sensitivity_b: of b.
        only_a: true share that a finds and b misses; None: a and b find lesions independently of each other, that is
            ``sensitivity_a * (1 - sensitivity_b)``. Two detectors of the same images agree more: a smaller share.
        alpha: the test's level.
    """
    only_a = sensitivity_a * (1 - sensitivity_b) if only_a is None else only_a
    only_b = only_a + sensitivity_b - sensitivity_a
    discordant = only_a + only_b
    if not (0 <= only_a <= sensitivity_a and 0 <= only_b <= sensitivity_b <= 1 and sensitivity_a + only_b <= 1 + 1e-12):
        raise ValueError(f"power: {sensitivity_a}, {sensitivity_b} and only_a = {only_a} cannot hold together")
    if discordant == 0:
        return 0.0
    power = 0.0
    for m in range(1, n + 1):
        x = np.arange(m + 1)
        rejected = 2 * stats.binom.cdf(np.minimum(x, m - x), m, 0.5) <= alpha
        given_m = stats.binom.pmf(x, m, only_a / discordant)[rejected].sum()
        power += stats.binom.pmf(m, n, discordant) * given_m
    return float(power)


def verdict(difference: float, interval: Interval, p: float, n: int, *, a: str, b: str, measure: str) -> str:
    """Say in words what a paired comparison shows, never that two things are equivalent.

    Args:
        difference: a minus b.
        interval: of the difference.
        p: of a paired exact test of the same question; guards against the narrow intervals of few patients.
        n: number of patients.
        a: name of the first.
        b: name of the second.
        measure: what is compared, for example "sensitivity at rank 5".
    """
    numbers = f"difference {difference:+.2f}, 95 % interval {interval.low:+.2f} to {interval.high:+.2f}, p = {p:.3g}"
    if interval.low <= 0 <= interval.high or p > 1 - LEVEL:
        return f"{measure}: {a} and {b} are not distinguishable at n = {n} ({numbers})"
    return f"{measure}: {a} is {'higher' if difference > 0 else 'lower'} than {b} at n = {n} ({numbers})"


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError(f"paired values: found shapes {a.shape} and {b.shape}; expected one value each per patient")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("paired values: found NaN; expected misses to be censored first, see censored_ranks")
    return a, b
