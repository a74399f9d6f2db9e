"""From a z-map to a ranked list of suspicious clusters, each with its place, its strength and what its PET does."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.images import Grid, GridMismatchError
from synthpet.errors import DataError
from uad.findings.places import place_of

MAX_CLUSTERS = 10  # kept per scan
NEIGHBOURS = np.ones((3, 3, 3), bool)  # 26-connectivity
RANKINGS = ("mass", "size", "mean")
MIDLINE_MM = 4.0  # Not in the paper: a centre nearer than this to x = 0 is on neither side
COLUMNS = {
    "rank": "1: most suspicious, by the stated criterion; also the cluster's value in the label image",
    "n_voxels": "voxels above the threshold, 26-connected, within the brain mask; with detection.extent=core those of "
    "the connected part around the peak that holds half of the mass",
    "volume_mm3": "their volume",
    "mass": "sum over the voxels of (z - threshold); with detection.extent=core of the whole cluster",
    "mean_z": "mean z of the map that was thresholded",
    "peak_z": "its highest z",
    "peak_mm": "where, x, y, z in template space, RAS+",
    "centre_mm": "centre of mass, weighted by z - threshold, x, y, z in template space, RAS+",
    "side": f"left, right, or midline: centre of mass less than {MIDLINE_MM:g} mm from x = 0",
    "region": "gyrus or nucleus that most of the cluster belongs to, with the white matter below it; approximate",
    "region_share": "how much of the cluster belongs to it, 0 to 1",
    "regions": "all of which a tenth of the cluster or more belongs to, with the shares",
    "mean_t1w_z": "mean over the cluster of the z-map of the T1 alone",
    "mean_pet_z": "mean over the cluster of the signed z-map of the PET alone, negative: less uptake than normal",
    "pet_direction": "hypo or hyper, the sign of mean_pet_z",
    "asymmetry_percent": "200 (a - b) / (a + b), a and b the mean PET of the cluster and of its mirror image, "
    "over voxels whose mirror voxel is in the brain; negative: less uptake than the other side",
    "healthy_as_strong": "in how many of the real controls that the threshold rests on the strongest cluster is as "
    "strong or stronger, by what clusters are ranked by",
    "candidate": "true: few healthy scans match it (at most detection.healthy_share of them); false: a weaker place",
}


@dataclass(frozen=True)
class Cluster:
    """One cluster; ``COLUMNS`` defines the fields. Those that need an image not given are None."""

    rank: int
    n_voxels: int
    volume_mm3: float
    mass: float
    mean_z: float
    peak_z: float
    peak_mm: tuple[float, float, float]
    centre_mm: tuple[float, float, float]
    side: str
    region: str
    region_share: float
    regions: str
    mean_t1w_z: float | None = None
    mean_pet_z: float | None = None
    pet_direction: str | None = None
    asymmetry_percent: float | None = None
    healthy_as_strong: int | None = None
    candidate: bool = True

    def score(self, rank_by: str) -> float:
        """What clusters are ranked by, one of ``RANKINGS``."""
        return {"mass": self.mass, "size": float(self.n_voxels), "mean": self.mass / self.n_voxels}[rank_by]

    def row(self) -> dict[str, Any]:
        """A row of a table: points as "x y z", rounded to 0.1 mm."""
        row = asdict(self)
        for name in ("peak_mm", "centre_mm"):
            row[name] = " ".join(f"{x + 0.0:.1f}" for x in row[name])
        return row


@dataclass(frozen=True)
class ClusterRule:
    """Which voxels and clusters count, in which order, and how many are kept.

    Args:
        threshold: a voxel counts when its z is above it.
        min_volume_mm3: smaller clusters are dropped.
        max_clusters: how many of the highest are kept.
        rank_by: "mass" (the default: size and degree of deviation), "size" or "mean" z.

    Raises:
        ValueError: another ranking.
    """

    threshold: float
    min_volume_mm3: float
    max_clusters: int = MAX_CLUSTERS
    rank_by: str = "mass"

    def __post_init__(self) -> None:
        if self.rank_by not in RANKINGS:
            raise ValueError(f"rank_by: found {self.rank_by!r}; expected one of {', '.join(RANKINGS)}")


@dataclass(frozen=True)
class Seen:
    """The images of one person that clusters are described by; all (I, J, K).

    Args:
        grid: of all of them.
        brain: the mask.
        t1w_z: z-map of the T1 alone.
        pet_z: signed z-map of the PET alone, negative = hypometabolic.
        pet: the PET itself in SUVR, for the asymmetry.
    """

    grid: Grid
    brain: NDArray[np.bool_]
    t1w_z: NDArray | None = None
    pet_z: NDArray | None = None
    pet: NDArray | None = None

    def describe(self, rank: int, voxels: tuple[NDArray, ...], values: NDArray, threshold: float) -> Cluster:
        """One cluster, from its voxels (indices along I, J, K) and their z."""
        excess = values - threshold
        xyz = np.column_stack(voxels) @ self.grid.matrix[:3, :3].T + self.grid.matrix[:3, 3]
        centre = _point(excess @ xyz / excess.sum())
        place = place_of(xyz)
        pet_mean = None if self.pet_z is None else float(self.pet_z[voxels].mean(dtype=np.float64))
        return Cluster(
            rank=rank,
            n_voxels=len(values),
            volume_mm3=len(values) * voxel_volume_mm3(self.grid),
            mass=float(excess.sum()),
            mean_z=float(values.mean()),
            peak_z=float(values.max()),
            peak_mm=_point(xyz[values.argmax()]),
            centre_mm=centre,
            side="midline" if abs(centre[0]) < MIDLINE_MM else "left" if centre[0] < 0 else "right",
            region=place.region,
            region_share=place.share,
            regions=place.regions,
            mean_t1w_z=None if self.t1w_z is None else float(self.t1w_z[voxels].mean(dtype=np.float64)),
            mean_pet_z=pet_mean,
            pet_direction=None if pet_mean is None else "hypo" if pet_mean < 0 else "hyper",
            asymmetry_percent=None if self.pet is None else _asymmetry(voxels, self.pet, self.brain),
        )


def find_clusters(
    z_map: NDArray, brain_mask: NDArray[np.bool_], grid: Grid, rule: ClusterRule, *, t1w_z: NDArray | None = None,
    pet_z: NDArray | None = None, pet: NDArray | None = None,
) -> tuple[list[Cluster], NDArray[np.int16]]:  # fmt: skip
    """Threshold a z-map, join voxels with their 26 neighbours, drop small clusters, rank and describe the others.

    Args:
        z_map: (I, J, K), high = abnormal; read within the mask only.
        brain_mask: (I, J, K).
        grid: of all images, axis-aligned RAS+ in template space; symmetric about x = 0 if ``pet`` is given.
        rule: the threshold, and what is kept.
        t1w_z: (I, J, K), z-map of the T1 alone.
        pet_z: (I, J, K), signed z-map of the PET alone, negative = hypometabolic.
        pet: (I, J, K), the PET itself in SUVR, for the asymmetry.

    Returns:
        The kept clusters by rank, and (I, J, K) labels: the rank of the cluster a voxel belongs to, 0 for none.

    Raises:
        DataError: the map is not finite within the mask.
        GridMismatchError: an image is not on ``grid``, or ``grid`` has no mirror image of itself.

    Source: mass after El Azami et al., PLoS ONE 11 (2016) e0161498 (rank by size and degree of deviation).
    """
    if pet is not None:
        grid.check_mirrors()
    _check({"z-map": z_map, "brain mask": brain_mask, "T1 z-map": t1w_z, "PET z-map": pet_z, "PET": pet}, grid)
    brain = np.asarray(brain_mask, bool)
    flat, z = _above(z_map, brain, rule.threshold)
    label = components(flat, brain.shape)
    seen = Seen(grid, brain, t1w_z, pet_z, pet)
    order = _ranking(label, z, rule, grid)[: rule.max_clusters]
    labels = np.zeros(brain.shape, np.int16)
    clusters = []
    for rank, chosen in enumerate(order, start=1):
        own = label == chosen
        voxels = np.unravel_index(flat[own], brain.shape)
        labels[voxels] = rank
        clusters.append(seen.describe(rank, voxels, z[own], rule.threshold))
    return clusters, labels


def strongest(
    z_map: NDArray, brain_mask: NDArray[np.bool_], grid: Grid, threshold: float, min_volume_mm3: float
) -> dict[str, float]:
    """The score of the first cluster by each of ``RANKINGS``, as ``Cluster.score``; 0 where there is no cluster.

    Args:
        z_map: (I, J, K), high = abnormal.
        brain_mask: (I, J, K).
        grid: of both.
        threshold: a voxel counts when its z is above it.
        min_volume_mm3: smaller clusters do not count.
    """
    flat, z = _above(z_map, np.asarray(brain_mask, bool), threshold)
    label = components(flat, z_map.shape)
    scores = _scores(label, z - threshold)
    large = scores["size"] >= min_voxels(min_volume_mm3, grid)
    return {name: float(score[large].max(initial=0.0)) for name, score in scores.items()}


def min_voxels(min_volume_mm3: float, grid: Grid) -> int:
    """The number of voxels, at least 1, from which a cluster has the volume."""
    return max(1, int(np.ceil(min_volume_mm3 / voxel_volume_mm3(grid) - 1e-6)))


def voxel_volume_mm3(grid: Grid) -> float:
    """Volume of one voxel."""
    return float(np.prod(grid.spacing_mm))


def _above(z_map: NDArray, brain: NDArray[np.bool_], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Voxels above the threshold: where they lie in the flattened volume, in C order, and their z; (n,) each."""
    check_finite(z_map, brain)
    flat = np.flatnonzero(brain & (z_map > np.float64(threshold)))  # compared in double precision
    return flat, z_map.ravel()[flat].astype(np.float64)


