"""FDG uptake: regional figures of healthy adults, and what of a person's own the T1 does not show.

Source: grey-matter uptake at the 300 points of Seitzman et al., NeuroImage 2020, estimated from the group-mean
SUVR map of Blazey et al. (hygly_figures, MIT licence): the map is explained as an 8 mm PSF applied to
1.243 GM + 0.554 WM + 0.360 CSF, then GM is scaled locally. How people differ: see ``synthpet.phantom.variation``.
Not in a paper: how people differ within a region (``DETAIL``).
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from synthpet.phantom.fields import FWHM, Lattice
from synthpet.phantom.mishaps import benign_asymmetry
from synthpet.phantom.variation import REFERENCE_AGE, WHITE_MATTER, Effects, real_people, unblurred, undone
from synthpet.template.gyri import gyrus_of, gyrus_points

WHITE_MATTER_UPTAKE = 0.554
CSF_UPTAKE = 0.360
NEAR_MM, FAR_MM = 6.0, 25.0  # reach of a point: among others, and where no other is near
SEEN_MM, SEEN_FWHM_MM = 3.0, 5.0  # voxels and resolution of the PETs whose regional means vary as real ones do
CRISP = 3  # exponent that makes averaged tissues as sharp as a person's
DETAIL = {14.0: 0.04}  # FWHM in mm: standard deviation of the log of grey-matter uptake
DETAIL_SYMMETRIC = 0.5  # share of its variance that both sides have in common


@lru_cache
def read_uptake_table() -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.float64]]:
    """The 300 points: coordinates (300, 3) in mm, structure, and grey-matter uptake (whole brain = 1)."""
    path = str(files("synthpet.phantom") / "gm_fdg_uptake.tsv")
    table = np.genfromtxt(path, names=True, dtype=None, delimiter="\t", encoding="utf-8")
    return np.stack([table["x_mm"], table["y_mm"], table["z_mm"]], axis=1), table["structure"], table["gm_uptake"]


def grey_matter_uptake(lattice: Lattice) -> NDArray[np.float32]:
    """Grey-matter uptake (I, J, K) between the 300 points, weighted by a Gaussian of their distance.

    The few points of hippocampus and amygdala stand for whole structures among many cortical ones, and weigh more.
    """
    known, structure, uptake = read_uptake_table()
    coarse = lattice.resampled(5.0)
    importance = np.where(np.isin(structure, ("hippocampus", "amygdala")), 6.0, 1.0)
    mean = _weights(coarse, known, importance) @ uptake
    return coarse.resample(mean.reshape(coarse.shape).astype(np.float32), lattice)


def _weights(lattice: Lattice, known_mm: NDArray, importance: NDArray | float = 1.0) -> NDArray[np.float32]:
    """How much each known point tells about each voxel, (voxels, points), summing to 1 over the points."""
    near, far = (_gaussians(lattice, known_mm, mm) for mm in (NEAR_MM, FAR_MM))
    near *= np.asarray(importance, np.float32)
    near += np.float32(1e-4) * far
    near /= near.sum(axis=1, keepdims=True)
    return near


def _gaussians(lattice: Lattice, known_mm: NDArray, sigma_mm: float) -> NDArray[np.float32]:
    """exp(-d^2 / 2 sigma^2) of each voxel's distance d from each point, (voxels, points): a product over the axes."""
    points, along = lattice.points_mm(), []
    for axis, mm in enumerate((points[0, :, 0, 0], points[1, 0, :, 0], points[2, 0, 0, :])):
        values = np.exp(-((mm[:, None] - np.asarray(known_mm)[:, axis]) ** 2) / (2 * sigma_mm**2))
        along.append(np.maximum(values, 1e-12).astype(np.float32))  # numbers too small for float32 are slow
    i, j, k = along
    return (i[:, None, None] * (j[:, None] * k)).reshape(-1, len(known_mm))


