"""What all simulated people share: tissue priors, contrast and uptake in template space."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter

from synthpet.cohort.images import Grid
from synthpet.phantom.fields import Lattice
from synthpet.phantom.metabolism import (
    Uptake,
    grey_matter_uptake,
    prepare_uptake,
    read_uptake_table,
    squared_distances,
)
from synthpet.template.icbm import BRAIN_THRESHOLD, native_template, template_grid

SHELL_MM = 8.0  # how far outside the template's brain an individual brain may reach
T1_OF_BRAINSTEM = 0.84
# Template's T1: mean share of CSF there in 15 real people, registered by SyN (OpenNeuro ds002748)
FLUID_BY_BRIGHTNESS = (0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85), (0.95, 0.80, 0.62, 0.32, 0.16, 0.085, 0.02)
EVERY_SECOND = (slice(None, None, 2),) * 3


@dataclass(frozen=True)
class Template:
    """ICBM 2009a symmetric template, as nilearn carries it, prepared for growing individual brains.

    Args:
        fine: lattice on which a person is made, two voxels for one of the grid.
        crisp: lattice of ``priors``, 1 mm.
        priors: (3, I, J, K) averaged probabilities of GM, WM, CSF; CSF where there is no tissue.
        smooth: lattice of the other maps, 2 mm.
        maps: (I, J, K) each; ``depth`` below the brain's surface in mm (negative outside), ``surface_x|y|z`` of
            the nearest point of the surface in mm, ``t1_gm`` and ``t1_wm`` (the template's T1 in each tissue),
            ``uptake`` of GM.
        ventricles: (I, J, K) smoothed probability of inner CSF on ``smooth``.
        near_brain: (I, J, K) voxels of the fine lattice where an individual brain may be.
        near_points: (3, n) their centres in mm.
        uptake: how people's uptake differs.
    """

    fine: Lattice
    crisp: Lattice
    priors: NDArray[np.float32]
    smooth: Lattice
    maps: dict[str, NDArray[np.float32]]
    ventricles: NDArray[np.float32]
    near_brain: NDArray[np.bool_]
    near_points: NDArray[np.float32]
    uptake: Uptake

    @cached_property
    def lattice(self) -> Lattice:
        """The cohort's grid."""
        shape = tuple(n // 2 for n in self.fine.shape)
        origin = tuple(o + self.fine.spacing_mm / 2 for o in self.fine.origin_mm)
        return Lattice(shape, origin, 2 * self.fine.spacing_mm)  # type: ignore[arg-type]

    @cached_property
    def grid(self) -> Grid:
        """The cohort's grid as images carry it."""
        return Grid.of(self.lattice.shape, self.lattice.affine)


@lru_cache(maxsize=2)
def load_template(resolution_mm: float) -> Template:
    """Prepare the template for a cohort of isotropic ``resolution_mm``, on the grid that all cohorts share."""
    (t1w, gm, wm), native = native_template()
    crisp = Lattice.of(native)
    smooth = Lattice(tuple((n + 1) // 2 for n in crisp.shape), crisp.origin_mm, 2.0)  # type: ignore[arg-type]
    gm, wm = _deep_grey_restored(gm, wm, smooth, crisp)
    gm2, wm2, t1w2 = (gaussian_filter(values, 0.8)[EVERY_SECOND] for values in (gm, wm, t1w))
    brain = _brain(gm2 + wm2, smooth)
    maps = _surface(brain, smooth)
    maps["t1_gm"] = _local_mean(t1w2, gm2**3 * brain, 3.0 / smooth.spacing_mm)
    maps["t1_gm"] += _brainstem(smooth) * (T1_OF_BRAINSTEM - maps["t1_gm"])
    maps["t1_wm"] = _local_mean(t1w2, wm2**3 * brain, 5.0 / smooth.spacing_mm)
    maps["uptake"] = grey_matter_uptake(smooth)
    inner_csf = np.clip(1 - gm2 - wm2, 0, 1) * (maps["depth"] > 16)
    priors = _with_fluid(np.stack([gm, wm, np.clip(1 - gm - wm, 0, 1)]), t1w)
    fine = Lattice.of(template_grid(resolution_mm)).doubled()
    near = smooth.resample(maps["depth"], fine) > -SHELL_MM
    ventricles = gaussian_filter(inner_csf, 1.0)
    grey, white = (crisp.resample(prior, smooth) for prior in priors[:2])
    uptake = prepare_uptake(smooth, grey, white, maps["uptake"])
    return Template(fine, crisp, priors, smooth, maps, ventricles, near, fine.points_mm()[:, near], uptake)


def _with_fluid(priors: NDArray[np.float32], t1w: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (3, I, J, K) of GM, WM, CSF with fluid where the template's T1 is dark.

    Its maps of GM and WM hold little of what sulci contain.
    """
    fluid = np.interp(t1w, *FLUID_BY_BRIGHTNESS).astype(np.float32)
    csf = np.maximum(priors[2], np.where(t1w > BRAIN_THRESHOLD, fluid, 0))
    tissue = priors[:2].sum(axis=0)
    scale = np.divide(1 - csf, tissue, out=np.zeros_like(tissue), where=tissue > 0)
    return np.concatenate([priors[:2] * scale, np.where(tissue > 0, csf, 1)[None]])


def _deep_grey_restored(
    gm: NDArray[np.float32], wm: NDArray[np.float32], smooth: Lattice, crisp: Lattice
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """GM and WM, (I, J, K) on ``crisp``, with putamen and thalamus grey: bright on T1, they count as half white.

    Not in a paper: around the known points of these nuclei, voxels that are more than a third grey become greyer.
    """
    known, structure, _ = read_uptake_table()
    nuclei = known[np.isin(structure, ("basalGanglia", "thalamus"))]
    coarse = smooth.resampled(3.0)
    squared = squared_distances(coarse, nuclei).min(axis=1).reshape(coarse.shape)
    near = coarse.resample(np.exp(-squared / (2 * 6.0**2)).astype(np.float32), crisp)
    odds = np.exp(near * np.clip((gm - 0.35) / 0.2, 0, 1))
    tissue = gm + wm
    restored = np.where(tissue > 0, tissue * gm * odds / np.maximum(gm * odds + wm, 1e-6), 0).astype(np.float32)
    return restored, tissue - restored


def _brainstem(lattice: Lattice) -> NDArray[np.float32]:
    """Soft ellipsoid (I, J, K), 1 in pons and medulla, whose T1 is as bright as white matter in single persons."""
    points = lattice.points_mm() - np.reshape((0.0, -30.0, -38.0), (3, 1, 1, 1))
    radius = np.linalg.norm(points / np.reshape((15.0, 13.0, 26.0), (3, 1, 1, 1)), axis=0)
    return (0.5 - 0.5 * np.tanh((radius - 1) / 0.15)).astype(np.float32)


def _brain(tissue: NDArray[np.float32], lattice: Lattice) -> NDArray[np.bool_]:
    """Brain (I, J, K) without most of the CSF around it, as stripping leaves it; sulci and ventricles are filled."""
    radius = 5.0 / lattice.spacing_mm
    closed = distance_transform_edt(distance_transform_edt(tissue < 0.8) < radius) >= radius
    return binary_fill_holes(closed)


def _surface(brain: NDArray[np.bool_], lattice: Lattice) -> dict[str, NDArray[np.float32]]:
    """Depth below the surface of (I, J, K) in mm (negative outside), and x, y, z of its nearest point, RAS+ mm."""
    outside = distance_transform_edt(~brain)
    inside, nearest = distance_transform_edt(brain, return_indices=True)
    maps = {"depth": (lattice.spacing_mm * gaussian_filter(inside - outside, 0.5)).astype(np.float32)}
    for axis, name in enumerate("xyz"):
        surface = nearest[axis] * lattice.spacing_mm + lattice.origin_mm[axis]
        maps[f"surface_{name}"] = gaussian_filter(surface.astype(np.float32), 1.5)
    return maps


def _local_mean(values: NDArray, weight: NDArray, sigma: float) -> NDArray[np.float32]:
    """Weighted mean (I, J, K) in a Gaussian of ``sigma`` voxels; the overall mean where there is no weight near."""
    overall = np.sum(values * weight) / np.sum(weight)
    tiny = 1e-3
    summed = gaussian_filter(values * weight, sigma) + tiny * overall
    return (summed / (gaussian_filter(weight, sigma) + tiny)).astype(np.float32)
