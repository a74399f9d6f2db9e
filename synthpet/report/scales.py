"""The same colours and the same scale for the same quantity on every page; maps that every colour vision can read."""

from collections.abc import Iterable

T1W_SHOWN = (0.0, 1.1)  # of the T1 as scaled by ``scale_t1w``
Z_SHOWN = (1.0, 6.0)  # standard deviations of controls
T1W_COLOURS, PET_COLOURS, DIFFERENCE_COLOURS = "gray", "inferno", "RdBu_r"
SPREAD_COLOURS, Z_COLOURS = "viridis", "magma"
SUVR_TOPS = (1.8, 2.4, 3.2, 4.5, 6.0)  # few steps, so that a cohort's pages agree; above: other reference regions


def suvr_top(peaks: Iterable[float]) -> float:
    """Upper end of the PET's scale in SUVR: the first step that holds 1.1 times the highest peak of a mean PET.

    >>> suvr_top([1.57]), suvr_top([2.0]), suvr_top([50.0])
    (1.8, 2.4, 6.0)
    """
    highest = 1.1 * max(peaks, default=0.0)
    return next((top for top in SUVR_TOPS if highest <= top), SUVR_TOPS[-1])
