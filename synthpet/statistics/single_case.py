"""One person against a few controls."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FEWEST = 2  # controls that have a spread
ALIKE = 1e-9  # of the largest value: controls that differ by less are the same


class SingleCase(NamedTuple):
    """A person's values against those of controls, all of one shape (...)."""

    n: NDArray[np.int64]  # controls that have the value
    mean: NDArray[np.float64]  # theirs; NaN: nobody has it
    sd: NDArray[np.float64]  # sample standard deviation; NaN: fewer than two have it
    z: NDArray[np.float64]  # of the person; NaN: the person or the controls do not have it, or controls do not differ


def crawford_howell_z(deviation: NDArray[np.float64], n: NDArray[np.integer]) -> NDArray[np.float64]:
    """Standard deviations from the mean of n controls, as the z of the same tail probability.

    A few controls know mean and spread badly: t = (x - mean) / (spread sqrt((n + 1) / n)) has n - 1 degrees of freedom.

    Args:
        deviation: (...), (x - mean) / spread.
        n: (...), controls, at least 2.

    Returns:
        (...), within -37.5 and 37.5.

    Source: Crawford & Howell, Clin Neuropsychol 12 (1998) 482.
    """
    t = np.abs(deviation) / np.sqrt((n + 1) / n)
    tail = np.maximum(stats.t.sf(t, n - 1), np.finfo(float).tiny)  # z is at most 37.5
    return np.sign(deviation) * stats.norm.isf(tail)


def against_controls(value: NDArray[np.float64], controls: NDArray[np.float64]) -> SingleCase:
    """Compare a person's values with those of controls.

    Args:
        value: (...); NaN: the person has none.
        controls: (n, ...); NaN: this control has none.
    """
    known = np.isfinite(controls)
    n = known.sum(axis=0)
    total = np.where(known, controls, 0.0).sum(axis=0)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    squares = np.where(known, (controls - mean) ** 2, 0.0).sum(axis=0)
    sd = np.where(n >= FEWEST, np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)
    largest = np.where(known, np.abs(controls), 0.0).max(axis=0, initial=0.0)
    judged = np.isfinite(value) & (sd > ALIKE * largest)
    z = np.full(np.shape(value), np.nan)
    z[judged] = crawford_howell_z((value[judged] - mean[judged]) / sd[judged], n[judged])
    return SingleCase(n, mean, sd, z)
