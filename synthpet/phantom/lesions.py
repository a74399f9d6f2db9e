"""Epileptogenic lesions: hypometabolism along the cortex, in some patients with a change of the T1."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from synthpet.errors import DataError
from synthpet.phantom.anatomy import Anatomy
from synthpet.phantom.fields import FWHM, Lattice

Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

# The published sites and where they lie in template space (mm): (low, high) of |x|, y, z.
REGIONS: dict[str, Box] = {
    "temporal lobe": ((40, 68), (-48, 2), (-30, 0)),
    "temporal pole": ((26, 52), (6, 24), (-40, -14)),
    "insula": ((30, 44), (-18, 22), (-8, 14)),
    "frontal lobe": ((8, 55), (15, 60), (0, 55)),
    "parietal lobe": ((10, 55), (-70, -35), (25, 60)),
}
GROUPS = (
    ("left temporal lobe",),
    ("right temporal lobe",),
    ("left temporal pole", "right temporal pole"),
    ("left insula", "right insula"),
    ("left frontal lobe", "right frontal lobe", "left parietal lobe", "right parietal lobe"),
)
REMOTE_SHARE = 0.2  # of the depth
REMOTE_FWHM_MM = 45.0
THICKENING_MM = 2.0
BLURRING_FWHM_MM = 6.0
BAND = 2.5  # how much longer than wide a band along the cortex is
LOBE_EDGE_MM = 4.0
N_FOCI = 3
SITE_STREAM = 77  # keeps these draws apart from those of the subjects


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Args:
        site: side and region in words.
        centre_mm: (x, y, z).
        radius_mm: where half of the depth is reached.
        depth: share of the uptake that is lost in the middle.
        mri_visible: whether the T1 changes too.
        weight: (I, J, K) on the fine lattice, from 0 to 1: where the uptake is lowered.
        remote: (I, J, K), from 0 to 1: where it is lowered mildly.
    """

    site: str
    centre_mm: tuple[float, float, float]
    radius_mm: float
    depth: float
    mri_visible: bool
    weight: NDArray[np.float32]
    remote: NDArray[np.float32]

    def uptake_factor(self) -> NDArray[np.float32]:
        """What remains of the grey matter's uptake, (I, J, K)."""
        return 1 - self.depth * np.maximum(self.weight, REMOTE_SHARE * self.remote)


