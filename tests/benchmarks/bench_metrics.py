"""How fast: voxel metrics and clusters of one 1 mm volume against NumPy and SciPy loops over thresholds.

What bounds our time (1.8 million brain voxels in a box of 8.5 million):

* AU ROC and AU PRO: reading the volume a few times; one sort of the healthy voxels takes a fifth of it.
* Clusters at every threshold: half is one sort of the voxels that are ever above, half their joining, 26 neighbours
  each. Both are one pass whatever the number of thresholds, where loops pay for each threshold again; and exact
  between them.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from table import Row, faster, in_turn, seconds

from synthpet.cohort import Grid
from uad.findings.clusters import min_voxels
from uad.findings.threshold import LOWEST_Z, cluster_counts
from uad.scores.lesions import found_over_thresholds
from uad.scores.voxel_metrics import voxel_metrics

SHAPE = (193, 229, 193)
N_THRESHOLDS = 200  # as in the loops that published code for AU PRO uses
N_FROC = 40  # thresholds of a FROC curve
MIN_VOLUME_MM3 = 200.0
MAX_CLUSTERS = 10
CORNERS = np.ones((3, 3, 3), bool)
BAR = "at least 20x"


class Patient(NamedTuple):
    """A noisy z-map with three lesions, (I, J, K) each."""

    z: NDArray[np.float32]
    lesion: NDArray[np.bool_]
    brain: NDArray[np.bool_]
    grid: Grid


def patient(shape: tuple[int, ...]) -> Patient:
    """Smooth noise in an ellipsoid that fills a fifth of the box, as a brain does, and three balls of raised z."""
    rng = np.random.default_rng(0)
    index = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij", sparse=True)
    brain = sum(axis**2 for axis in index) < 0.74**2
    z = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 4)
    z = z / z[brain].std() + 0.3 * rng.standard_normal(shape, dtype=np.float32)
    centres = ((-0.2, 0.0, 0.1), (0.3, 0.2, 0.0), (0.0, -0.3, 0.3))
    lesion = np.any([sum((a - c) ** 2 for a, c in zip(index, at, strict=True)) < 0.09**2 for at in centres], axis=0)
    return Patient(((z + 1.5 * lesion) * brain).astype(np.float32), lesion, brain, Grid.of(shape, np.eye(4)))


def areas_by_loop(case: Patient, n_thresholds: int) -> tuple[float, float]:
    """AU ROC and AU PRO: at each threshold the share of healthy voxels and of every component above it."""
    score, lesion = case.z[case.brain], case.lesion[case.brain]
    components, n = ndimage.label(case.lesion & case.brain, CORNERS)
    component = components[case.brain]
    rate, recall, overlap = [0.0], [0.0], [0.0]
    for threshold in np.quantile(score, np.linspace(1, 0, n_thresholds)):
        above = score >= threshold
        rate.append((above & ~lesion).sum() / (~lesion).sum())
        recall.append((above & lesion).sum() / lesion.sum())
        overlap.append(float(np.mean([above[component == label].mean() for label in range(1, n + 1)])))
    return float(np.trapezoid(recall, rate)), float(np.trapezoid(overlap, rate))


def counts_by_loop(case: Patient, thresholds: Sequence[float]) -> list[int]:
    """The number of clusters that are kept at each threshold."""
    smallest, counts = min_voxels(MIN_VOLUME_MM3, case.grid), []
    for threshold in thresholds:
        labels, _ = ndimage.label(case.brain & (case.z > threshold), CORNERS)
        counts.append(min(MAX_CLUSTERS, int((np.bincount(labels.ravel())[1:] >= smallest).sum())))
    return counts


def found_by_loop(case: Patient, thresholds: Sequence[float]) -> list[bool]:
    """Whether one of the heaviest clusters touches the lesion, at each threshold."""
    smallest, found = min_voxels(MIN_VOLUME_MM3, case.grid), []
    for threshold in thresholds:
        labels, _ = ndimage.label(case.brain & (case.z > threshold), CORNERS)
        size = np.bincount(labels.ravel())[1:]
        mass = np.bincount(labels.ravel(), case.z.ravel() - threshold)[1:]
        large = np.flatnonzero(size >= smallest)
        heaviest = large[np.argsort(-mass[large])][:MAX_CLUSTERS] + 1
        found.append(bool(np.isin(labels[case.lesion], heaviest).any()))
    return found


def rows(tiny: bool = False) -> Iterator[Row]:
    """The three comparisons; all results are held against each other first."""
    case = patient((40, 48, 40) if tiny else SHAPE)
    options = {"min_volume_mm3": MIN_VOLUME_MM3, "max_clusters": MAX_CLUSTERS}
    levels = np.linspace(5, LOWEST_Z, 10 if tiny else N_THRESHOLDS).tolist()
    curve = np.linspace(5, 1.5, 5 if tiny else N_FROC).tolist()
    repeats = 1 if tiny else 3

    def areas() -> tuple[float, float]:
        found = voxel_metrics(case.z, case.lesion, case.brain)
        return found.au_roc, found.au_pro

    def found() -> NDArray[np.float64]:
        return found_over_thresholds(case.z, case.brain, case.lesion, case.grid, thresholds=curve, **options)

    loop = areas_by_loop(case, 20 if tiny else N_THRESHOLDS)
    error = max(abs(ours - theirs) for ours, theirs in zip(areas(), loop, strict=True))
    times = in_turn(areas, lambda: areas_by_loop(case, len(levels)), repeats)
    yield faster(
        "AU ROC, AU PRO, 1 mm volume, exact",
        f"NumPy, {len(levels)} thresholds",
        *times,
        BAR,
        f"loop off by {error:.0e}",
    )
    loops: dict[str, list] = {}

    def counts() -> list[int]:
        scan = cluster_counts(case.z, case.brain, case.grid, **options)
        return [scan.at(level) for level in levels]

    for part, ours, by_loop, at in (
        ("clusters at every threshold, 1 mm", counts, counts_by_loop, levels),
        (f"lesion found at {len(curve)} thresholds, 1 mm", found, found_by_loop, curve),
    ):
        result = ours()  # compiles
        theirs_s = seconds(lambda: loops.update({part: by_loop(case, at)}))  # noqa: B023 - run here; takes long, so once
        if list(result) != loops[part]:
            raise AssertionError(f"{part}: not what the loop finds")
        ours_s = min(seconds(ours) for _ in range(repeats))
        yield faster(part, f"SciPy label, {len(at)} thresholds", ours_s, theirs_s, BAR, "equal")
