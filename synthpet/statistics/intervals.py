"""Intervals of a proportion and of a count."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95  # of every interval


class Interval(NamedTuple):
    """Two-sided confidence limits."""

    low: float
    high: float


def wilson_interval(n_found: int, n: int, level: float = LEVEL) -> Interval:
    """Score interval of a proportion; does not collapse at 0 or n found.

    Source: Wilson 1927; Newcombe, Statistics in Medicine 17 (1998) 857, method 3.
    """
    _check_proportion(n_found, n)
    z = stats.norm.ppf((1 + level) / 2)
    p = n_found / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low = 0.0 if n_found == 0 else middle - half
    high = 1.0 if n_found == n else middle + half
    return Interval(float(low), float(high))


def clopper_pearson_interval(n_found: int, n: int, level: float = LEVEL) -> Interval:
    """Exact (conservative) interval of a proportion.

    Source: Clopper and Pearson, Biometrika 26 (1934) 404.
    """
    _check_proportion(n_found, n)
    tail = (1 - level) / 2
    low = stats.beta.ppf(tail, n_found, n - n_found + 1) if n_found else 0.0
    high = stats.beta.isf(tail, n_found + 1, n - n_found) if n_found < n else 1.0
    return Interval(float(low), float(high))


def dispersed_interval(counts: Sequence[int], level: float = LEVEL) -> Interval:
    """Interval of the mean of counts that differ by more than Poisson counts do: of the mean a scan.

    Garwood's limits for as many independent events as the dispersion leaves, variance over mean, at least 1.

    Args:
        counts: (n,), n at least 2.
        level: of confidence.

    Source: quasi-likelihood, McCullagh and Nelder, Generalized Linear Models (1989), 6.2.3.
    """
    values = np.asarray(counts, float)
    mean = float(values.mean())
    dispersion = max(1.0, float(values.var(ddof=1)) / mean) if mean else 1.0
    limits = poisson_interval(float(values.sum()) / dispersion, level)
    return Interval(*(limit * dispersion / len(values) for limit in limits))


def poisson_interval(count: float, level: float = LEVEL) -> Interval:
    """Exact interval of the mean of a Poisson count; divide by the number of scans for a rate per scan.

    Too narrow when scans differ in their own rate (over-dispersion).
    Source: Garwood, Biometrika 28 (1936) 437.
    """
    if count < 0:
        raise ValueError(f"count: found {count}; expected 0 or more")
    tail = (1 - level) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    return Interval(float(low), float(stats.chi2.isf(tail, 2 * count + 2) / 2))


def _check_proportion(n_found: int, n: int) -> None:
    if n < 1 or not 0 <= n_found <= n:
        raise ValueError(f"proportion: found {n_found} of {n}; expected 0 to n of at least 1")