def site_of_patient(number: int, seed: int) -> str:
    """The site of the n-th patient (from 0): every five patients have one of each published group, in any order."""
    rng = np.random.default_rng((seed, SITE_STREAM, number // len(GROUPS)))
    order = rng.permutation(len(GROUPS))
    sites = [str(rng.choice(group)) for group in GROUPS]
    return sites[order[number % len(GROUPS)]]


def is_mri_visible(number: int, share: float) -> bool:
    """Whether the n-th patient's T1 shows the lesion: among the first n, a share of them, rounded."""
    return int((number + 1) * share + 0.5) > int(number * share + 0.5)


def draw_lesion(
    rng: np.random.Generator, anatomy: Anatomy, site: str, *, depth: tuple[float, float],
    radius_mm: tuple[float, float], mri_visible: bool, shape: str = "focal",
) -> Lesion:  # fmt: skip
    """Draw centre, radius and depth (uniform in their ranges) and lay the lesion along the cortex of the site.

    Args:
        rng: source of randomness.
        anatomy: whose brain.
        site: "left" or "right" and a key of ``REGIONS``.
        depth: range of the share of uptake that is lost.
        radius_mm: range of the radius.
        mri_visible: recorded; ``thicken`` and ``blur_boundary`` make it true.
        shape: focal, band, lobe, bilateral or multifocal.

    Raises:
        DataError: no grey matter there.
    """
    lattice, points = anatomy.lattice, anatomy.lattice.points_mm()
    centre = _grey_point(rng, anatomy, points, site)
    radius = rng.uniform(*radius_mm)
    lost = rng.uniform(*depth)
    weight = cortical_weight(rng, anatomy.gm, lattice, centre, radius, stretch=BAND if shape == "band" else 1.0)
    side = points[0] * centre[0] > 0
    if shape == "lobe":
        weight = _lobe_weight(anatomy, points, site)
    elif shape == "bilateral":
        mirrored = centre * np.array([-1, 1, 1], np.float32)
        weight = np.maximum(weight, cortical_weight(rng, anatomy.gm, lattice, mirrored, radius))
        site, side = site.replace(site.split(" ")[0], "bilateral", 1), np.ones_like(side)
    elif shape == "multifocal":
        others = [site.split(" ")[0] + " " + region for region in REGIONS if region not in site]
        for other in rng.choice(others, N_FOCI - 1, replace=False):
            more = _grey_point(rng, anatomy, points, str(other))
            weight = np.maximum(weight, cortical_weight(rng, anatomy.gm, lattice, more, radius))
        site = f"{site} and {N_FOCI - 1} more"
    squared = ((points - centre[:, None, None, None]) ** 2).sum(axis=0)
    remote = np.exp(-squared / (2 * (REMOTE_FWHM_MM / FWHM) ** 2)) * side
    return Lesion(site, tuple(centre.tolist()), radius, lost, mri_visible, weight, remote.astype(np.float32))


def _grey_point(
    rng: np.random.Generator, anatomy: Anatomy, points: NDArray[np.float32], site: str
) -> NDArray[np.float32]:
    """A point of the site's cortex, (3,) mm."""
    candidates = np.argwhere(_in_site(points, site) & (anatomy.gm > 0.6) & (anatomy.depth > 2))
    if not candidates.size:
        raise DataError(f"E_NO_GM no grey matter in the {site}; expected GM above 0.6 there: check the registration")
    return points[(slice(None), *rng.choice(candidates))]


def _lobe_weight(anatomy: Anatomy, points: NDArray[np.float32], site: str) -> NDArray[np.float32]:
    """Weight (I, J, K) of all grey matter of a site, with a soft edge."""
    inside = gaussian_filter(_in_site(points, site).astype(np.float32), LOBE_EDGE_MM / anatomy.lattice.spacing_mm)
    return np.where(anatomy.gm > 0.3, np.clip(2 * inside, 0, 1), 0).astype(np.float32)


def _in_site(points: NDArray[np.float32], site: str) -> NDArray[np.bool_]:
    """Which points (3, I, J, K), RAS+ mm, lie in a site, (I, J, K)."""
    side, region = site.split(" ", 1)
    x = points[0] if side == "right" else -points[0]
    return np.all([(p >= low) & (p <= high) for p, (low, high) in zip((x, *points[1:]), REGIONS[region], strict=True)],
                  axis=0)  # fmt: skip


def cortical_weight(
    rng: np.random.Generator, gm: NDArray[np.float32], lattice: Lattice, centre_mm: NDArray, radius_mm: float,
    stretch: float = 1.0,
) -> NDArray[np.float32]:  # fmt: skip
    """Weight (I, J, K) from 0 to 1 of an irregular ball with a soft edge, within connected grey matter.

    Args:
        rng: source of randomness.
        gm: (I, J, K) share of grey matter.
        lattice: of ``gm``.
        centre_mm: (3,).
        radius_mm: where half of the weight is reached.
        stretch: above 1: longer in one direction, of the same volume.
    """
    offset = lattice.points_mm() - np.reshape(centre_mm, (3, 1, 1, 1))
    if stretch != 1:
        along = rng.standard_normal(3)
        along /= np.linalg.norm(along)
        part = np.einsum("a,aijk->ijk", along, offset)
        shrink = np.float32(1 / stretch ** (2 / 3)) - np.float32(stretch ** (1 / 3))
        offset = offset * np.float32(stretch ** (1 / 3)) + np.reshape(along, (3, 1, 1, 1)) * part * shrink
    coarse = lattice.resampled(3.0)
    wobble = coarse.resample(coarse.random_field(rng, 15.0), lattice)
    distance = np.linalg.norm(offset, axis=0) / (radius_mm * np.exp(0.12 * wobble))
    ball = 0.5 - 0.5 * np.tanh((distance - 1) / 0.25)
    parts, _ = label((gm > 0.3) & (ball > 0.02))
    middle = np.unravel_index(np.argmin(np.where(gm > 0.3, distance, np.inf)), gm.shape)
    return np.where(parts == parts[middle], ball, 0).astype(np.float32)


def thicken(anatomy: Anatomy, lesion: Lesion) -> tuple[Anatomy, Lesion]:
    """Thicken the cortex in the lesion: white matter next to it becomes grey, and part of the lesion."""
    near = _neighbourhood(lesion.weight * anatomy.gm, anatomy.lattice, THICKENING_MM)
    moved = 0.6 * near * anatomy.wm
    thicker = replace(anatomy, gm=anatomy.gm + moved, wm=anatomy.wm - moved)
    weight = np.where(moved > 0.1, np.maximum(lesion.weight, near), lesion.weight)
    return thicker, replace(lesion, weight=weight)


def blur_boundary(t1w: NDArray[np.float32], weight: NDArray[np.float32], grid: Lattice) -> NDArray[np.float32]:
    """The T1 (I, J, K) with a blurred grey-white boundary in and next to the lesion's weight on the same grid."""
    near = _neighbourhood(weight, grid, 3.0)
    return t1w + near * (gaussian_filter(t1w, BLURRING_FWHM_MM / FWHM / grid.spacing_mm) - t1w)


def _neighbourhood(weight: NDArray[np.float32], grid: Lattice, sigma_mm: float) -> NDArray[np.float32]:
    """A weight (I, J, K) spread to what lies beside it, 0 to 1."""
    return np.clip(2 * gaussian_filter(weight, sigma_mm / grid.spacing_mm), 0, 1)