def squared_distances(lattice: Lattice, known_mm: NDArray) -> NDArray[np.float32]:
    """Squared distance of each voxel from each known point: (voxels, points), mm^2."""
    voxels, known = lattice.points_mm().reshape(3, -1).T, np.asarray(known_mm, np.float32)
    squared = (voxels**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * voxels @ known.T
    return np.maximum(squared, 0)


@dataclass(frozen=True)
class Uptake:
    """What the population takes up, and how people differ, in template space.

    Args:
        lattice: of all maps, coarse: they are smooth.
        grey: (voxels, 2 n), share of each region of ``variation.real_people`` at a voxel of grey matter: all regions
            on the left, then all on the right.
        white: the same for white matter.
        effects: draws people.
        ageing: (n,), effect of a decade on the log of uptake.
    """

    lattice: Lattice
    grey: NDArray[np.float32]
    white: NDArray[np.float32]
    effects: Effects
    ageing: NDArray[np.float64]

    def expected(self, age: float) -> "Effect":
        """The effect of age (years) alone."""
        return self._effect(np.stack([self._aged(age)] * 2), 0.0)

    def draw(self, rng: np.random.Generator, age: float, *, uneven: bool = False) -> "Effect":
        """One person's effect, that of age included; ``uneven``: with a wide, benign asymmetry."""
        regional = self.effects.draw(rng) + self._aged(age)
        detail = sum(
            sd * self.lattice.random_field(rng, fwhm, symmetric=DETAIL_SYMMETRIC) for fwhm, sd in DETAIL.items()
        )
        if uneven:
            detail = detail + benign_asymmetry(rng, self.lattice)
        return self._effect(regional, detail)

    def _aged(self, age: float) -> NDArray[np.float64]:
        """Log of the uptake that a person of this age has more than one of ``REFERENCE_AGE``, (n,) by region."""
        return self.ageing * (age - REFERENCE_AGE) / 10

    def _effect(self, regional: NDArray[np.float64], detail: NDArray[np.float32] | float) -> "Effect":
        """Factors of an effect on the log of regions, (2, n): left, right; and of voxels, (I, J, K)."""
        grey, white = ((shares @ regional.ravel()).reshape(self.lattice.shape) for shares in (self.grey, self.white))
        return Effect(self.lattice, np.exp(grey + detail).astype(np.float32), np.exp(white).astype(np.float32))


@dataclass(frozen=True)
class Effect:
    """Factors (I, J, K) on the uptake of grey and of white matter, in template space."""

    lattice: Lattice
    grey: NDArray[np.float32]
    white: NDArray[np.float32]


def prepare_uptake(lattice: Lattice, grey: NDArray, white: NDArray, uptake: NDArray) -> Uptake:
    """Shares of the regions, and the covariance of effects with which PETs vary as those of real people do.

    Args:
        lattice: of the template's tissues.
        grey: (I, J, K) probability of grey matter.
        white: (I, J, K) probability of white matter.
        uptake: (I, J, K) of grey matter.
    """
    coarse = lattice.resampled(5.0)
    shares = _shares(coarse)
    seen = lattice.resampled(SEEN_MM)
    gm, wm, of_grey = (lattice.resample(values, seen) for values in (*_crisp(grey, white), uptake))
    same, other = _seen_effects(seen, gm, wm, of_grey, [_on(share, coarse, seen) for share in shares])
    people = real_people()
    left = 1 - people.explained
    roots = [
        unblurred(people.covariance(sign=sign) * np.sqrt(np.outer(left, left)), same + sign * other) for sign in (1, -1)
    ]
    return Uptake(coarse, *shares, Effects(*roots), undone(people.slope, same + other))


def _crisp(grey: NDArray, white: NDArray) -> tuple[NDArray, NDArray]:
    """The template's averaged grey and white matter, (I, J, K) shares, about as sharp as a person's."""
    powers = np.stack([grey, white, np.clip(1 - grey - white, 0, 1)]) ** CRISP
    grey, white, _ = powers / powers.sum(axis=0)
    return grey, white


def _on(shares: NDArray[np.float32], coarse: Lattice, lattice: Lattice) -> NDArray[np.float32]:
    """Shares of the regions on the right at the voxels of another lattice, (n, I, J, K)."""
    right = shares[:, shares.shape[1] // 2 :]
    return np.stack([coarse.resample(column.reshape(coarse.shape), lattice) for column in right.T])


def _shares(lattice: Lattice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Share of each region at each voxel, were it grey and were it white matter, (voxels, 2 n) each."""
    known, names = gyrus_points(), real_people().names
    mirrored = known.xyz_mm * (-1, 1, 1)
    weights = _weights(lattice, np.concatenate([mirrored, known.xyz_mm]))
    region = np.array([names.index(name) for name in known.names])[known.region]
    column = np.concatenate([region, region + len(names)])
    grey = np.zeros((len(weights), 2 * len(names)), np.float32)
    for k in range(2 * len(names)):
        grey[:, k] = weights[:, column == k].sum(axis=1)
    white = np.zeros_like(grey)
    cerebellar = names.index("cerebellar cortex")
    for half in (0, len(names)):
        near_cerebellum = grey[:, half + cerebellar]
        cerebrum, cerebellum = (half + names.index(name) for name in WHITE_MATTER)
        white[:, cerebellum] = near_cerebellum
        white[:, cerebrum] = grey[:, half : half + len(names)].sum(axis=1) - near_cerebellum
    return grey, white


def _seen_effects(
    lattice: Lattice, grey: NDArray, white: NDArray, uptake: NDArray, shares: list[NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of an effect on a region shows in the PET of each region, on its own side and on the other, (n, n) each.

    The derivative of the log of a region's mean, relative to the whole brain's, by the log of the uptake: rows are
    regions that are looked at, columns those that are changed.
    """
    names = real_people().names
    brain = grey + white > 0.5
    sigma = SEEN_FWHM_MM / FWHM / lattice.spacing_mm
    csf = np.clip(1 - grey - white, 0, 1) * brain
    pet = gaussian_filter(activity(grey, white, csf, uptake), sigma)
    where = [right for _, right in where_regions_are(lattice.points_mm(), grey, white)]
    mean = np.array([pet[inside].mean() for inside in where])
    same, other = np.zeros((2, len(names), len(names)))
    for k in range(len(names)):
        source = shares[0][k] * grey * uptake + shares[1][k] * white * WHITE_MATTER_UPTAKE
        change = gaussian_filter(source, sigma)
        whole = change[brain].mean() / pet[brain].mean()
        same[:, k] = [change[inside].mean() for inside in where] / mean - whole
        other[:, k] = [change[::-1][inside].mean() for inside in where] / mean - whole
    return same, other


def where_regions_are(points_mm: NDArray, grey: NDArray, white: NDArray) -> list[tuple[NDArray[np.bool_], ...]]:
    """The voxels of each region of ``real_people`` on the left and on the right, (I, J, K) each.

    Args:
        points_mm: (3, I, J, K), where each voxel lies in the template.
        grey: (I, J, K) share of grey matter.
        white: (I, J, K) share of white matter.
    """
    known, labels = gyrus_points().names, gyrus_of(points_mm)
    cerebellum = 1 + 2 * known.index("cerebellar cortex")
    found = []
    for name in real_people().names:
        sides = []
        for side, half in enumerate((points_mm[0] < 0, points_mm[0] > 0)):
            if name in known:
                own = labels == 1 + 2 * known.index(name) + side
                inside = own & (grey > 0.5)
                # A region that is narrower than a voxel: where it is greyest
                inside = inside if inside.any() else own & (grey == grey[own].max())
            else:
                own = (labels == cerebellum + side) == (name == "cerebellar white matter")
                inside = half & own & (white > 0.5)
            sides.append(inside)
        found.append(tuple(sides))
    return found


def activity(
    gm: NDArray[np.float32], wm: NDArray[np.float32], csf: NDArray[np.float32], uptake: NDArray[np.float32],
    white: NDArray[np.float32] | float = 1.0,
) -> NDArray[np.float32]:  # fmt: skip
    """Tracer concentration (I, J, K) before the scanner sees it, in units of the template's whole-brain mean.

    Args:
        gm: share of grey matter.
        wm: share of white matter.
        csf: share of cerebrospinal fluid.
        uptake: of grey matter.
        white: factor on the uptake of white matter.
    """
    return gm * uptake + WHITE_MATTER_UPTAKE * white * wm + CSF_UPTAKE * csf
