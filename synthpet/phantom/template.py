"""What all simulated people share: tissue priors, contrast and uptake in template space."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter

from synthpet.cohort.images import Grid
from synthpet.phantom.fields import Lattice
from synthpet.phantom.metabolism import grey_matter_uptake

MARGIN_MM = 9.0  # between the template's brain and the edge of the grid
SHELL_MM = 8.0  # how far outside the template's brain an individual brain may reach


@dataclass(frozen=True)
class Template:
    """ICBM 2009a symmetric template, as nilearn carries it, prepared for growing individual brains.

    Args:
        fine: lattice on which a person is made, two voxels for one of the grid.
        crisp: lattice of ``priors``.
        priors: (3, I, J, K) averaged probabilities of GM, WM, CSF; all zero outside the brain.
        smooth: lattice of the other maps.
        maps: (I, J, K) each; ``depth`` below the brain's surface in mm, ``surface_x|y|z`` of the nearest point
            of the surface in mm, ``t1_gm`` and ``t1_wm`` contrast, ``uptake`` of GM, ``ventricles``.
    """

    fine: Lattice
    crisp: Lattice
    priors: NDArray[np.float32]
    smooth: Lattice
    maps: dict[str, NDArray[np.float32]]

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

    @cached_property
    def near_brain(self) -> NDArray[np.bool_]:
        """Voxels of the fine lattice where an individual brain may be, (I, J, K)."""
        return self.smooth.sample(self.maps["depth"], self.fine.points_mm()) > -SHELL_MM


def load_template(resolution_mm: float) -> Template:
    """Prepare the template for a cohort of isotropic ``resolution_mm``, on a grid symmetric about x = 0."""
    gm, wm, t1w, crisp = _load_maps()
    brain = _tight_mask(gm + wm)
    gm, wm = gm * brain, wm * brain
    csf = np.where(brain, np.clip(1 - gm - wm, 0, 1), 0)
    smooth = Lattice(tuple((n + 1) // 2 for n in crisp.shape), crisp.origin_mm, 2.0)  # type: ignore[arg-type]
    every = (slice(None, None, 2),) * 3
    maps = _surface(brain[every], smooth)
    maps["t1_gm"] = _local_mean(t1w, gm**3, 3.0)[every]
    maps["t1_wm"] = _local_mean(t1w, wm**3, 4.0)[every]
    maps["uptake"] = grey_matter_uptake(smooth)
    maps["ventricles"] = gaussian_filter(csf[every] * (maps["depth"] > 18), 2.0)
    return Template(_fine_lattice(brain, crisp, resolution_mm), crisp, np.stack([gm, wm, csf]), smooth, maps)


def _load_maps() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], Lattice]:
    from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template

    images = [load(resolution=1) for load in (load_mni152_gm_template, load_mni152_wm_template, load_mni152_template)]
    gm, wm, t1w = (np.asarray(image.dataobj, np.float32) for image in images)
    origin = tuple(images[0].affine[:3, 3].tolist())
    return gm, wm, t1w, Lattice(gm.shape, origin, 1.0)  # type: ignore[arg-type]


def _tight_mask(tissue: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Brain without most of the CSF around it, as a skull-stripping leaves it; sulci and ventricles are filled."""
    smooth = gaussian_filter(tissue, 1.0) > 0.5
    closed = distance_transform_edt(distance_transform_edt(~smooth) < 5) >= 5
    return binary_fill_holes(closed)


def _fine_lattice(brain: NDArray[np.bool_], crisp: Lattice, resolution_mm: float) -> Lattice:
    """Lattice of half the resolution around the brain; a coarse voxel is centred on x = 0."""
    indices = np.nonzero(brain)
    low = np.array([i.min() for i in indices]) + crisp.origin_mm - MARGIN_MM
    high = np.array([i.max() for i in indices]) + crisp.origin_mm + MARGIN_MM
    half = int(np.ceil(max(-low[0], high[0]) / resolution_mm - 0.5))
    first = np.array([-half, *np.floor(low[1:] / resolution_mm)])
    last = np.array([half, *np.ceil(high[1:] / resolution_mm)])
    shape = tuple(int(n) for n in 2 * (last - first + 1))
    origin = tuple((first * resolution_mm - resolution_mm / 4).tolist())
    return Lattice(shape, origin, resolution_mm / 2)  # type: ignore[arg-type]


def _surface(brain: NDArray[np.bool_], lattice: Lattice) -> dict[str, NDArray[np.float32]]:
    """Signed depth below the brain's surface (negative outside), and the nearest point of the surface."""
    outside = distance_transform_edt(~brain) * lattice.spacing_mm
    inside, nearest = distance_transform_edt(brain, return_indices=True)
    maps = {"depth": (inside * lattice.spacing_mm - outside).astype(np.float32)}
    for axis, name in enumerate("xyz"):
        surface = nearest[axis] * lattice.spacing_mm + lattice.origin_mm[axis]
        maps[f"surface_{name}"] = gaussian_filter(surface.astype(np.float32), 1.5)
    return maps


def _local_mean(values: NDArray, weight: NDArray, sigma: float) -> NDArray[np.float32]:
    """Weighted mean in a Gaussian neighbourhood; the overall mean where there is no weight near."""
    overall = np.sum(values * weight) / np.sum(weight)
    tiny = 1e-3
    summed = gaussian_filter(values * weight, sigma) + tiny * overall
    return (summed / (gaussian_filter(weight, sigma) + tiny)).astype(np.float32)


