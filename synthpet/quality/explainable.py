"""How much of what differs between people's PETs their T1 tells, and whether synthetic PETs differ by as much.

A perfect T1 -> PET method returns the mean of all PETs that go with a T1. Between people its images vary less than
measured ones, by the share of the variance that the T1 explains: small where the T1 tells little. Too narrow is
therefore what varies less than the T1 explains, or less than the images themselves know:

    share = 1 - sum (real - predicted)^2 / sum real^2         a ridge regression's, each person predicted from others
    slope = sum real * synthetic / sum synthetic^2            1: what is known is shown whole; 2: half of it

where real and synthetic are deviations from the group's mean, pooled over people and grey-matter voxels. The ridge
regression is linear and knows the T1 at three widths only: a lower bound of what a T1 -> PET method can know.

Source: the slope is the calibration slope of prediction models (Cox, Biometrika 45 (1958) 562).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthpet.generators.options import SOURCES
from synthpet.template.smoothing import smooth_within

if TYPE_CHECKING:
    from synthpet.cohort import Cohort
    from synthpet.quality.records import Measured

WIDTHS_MM = (0.0, 6.0, 12.0)  # FWHM of the T1s that the ridge regression sees
N_FOLDS = 5
PENALTY = 0.1  # of the ridge regression, in variances of a predictor
NARROW_BELOW = 0.5  # of the explained share
SLOPE_ABOVE = 1.6
MIN_PEOPLE = 4
DEFINITIONS = {
    "knowable": "how much of what differs between people's PETs a T1 tells, voxel by voxel and in regions' means, in "
    "grey matter; share: of the variance between people that a ridge regression from the T1 (at "
    f"{', '.join(f'{width:g}' for width in WIDTHS_MM)} mm FWHM) explains in people that it was not fitted on, a "
    "lower bound of what a T1 -> PET method can know; known: squared correlation of synthetic with real deviations; "
    "slope: of real on synthetic deviations, 1: what is known is shown whole, 2: half of it; ratio: of their variances",
    "narrowest": f"least variance_ratio of a set that is not too narrow: {NARROW_BELOW} of the share of the variance "
    "that the T1 explains. A perfect T1 -> PET method varies as much as the T1 explains, not as much as real PETs",
    "collapsed": "the synthetic PETs are too alike: their variance ratio lies below narrowest, or they show less than "
    f"they know of who differs how (slope above {SLOPE_ABOVE})",
}


@dataclass(frozen=True)
class Knowable:
    """What a T1 tells of a PET, and what synthetic PETs know and show of it; shares of the variance between people.

    Args:
        share: that the ridge regression from the T1 explains; 0 where it explains nothing.
        known: that the synthetic PETs explain after the best scaling: their squared correlation, 0 if negative.
        slope: of measured on synthetic deviations; NaN where synthetic PETs do not differ.
        ratio: variance of the synthetic over that of the measured PETs.
    """

    share: float
    known: float
    slope: float
    ratio: float

    @property
    def narrowest(self) -> float:
        """The least variance ratio of a set that is not too narrow."""
        return NARROW_BELOW * self.share

    @property
    def collapsed(self) -> bool:
        """Whether the synthetic PETs differ less than the T1 explains, or than they themselves know."""
        return self.ratio < self.narrowest or (self.known > 0 and self.slope > SLOPE_ABOVE)


def predictors(
    cohort: "Cohort",
    participant_id: str,
    mask: NDArray[np.bool_],
    voxels: NDArray[np.int64],
    sources: Sequence[str] = SOURCES,
) -> NDArray[np.float32]:
    """What the ridge regression sees of a person's sources: (voxels, sources x widths), NaN outside the brain.

    Args:
        cohort: with the T1s.
        participant_id: whose.
        mask: (I, J, K) the person's brain.
        voxels: flat indices.
        sources: modalities that the generator is given.
    """
    inside = mask.ravel()[voxels]
    images = [cohort.load_image(participant_id, name) for name in sources]
    spacing = cohort.grid.spacing_mm
    smoothed = (smooth_within(image, mask, w, spacing) if w else image for image in images for w in WIDTHS_MM)
    return np.stack([np.where(inside, image.ravel()[voxels], np.float32(np.nan)) for image in smoothed], axis=1)


def narrowness(found: Sequence["Measured"], regions: NDArray[np.integer]) -> dict[str, Any]:
    """What ``DEFINITIONS`` names, of one role; nothing of fewer than ``MIN_PEOPLE`` with a real PET.

    Args:
        found: what was measured.
        regions: (places,) of the profiles.
    """
    if len(found) < MIN_PEOPLE:
        return {}
    real, synthetic = (np.stack([f.profiles[image] for f in found]) for image in ("real", "synthetic"))
    t1w = np.stack([f.t1w for f in found if f.t1w is not None])
    voxels = knowable(real, synthetic, explained_share(real, t1w, regions))
    of_real, of_synthetic, of_t1w = (by_region(values, regions) for values in (real, synthetic, t1w))
    one_group = np.zeros(of_real.shape[1], int)
    whole = knowable(of_real, of_synthetic, explained_share(of_real, of_t1w, one_group))
    return {
        "knowable": {"voxels": asdict(voxels), "regions": asdict(whole)},
        "narrowest": voxels.narrowest,
        "collapsed": voxels.collapsed,
    }


def knowable(real: NDArray[np.floating], synthetic: NDArray[np.floating], share: float) -> Knowable:
    """Compare what is measured with what is synthesised, at the same places of the same people.

    Args:
        real: (people, places) measured PET; NaN where a person has no brain.
        synthetic: (people, places), likewise.
        share: that the T1 explains, as from ``explained_share``.
    """
    a, b = _deviations(real), _deviations(synthetic)
    aa, bb, ab = float(np.sum(a * a)), float(np.sum(b * b)), float(np.sum(a * b))
    return Knowable(
        share=share,
        known=max(ab, 0.0) ** 2 / (aa * bb) if aa > 0 and bb > 0 else 0.0,
        slope=ab / bb if bb > 0 else float("nan"),
        ratio=bb / aa if aa > 0 else float("nan"),
    )


def explained_share(real: NDArray, t1w: NDArray, groups: NDArray[np.integer]) -> float:
    """Share of the variance between people that a ridge regression from the T1 explains in people it has not seen.

    Each fold's people are compared with the mean of the others, as the regression itself has to be.

    Args:
        real: (people, places) measured PET; NaN where a person has no brain.
        t1w: (people, places, predictors), likewise.
        groups: (places,) region of each place: a regression of its own for each.

    Raises:
        ValueError: fewer than three people.
    """
    n = len(real)
    if n < 3:
        raise ValueError(f"at least three people are needed to tell what a T1 explains, found {n}")
    left, whole = 0.0, 0.0
    for test in np.array_split(np.arange(n), min(N_FOLDS, n)):
        train = np.setdiff1d(np.arange(n), test)
        y, x = _less_mean(real, train), _less_mean(t1w, train)
        predicted = _ridge(x, y, train, test, groups)
        left += float(np.sum((y[test] - predicted) ** 2))
        whole += float(np.sum(y[test] ** 2))
    return max(0.0, 1 - left / whole) if whole > 0 else 0.0


def _ridge(x: NDArray, y: NDArray, train: NDArray, test: NDArray, groups: NDArray[np.integer]) -> NDArray[np.float64]:
    predicted = np.zeros_like(y[test])
    for group in np.unique(groups):
        there = groups == group
        known = x[train][:, there].reshape(-1, x.shape[-1])
        scale = np.maximum(known.std(axis=0), 1e-9)
        gram = (known / scale).T @ (known / scale) + PENALTY * len(known) * np.eye(x.shape[-1])
        weights = np.linalg.solve(gram, (known / scale).T @ y[train][:, there].ravel())
        predicted[:, there] = (x[test][:, there] / scale) @ weights
    return predicted


def by_region(values: NDArray, groups: NDArray[np.integer]) -> NDArray[np.float64]:
    """Means over the known places of each group: (people, places, ...) becomes (people, groups, ...); NaN: none."""
    known = ~np.isnan(values)
    means = []
    for group in np.unique(groups):
        there = groups == group
        counts = known[:, there].sum(axis=1)
        sums = np.where(known[:, there], values[:, there], 0).sum(axis=1, dtype=np.float64)
        means.append(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))
    return np.stack(means, axis=1)


def _deviations(values: NDArray) -> NDArray[np.float64]:
    return _less_mean(values, np.arange(len(values)))


def _less_mean(values: NDArray, people: Sequence[int] | NDArray) -> NDArray[np.float64]:
    """Deviations from the mean of some of the people; 0 where a value or the mean is not known."""
    known = ~np.isnan(values)
    counts = known[people].sum(axis=0)
    mean = np.where(known, values, 0)[people].sum(axis=0, dtype=np.float64) / np.maximum(counts, 1)
    return np.where(known & (counts > 0), values - mean, 0.0)
