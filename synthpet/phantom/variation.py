"""How FDG uptake differs between healthy people: the figures of 80 real ones, and draws that differ as they do.

Source: regional means of hedyPET (CC BY 4.0; Scientific Data 2026, doi 10.1038/s41597-026-08157-4), 80 healthy adults
of 18 to 99 years, each person's own regions, uptake relative to the whole brain. The tables hold aggregate figures
of the natural logarithm: ``fdg_variation.tsv`` (mean of the two sides), and the correlations between people, age and
sex taken out, of two regions of the same side and of opposite sides.
Not in the source: both sides are taken as alike; correlations are shrunk (``SHRINKAGE``), since 80 people are few for
90 regions; what a region takes up is found from what a scanner shows of it (``unblurred``).

What is drawn is the effect of a person on the uptake of each region. Written as sum and difference of the sides,
s = (left + right) / sqrt(2) and a = (left - right) / sqrt(2), the two do not depend on each other.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

SHRINKAGE = 0.1  # of correlations towards no correlation, among sums and among differences
REFERENCE_AGE = 40.0  # years
RIDGE = 0.01  # keeps what blurring has hidden from being blown up
WHITE_MATTER = ("cerebral white matter", "cerebellar white matter")


@dataclass(frozen=True)
class Population:
    """Figures of real people, by region.

    Args:
        names: of the regions, n.
        sd: (n,), standard deviation between people of 18 to 49 years, of the log of a region's mean.
        slope: (n,), change of the log per decade of age.
        explained: (n,), share of the variance that age, sex, and the volumes of region and brain explain.
        asymmetry_sd: (n,), standard deviation of log(left) - log(right); NaN where it is not known.
        same_side: (n, n) correlation.
        other_side: (n, n) correlation; its diagonal is that of a region with its mirror image.
    """

    names: tuple[str, ...]
    sd: NDArray[np.float64]
    slope: NDArray[np.float64]
    explained: NDArray[np.float64]
    asymmetry_sd: NDArray[np.float64]
    same_side: NDArray[np.float64]
    other_side: NDArray[np.float64]

    def covariance(self, *, sign: int) -> NDArray[np.float64]:
        """Covariance (n, n) of the sums (``sign`` 1) or differences (-1) of the sides, as measured."""
        correlation = self.same_side + sign * self.other_side
        shrunk = (1 - SHRINKAGE) * correlation + SHRINKAGE * np.diag(np.diag(correlation))
        return shrunk * np.outer(self.sd, self.sd)


@cache
def real_people() -> Population:
    """Read the tables."""
    rows = _rows("fdg_variation.tsv")
    columns = {name: np.array([float(row[k]) for row in rows[1:]]) for k, name in enumerate(rows[0]) if k}
    same, other = (
        np.array([[float(value) for value in row[1:]] for row in _rows(f"fdg_correlation_{which}_side.tsv")[1:]])
        for which in ("same", "other")
    )
    return Population(
        tuple(row[0] for row in rows[1:]), columns["sd_18_49"], columns["slope_decade"], columns["r2_with_volume"],
        np.where(columns["asymmetry_sd"] > 0, columns["asymmetry_sd"], np.nan), same, other,
    )  # fmt: skip


def _rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (files(__package__) / name).read_text("utf-8").splitlines()]


@dataclass(frozen=True)
class Effects:
    """Draws effects on the uptake of regions.

    Args:
        of_sum: (n, n), square root of the covariance of the sums of the sides.
        of_difference: (n, n), that of the differences.
    """

    of_sum: NDArray[np.float64]
    of_difference: NDArray[np.float64]

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One person's effects on the log of uptake, (2, n): left, right."""
        total, difference = (root @ rng.standard_normal(len(root)) for root in (self.of_sum, self.of_difference))
        return np.stack([total + difference, total - difference]) / np.sqrt(2)


def unblurred(measured: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """A square root of the covariance C of the effects for which ``seen @ C @ seen.T`` is about ``measured``.

    Args:
        measured: (n, n) covariance of what scanners show of regions.
        seen: (n, n), how much of the effect on a region (column) shows in each region (row).
    """
    values, vectors = np.linalg.eigh(measured)
    return undone(vectors * np.sqrt(np.maximum(values, 0)), seen)


def undone(measured: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """The effects x, (n,) or (n, m), for which ``seen @ x`` is about ``measured``, by ridge regression."""
    regular = seen.T @ seen + RIDGE * np.eye(len(seen))
    return np.asarray(np.linalg.solve(regular, seen.T @ measured), np.float64)
