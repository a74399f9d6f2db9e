"""How unusual a cluster is: in how many scans of healthy people the strongest cluster is as strong.

Not in a paper in this form: of the clusters that a lenient threshold lets through, those that few healthy scans match
are called candidates, the others weaker places. The page of a healthy person then has no candidate in all but
``detection.healthy_share`` of cases, however many places the threshold lets through.

Source: the rank among controls as a p-value, Vovk et al., Algorithmic Learning in a Random World (2005).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthpet.statistics.intervals import Interval, clopper_pearson_interval


@dataclass(frozen=True)
class Health:
    """What the strongest cluster of each healthy scan is, at the calibrated threshold.

    Args:
        strongest: (n,) score of each control's strongest cluster, as ``Cluster.score``; 0: it has none.
        share: of healthy scans up to which a cluster that they match is a candidate.
    """

    strongest: NDArray[np.float64]
    share: float

    @classmethod
    def of(cls, strongest: Mapping[str, float], share: float) -> "Health":
        """From the controls' scores by participant."""
        return cls(np.array(list(strongest.values()), np.float64), share)

    @property
    def n(self) -> int:
        """How many healthy scans there are."""
        return len(self.strongest)

    def as_strong(self, score: float) -> int:
        """In how many healthy scans a cluster is as strong or stronger."""
        return int((self.strongest >= score).sum())

    def interval(self, n_as_strong: int) -> Interval:
        """Of the share of healthy people: 95 %, Clopper-Pearson."""
        return clopper_pearson_interval(n_as_strong, self.n)

    def is_candidate(self, score: float) -> bool:
        """Whether few healthy scans match it, or none.

        A new healthy person is exchangeable with the n controls, so that the chance of being matched by at most k of
        them is (k + 1) / (n + 1).
        """
        k = self.as_strong(score)
        return k == 0 or (k + 1) / (self.n + 1) <= self.share

    @property
    def too_few(self) -> bool:
        """Whether so few scans cannot show that something is rare: none matches one healthy person in n + 1."""
        return 1 / (self.n + 1) > self.share

    @property
    def n_with_candidate(self) -> int:
        """How many of the healthy scans have a candidate themselves, each judged by the others."""
        others = (Health(np.delete(self.strongest, k), self.share) for k in range(self.n))
        return sum(
            bool(score > 0 and health.is_candidate(score)) for score, health in zip(self.strongest, others, strict=True)
        )
