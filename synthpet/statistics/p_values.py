"""P-values of patients against controls, and of several comparisons together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def conformal_p(patients: ArrayLike, controls: ArrayLike) -> NDArray[np.float64]:
    """Conformal p-value of each patient: (1 + number of controls at least as abnormal) / (n + 1); never 0.

    Args:
        patients: (m,) scores, high = abnormal.
        controls: (n,) scores of REAL held-out controls: exchangeability is all that it needs.

    Returns:
        (m,); the smallest possible is 1 / (n + 1). Under exchangeability P(p <= u) <= u.

    Source: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005.
    """
    ordered = np.sort(np.asarray(controls, float))
    if not ordered.size or np.isnan(ordered).any():
        raise ValueError(f"controls: found {ordered.size} scores, {np.isnan(ordered).sum()} NaN; expected finite ones")
    at_least = ordered.size - np.searchsorted(ordered, np.asarray(patients, float), side="left")
    return (1 + at_least) / (ordered.size + 1)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p-values corrected for their number, (m,): the chance of any false alarm among them stays below the level.

    Args:
        p: (m,) of one family of tests, dependent or not.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65; the same as ``p.adjust(method = "holm")`` of R.
    """
    values = np.asarray(p, float)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p: found {values.tolist()}; expected a list of values from 0 to 1")
    order = np.argsort(values, kind="stable")
    adjusted = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    result = np.empty_like(values)
    result[order] = np.minimum(adjusted, 1)
    return result