def components(flat: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The 26-connected component, from 1 on, of each voxel of the flattened volume, (n,)."""
    if not flat.size:
        return np.zeros(0, np.int64)
    voxels = np.unravel_index(flat, shape)
    voxels = tuple(axis - axis.min() for axis in voxels)
    box = np.zeros([int(axis.max()) + 1 for axis in voxels], bool)  # labelling costs what the box holds
    box[voxels] = True
    return ndimage.label(box, NEIGHBOURS)[0][voxels].astype(np.int64)


def _ranking(label: NDArray, z: NDArray, rule: ClusterRule, grid: Grid) -> NDArray[np.int64]:
    """Labels of the clusters that are large enough, the most suspicious first."""
    scores = _scores(label, z - rule.threshold)
    size, mass, score = scores["size"], scores["mass"], scores[rule.rank_by]
    large = np.flatnonzero(size >= min_voxels(rule.min_volume_mm3, grid))  # never label 0: it has no voxel
    return large[np.lexsort((-size[large], -mass[large], -score[large]))]


def _scores(label: NDArray[np.int64], excess: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Of each label (n_labels + 1,), from the labels of voxels and what their z exceeds the threshold by."""
    size, mass = np.bincount(label).astype(np.float64), np.bincount(label, excess)
    return {"mass": mass, "size": size, "mean": mass / np.maximum(size, 1)}


def _asymmetry(voxels: tuple[NDArray, ...], pet: NDArray, brain: NDArray[np.bool_]) -> float | None:
    """Over the voxels whose mirror voxel is in the brain, too; None: there is none."""
    paired = brain[voxels] & brain[::-1][voxels]
    i, j, k = (axis[paired] for axis in voxels)
    if not i.size:
        return None
    here = float(pet[i, j, k].mean(dtype=np.float64))
    there = float(pet[pet.shape[0] - 1 - i, j, k].mean(dtype=np.float64))
    return 200 * (here - there) / (here + there) if here + there > 0 else None


def check_finite(z_map: NDArray, brain: NDArray[np.bool_]) -> None:
    """Refuse a map that is NaN or infinite anywhere in the brain; both (I, J, K)."""
    if n := int(np.count_nonzero(brain & ~np.isfinite(z_map))):
        raise DataError(f"E_NONFINITE z-map: n={n} voxels of the brain are NaN or infinite; expected finite values")


def _check(images: Mapping[str, NDArray | None], grid: Grid) -> None:
    for name, image in images.items():
        if image is not None and image.shape != grid.shape:
            raise GridMismatchError(f"E_GRID {name}: shape {image.shape}; expected {grid.shape}, that of the grid")


def _point(xyz: NDArray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in xyz)
    return x, y, z
