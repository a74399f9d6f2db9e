"""Epileptogenic lesions: focal hypometabolism along the cortex, in some patients with a change of the T1."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from synthpet.phantom.anatomy import Anatomy
from synthpet.phantom.fields import Lattice

# Boxes in template space (mm): (low, high) along x, y, z; a negative x is left.
SITES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "left temporal lobe": ((-68, -38), (-48, 2), (-30, 0)),
    "right temporal lobe": ((38, 68), (-48, 2), (-30, 0)),
    "left temporal pole": ((-52, -26), (6, 24), (-40, -14)),
    "right temporal pole": ((26, 52), (6, 24), (-40, -14)),
    "left insula": ((-44, -30), (-18, 22), (-8, 14)),
    "right insula": ((30, 44), (-18, 22), (-8, 14)),
    "left frontal lobe": ((-55, -8), (15, 60), (0, 55)),
    "right frontal lobe": ((8, 55), (15, 60), (0, 55)),
    "left parietal lobe": ((-55, -10), (-70, -35), (25, 60)),
    "right parietal lobe": ((10, 55), (-70, -35), (25, 60)),
}
SITE_WEIGHTS = (0.2, 0.2, 0.06, 0.12, 0.08, 0.08, 0.08, 0.08, 0.05, 0.05)
REMOTE_SHARE = 0.2  # of the depth
REMOTE_FWHM_MM = 45.0


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Args:
        site: a key of ``SITES``.
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

    def mask(self) -> NDArray[np.float32]:
        """1 where at least half of the depth is lost, else 0; on the fine lattice."""
        return (self.weight > 0.5).astype(np.float32)


def draw_lesion(
    rng: np.random.Generator, anatomy: Anatomy, *, depth: tuple[float, float], radius_mm: tuple[float, float],
    mri_visible: bool,
) -> Lesion:  # fmt: skip
    """Draw site, centre, radius and depth (uniform in their ranges) and lay the lesion along the cortex."""
    site = str(rng.choice(list(SITES), p=SITE_WEIGHTS))
    points = anatomy.lattice.points_mm()
    box = np.all([(p >= low) & (p <= high) for p, (low, high) in zip(points, SITES[site], strict=True)], axis=0)
    candidates = np.argwhere(box & (anatomy.gm > 0.7) & (anatomy.depth > 2))
    centre = points[(slice(None), *rng.choice(candidates))]
    radius = rng.uniform(*radius_mm)
    weight = cortical_weight(rng, anatomy.gm, anatomy.lattice, centre, radius)
    squared = ((points - centre[:, None, None, None]) ** 2).sum(axis=0)
    remote = np.exp(-squared / (2 * (REMOTE_FWHM_MM / 2.355) ** 2)) * (np.sign(points[0]) == np.sign(centre[0]))
    return Lesion(
        site, tuple(centre.tolist()), radius, rng.uniform(*depth), mri_visible, weight, remote.astype(np.float32)
    )


def cortical_weight(
    rng: np.random.Generator, gm: NDArray[np.float32], lattice: Lattice, centre_mm: NDArray, radius_mm: float
) -> NDArray[np.float32]:
    """Weight (I, J, K) from 0 to 1 of an irregular ball with a soft edge, within connected grey matter."""
    offset = lattice.points_mm() - np.reshape(centre_mm, (3, 1, 1, 1))
    coarse = lattice.resampled(3.0)
    wobble = coarse.resample(coarse.random_field(rng, 15.0), lattice)
    distance = np.linalg.norm(offset, axis=0) / (radius_mm * np.exp(0.12 * wobble))
    ball = 0.5 - 0.5 * np.tanh((distance - 1) / 0.25)
    parts, _ = label((gm > 0.3) & (ball > 0.02))
    middle = np.unravel_index(np.argmin(np.where(gm > 0.3, distance, np.inf)), gm.shape)
    return np.where(parts == parts[middle], ball, 0).astype(np.float32)


def thicken(anatomy: Anatomy, lesion: Lesion) -> Anatomy:
    """The anatomy with a thicker cortex in the lesion: white matter next to it becomes grey."""
    sigma = 2.0 / anatomy.lattice.spacing_mm
    near = np.clip(2 * gaussian_filter(lesion.weight * anatomy.gm, sigma), 0, 1)
    moved = 0.6 * near * anatomy.wm
    return replace(anatomy, gm=anatomy.gm + moved, wm=anatomy.wm - moved)
