"""Two failures of a generator that its mean error can hide: it returns training images, or does not look at the T1.

Both compare PETs at the same few thousand grey-matter voxels of the template (``profile``), so that they cost nearly
nothing. The thresholds were chosen on the simulated quick cohort (20 paired controls, 4 folds, 8 held-out controls).
Nearest ratio: trained generators 0.99, mean PET 0.92, half a training PET mixed in 0.63, the noise-free PET of a
training control 0.59, the PET itself 0.20. T1 ratio: trained generators 0.60, mean PET 1.02.
"""

from collections.abc import Mapping, Sequence
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthpet.template.regions import grey_matter

if TYPE_CHECKING:
    from synthpet.cohort import Grid
    from synthpet.quality.records import Measured

N_VOXELS = 4096
MEMORISED_BELOW = 0.75  # median nearest ratio
COPY_BELOW = 0.3  # of the distance from the training PET to the nearest PET of anybody else
IGNORES_T1_ABOVE = 0.95
DEFINITIONS = {
    "nearest_ratio": "does the generator return PETs of its training set? per paired control: distance of its "
    "cross-fitted synthetic PET to the nearest real PET that trained the generator, over that to the nearest real PET "
    "of somebody else that did not (test controls of the fold, held-out controls); the larger group's nearest is the "
    "expected one among as many as the smaller group has; distance: root mean square over "
    f"{N_VOXELS} grey-matter voxels inside both brains. About 1: training PETs are no nearer than others; 0: a copy",
    "n_copies": f"synthetic PETs that lie nearer to a training PET than {COPY_BELOW} of the distance from that PET to "
    "the nearest real PET of anybody else",
    "memorised": f"median nearest_ratio below {MEMORISED_BELOW}, or n_copies above 0. It sees training PETs that come "
    "out for other people; it is no proof that nothing of the training set can be drawn out of the weights",
    "t1_ratio": "does the generator look at the T1? distance of the real PET to the synthetic PET from the own T1, "
    "over the mean distance to those that the same generators make from other people's T1 (shuffled T1), mean over "
    "subjects; 1: any T1 would do",
    "ignores_t1": f"t1_ratio above {IGNORES_T1_ABOVE}",
}


def profile_voxels(grid: "Grid") -> NDArray[np.int64]:
    """Flat indices of at most ``N_VOXELS`` voxels, spread evenly over the template's grey matter."""
    inside = np.flatnonzero(grey_matter(grid))
    return inside[np.linspace(0, inside.size - 1, min(N_VOXELS, inside.size)).astype(int)]


def profile(volume: NDArray[np.float32], mask: NDArray[np.bool_], voxels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Values of an (I, J, K) volume at flat indices, (n,); NaN outside the person's brain."""
    return np.where(mask.ravel()[voxels], volume.ravel()[voxels], np.float32(np.nan))


def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Root of the mean squared difference of two profiles (n,) where both have brain; NaN where nowhere."""
    squares = np.square(a - b)
    known = squares[~np.isnan(squares)]
    return float(np.sqrt(known.mean(dtype=np.float64))) if known.size else float("nan")


def expected_nearest(distances: Sequence[float], n: int) -> float:
    """Expected smallest of ``n`` distances drawn without replacement: makes groups of unequal size comparable.

    >>> expected_nearest([1.0, 2.0, 3.0], 1), expected_nearest([1.0, 2.0, 3.0], 3)
    (2.0, 1.0)
    """
    size = len(distances)
    weights = [comb(size - 1 - rank, n - 1) / comb(size, n) for rank in range(size)]  # the rank-th is the smallest
    return float(np.dot(weights, sorted(distances)))


def nearest_ratio(
    synthetic: NDArray[np.float32], training: Sequence[NDArray[np.float32]], others: Sequence[NDArray[np.float32]]
) -> float:
    """Distance to the nearest training PET over that to the nearest other PET, for groups of equal size.

    Args:
        synthetic: profile (n,) of a synthetic PET whose own real PET is in neither group.
        training: profiles of the real PETs that trained the generator.
        others: profiles of real PETs that did not.

    Returns:
        0 for a copy of a training PET; infinity for a copy of another one.
    """
    n = min(len(training), len(others))
    near, far = (expected_nearest([distance(synthetic, pet) for pet in group], n) for group in (training, others))
    return near / far if far > 0 else float("inf")


def failures(
    measured: Mapping[str, Sequence["Measured"]], training: Mapping[int, Sequence[str]]
) -> dict[str, dict[str, Any]]:
    """What ``DEFINITIONS`` names, by role; a role or key of which nothing can be said is left out.

    Args:
        measured: role to what was measured on its subjects.
        training: fold to the participants that trained its generator; empty where that was another cohort.
    """
    found = {role: t1_check(cases) for role, cases in measured.items()}
    found["paired"] = found.get("paired", {}) | memorisation_check(measured, training)
    return {role: content for role, content in found.items() if content}


def t1_check(cases: Sequence["Measured"]) -> dict[str, Any]:
    """``t1_ratio`` and ``ignores_t1`` of one role; empty for a single subject or without real PET."""
    ratios = []
    for one in cases:
        others = [o for o in cases if o is not one]
        same_generator = [o for o in others if o.case.fold == one.case.fold]
        if "real" not in one.profiles or not others:
            continue
        real = one.profiles["real"]
        shuffled = float(np.mean([distance(real, o.profiles["synthetic"]) for o in same_generator or others]))
        ratios.append(distance(real, one.profiles["synthetic"]) / shuffled if shuffled > 0 else 1.0)
    if not ratios:
        return {}
    ratio = float(np.mean(ratios))
    return {"t1_ratio": ratio, "ignores_t1": ratio > IGNORES_T1_ABOVE}


def memorisation_check(
    measured: Mapping[str, Sequence["Measured"]], training: Mapping[int, Sequence[str]]
) -> dict[str, Any]:
    """``nearest_ratio`` and ``memorised`` of the paired controls; empty where either group of PETs is."""
    paired = {found.case.participant_id: found for found in measured.get("paired", ())}
    real = {
        found.case.participant_id: found.profiles["real"] for found in (*paired.values(), *measured.get("heldout", ()))
    }
    ratios, copies = [], []
    for who, one in paired.items():
        trained = [i for i in training.get(-1 if one.case.fold is None else one.case.fold, ()) if i in paired]
        others = [i for i in real if i != who and i not in trained]
        if trained and others:
            synthetic = one.profiles["synthetic"]
            ratios.append(nearest_ratio(synthetic, [real[i] for i in trained], [real[i] for i in others]))
            copies.append(is_copy(synthetic, trained, real))
    if not ratios:
        return {}
    median, n_copies = float(np.median(ratios)), sum(copies)
    return {
        "nearest_ratio": {"median": median, "lowest": min(ratios), "n": len(ratios)},
        "n_copies": n_copies,
        "memorised": median < MEMORISED_BELOW or n_copies > 0,
    }


def is_copy(synthetic: NDArray[np.float32], trained: Sequence[str], real: Mapping[str, NDArray[np.float32]]) -> bool:
    """Whether a synthetic PET lies as near to a training PET as no two persons do; all profiles (n,).

    Args:
        synthetic: of somebody who is not among ``trained``.
        trained: whose PETs trained the generator.
        real: participant to measured PET.
    """
    near = min(trained, key=lambda i: distance(synthetic, real[i]))
    apart = min(distance(real[near], pet) for i, pet in real.items() if i != near)
    return distance(synthetic, real[near]) < COPY_BELOW * apart
