"""One simulated person as scanners deliver it: tilted, in native voxels and units.

The FLAIR is skull-stripped, and the T1 unless a whole head is asked for. The PET is not: scalp and neck take up a
little tracer.
Not in a paper: all numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, distance_transform_edt, gaussian_filter
from scipy.spatial import ConvexHull

from synthpet.cohort.images import Grid
from synthpet.phantom.fields import FWHM, Lattice
from synthpet.phantom.flair import FWHM_MM, flair_signal
from synthpet.phantom.head import with_head
from synthpet.phantom.lesions import blur_boundary
from synthpet.phantom.person import Person, Plan, lesion_mask
from synthpet.phantom.raw_protocol import Frames, Protocol
from synthpet.phantom.scanner import block_mean, stripped_inside, t1_signal

T1W_MARGIN_MM, PET_MARGIN_MM, FLAIR_MARGIN_MM = (8.0, 25.0), (22.0, 32.0), (10.0, 10.0)  # around the brain
HEAD_MARGIN_MM = (22.0, 45.0)
CUT_SHARE = 0.25  # of the brain's height that a cut field of view misses
BIAS_FWHM_MM = 110.0
FLAIR_WM, FLAIR_CSF, FLAIR_SCALE = 0.78, 0.12, 800.0  # of every scanner; value of grey matter in the file
SCALP, NECK = 0.3, 0.25  # uptake, of the brain's mean
SCALP_MM, SCALP_WIDTH_MM = 14.0, 3.0  # from the brain
AROUND_MM = 50.0  # of head around the box of the anatomy
RISE = 0.2  # of the uptake during the PET, as a share of it


@dataclass(frozen=True)
class RawImage:
    """Voxels (I, J, K) or, with frames, (I, J, K, F), stored in any orientation, and the affine to RAS+ mm."""

    data: NDArray
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class Visit:
    """A person who is scanned as ``protocol`` says; ``plan`` holds the scanner and the randomness."""

    plan: Plan
    person: Person
    protocol: Protocol

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """What skull stripping leaves, (I, J, K) on the anatomy's lattice."""
        return stripped_inside(self.person.anatomy, self.plan.rng("mask"))

    @cached_property
    def outermost_mm(self) -> NDArray[np.float64]:
        """Corners of the brain's convex hull, (4, n), the last row 1: what a field of view goes around."""
        first, last = (np.diff(self.inside, axis=2, **beyond) for beyond in ({"prepend": False}, {"append": False}))
        points = self.person.anatomy.lattice.points_mm()[:, self.inside & (first | last)].astype(float)
        chosen = points[:, ConvexHull(points.T).vertices]
        return np.vstack([chosen, np.ones(chosen.shape[1])])

    @cached_property
    def t1w_grid(self) -> Grid:
        """The T1's voxels, before the order in which they are stored."""
        protocol = self.protocol
        margin_mm = HEAD_MARGIN_MM if protocol.skull else T1W_MARGIN_MM
        return _box(protocol.t1w_pose @ self.outermost_mm, protocol.t1w_spacing_mm, margin_mm,
                    self.plan.rng("box"), protocol.oblique)  # fmt: skip


def scan_t1w(visit: Visit) -> RawImage:
    """The T1 as int16 in arbitrary units, with bias field and noise; skull-stripped unless ``protocol.skull``."""
    plan, anatomy, lesion, protocol = visit.plan, visit.person.anatomy, visit.person.lesion, visit.protocol
    rng = plan.rng("t1w")
    signal = t1_signal(plan.scanner, anatomy, rng)
    if lesion and lesion.mri_visible:
        signal = blur_boundary(signal, lesion.weight, anatomy.lattice)
    fwhm_mm = min(plan.scanner.t1_fwhm_mm)
    if protocol.skull:
        head = with_head(signal, visit.inside, anatomy.lattice, plan.rng("head"))
        blurred = gaussian_filter(head.signal, fwhm_mm / FWHM / head.lattice.spacing_mm)
        clean = sample(blurred, head.lattice, protocol.t1w_pose, visit.t1w_grid)
    else:
        clean = _stripped(visit, signal, protocol.t1w_pose, visit.t1w_grid, fwhm_mm)
    data = protocol.t1w_scale * _spoiled(clean, rng, visit.t1w_grid, protocol)
    return stored(_whole_numbers(data), visit.t1w_grid, protocol.orientation)


def scan_flair(visit: Visit) -> RawImage:
    """A skull-stripped FLAIR as int16: the T1's tissues in another contrast; a lesion that MRI shows is bright."""
    anatomy, lesion, protocol = visit.person.anatomy, visit.person.lesion, visit.protocol
    rng = visit.plan.rng("flair")
    signal = flair_signal(anatomy, lesion, wm=FLAIR_WM, csf=FLAIR_CSF)
    grid = _box(protocol.flair_pose @ visit.outermost_mm, protocol.flair_spacing_mm, FLAIR_MARGIN_MM, rng)
    clean = _stripped(visit, signal, protocol.flair_pose, grid, FWHM_MM)
    return stored(_whole_numbers(FLAIR_SCALE * _spoiled(clean, rng, grid, protocol)), grid, "LAS")


def scan_lesion(visit: Visit) -> RawImage:
    """The lesion as somebody draws it on the T1: 1 in it, uint8 on the T1's voxels.

    Raises:
        ValueError: a person without a lesion.
    """
    person, protocol = visit.person, visit.protocol
    if person.lesion is None:
        raise ValueError(f"{visit.plan.participant_id} has no lesion; expected a patient")
    weight = sample(person.lesion.weight, person.anatomy.lattice, protocol.t1w_pose, visit.t1w_grid)
    return stored(lesion_mask(weight).astype(np.uint8), visit.t1w_grid, protocol.orientation)


def scan_pet(visit: Visit, *, noise: bool = True) -> RawImage:
    """The PET in Bq/mL, (I, J, K, F) float32; its duration-weighted mean has the noise of the cohort's PETs.

    Args:
        visit: who is scanned, and how.
        noise: False: the image of an infinite dose.
    """
    scanner, rng, protocol = visit.plan.scanner, visit.plan.rng("pet"), visit.protocol
    lattice, uptake = _whole_head(visit)
    blurred = gaussian_filter(uptake, scanner.pet_fwhm_mm / FWHM / lattice.spacing_mm)
    grid = _pet_grid(visit, rng)
    mean = np.maximum(sample(blurred, lattice, protocol.pet_pose, grid, order=3), 0)
    data = np.multiply.outer(mean, uptake_of_frames(protocol.frames)).astype(np.float32)
    if noise:
        for f, share in enumerate(protocol.frames.weights):
            amplitude = scanner.pet_noise * np.sqrt(data[..., f] / share)
            data[..., f] += amplitude * _noise(rng, grid, scanner.pet_noise_fwhm_mm)
    return stored(protocol.bq_per_ml * np.maximum(data, 0), grid, protocol.pet_orientation)


def _whole_head(visit: Visit) -> tuple[Lattice, NDArray[np.float32]]:
    """Uptake (I, J, K) of brain, scalp and neck, template's whole-brain mean about 1, on a lattice wider than the T1's.

    Scalp and neck keep clear of the brain: they are there to be in the registration's way, not to be measured.
    """
    person, fine = visit.person, visit.person.anatomy.lattice
    brain_uptake = block_mean(person.tracer())
    spacing_mm = 2 * fine.spacing_mm
    n = round(AROUND_MM / spacing_mm)
    origin_mm = tuple(o + fine.spacing_mm / 2 - n * spacing_mm for o in fine.origin_mm)
    lattice = Lattice(tuple(s + 2 * n for s in brain_uptake.shape), origin_mm, spacing_mm)  # type: ignore[arg-type]
    brain = np.pad(block_mean((person.anatomy.depth > 0).astype(np.float32)) > 0.5, n)
    distance_mm = distance_transform_edt(~brain, sampling=spacing_mm)
    scalp = SCALP * np.exp(-(((distance_mm - SCALP_MM) / SCALP_WIDTH_MM) ** 2))
    x, y, z = lattice.points_mm()
    neck = NECK * (np.hypot(x / 55, (y + 30) / 60) < 1) * np.clip((-62 - z) / 10, 0, 1) * (distance_mm > SCALP_MM)
    around = np.maximum(scalp, neck) * (distance_mm > SCALP_MM / 2)
    return lattice, (np.pad(brain_uptake, n) + around).astype(np.float32)


def uptake_of_frames(frames: Frames) -> NDArray[np.float64]:
    """Factor of each frame (F,): the uptake rises with time, and the duration-weighted mean is 1."""
    middle = np.array(frames.start_s) + np.array(frames.duration_s) / 2
    factor = 1 + RISE * (middle - middle[0]) / sum(frames.duration_s)
    return factor / (factor @ frames.weights)


def _pet_grid(visit: Visit, rng: np.random.Generator) -> Grid:
    """The box around head and neck, or one that ends within the brain."""
    protocol = visit.protocol
    points = protocol.pet_pose @ visit.outermost_mm
    grid = _box(points, protocol.pet_spacing_mm, PET_MARGIN_MM, rng)
    if not protocol.cut:
        return grid
    some = visit.person.anatomy.lattice.points_mm()[:, visit.inside][:, ::37]
    heights = protocol.pet_pose[2, :3] @ some + protocol.pet_pose[2, 3]
    low, high = np.percentile(heights, (0.2, 99.8))  # without the tip of the brainstem
    missed = CUT_SHARE * (high - low)
    end = low + missed if protocol.cut == "bottom" else high - missed
    slices = int((end - grid.matrix[2, 3]) / grid.spacing_mm[2])
    first, last = (slices, grid.shape[2]) if protocol.cut == "bottom" else (0, slices)
    affine = grid.matrix
    affine[:3, 3] += first * affine[:3, 2]
    return Grid.of((*grid.shape[:2], last - first), affine)


def _box(
    points: NDArray[np.float64], spacing_mm: Sequence[float], margins_mm: tuple[float, float],
    rng: np.random.Generator, axes: NDArray[np.float64] | None = None,
) -> Grid:  # fmt: skip
    """A box of voxels along ``axes`` (3, 3) around points (4, n), each side's margin between the two lengths."""
    axes = np.eye(3) if axes is None else axes
    along = axes.T @ points[:3]
    margins = rng.uniform(*margins_mm, (2, 3))
    low, high = along.min(axis=1) - margins[0], along.max(axis=1) + margins[1]
    affine = np.eye(4)
    affine[:3, :3] = axes * np.asarray(spacing_mm)
    affine[:3, 3] = axes @ low
    return Grid.of(tuple(np.ceil((high - low) / spacing_mm).astype(int)), affine)


def _stripped(
    visit: Visit, signal: NDArray[np.float32], pose: NDArray[np.float64], grid: Grid, fwhm_mm: float
) -> NDArray[np.float32]:
    """Blur, move into the scanner, strip the skull: (I, J, K) on ``grid``, zero outside the brain."""
    lattice = visit.person.anatomy.lattice
    blurred = gaussian_filter(signal, fwhm_mm / FWHM / lattice.spacing_mm)
    inside = sample(visit.inside.astype(np.float32), lattice, pose, grid) > 0.5
    return np.where(inside, sample(blurred, lattice, pose, grid), 0)


def _spoiled(
    clean: NDArray[np.float32], rng: np.random.Generator, grid: Grid, protocol: Protocol
) -> NDArray[np.float32]:
    """With bias field and Rician noise; a stripped image stays 0 where ``clean`` (I, J, K) is."""
    coarse = Lattice((32, 32, 32), (0.0, 0.0, 0.0), 10.0)
    bias = np.exp(protocol.t1w_bias * coarse.random_field(rng, BIAS_FWHM_MM))
    step = np.asarray(grid.spacing_mm) / coarse.spacing_mm
    field = affine_transform(bias, np.diag(step), output_shape=grid.shape, order=1, mode="nearest")
    noise = protocol.t1w_noise * rng.standard_normal((2, *grid.shape), dtype=np.float32)
    noisy = np.hypot(clean * field + noise[0], noise[1])
    return noisy if protocol.skull else np.where(clean > 0, noisy, 0)


def _noise(rng: np.random.Generator, grid: Grid, fwhm_mm: float) -> NDArray[np.float32]:
    """Filtered white noise (I, J, K) of standard deviation 1 on voxels of any shape."""
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    field = gaussian_filter(white, fwhm_mm / FWHM / np.asarray(grid.spacing_mm), mode="wrap")
    return field / field.std()


def _whole_numbers(data: NDArray[np.float32]) -> NDArray[np.int16]:
    """As int16, of the same shape; what does not fit is cut."""
    return np.rint(np.clip(data, 0, np.iinfo(np.int16).max)).astype(np.int16)


def sample(
    volume: NDArray, lattice: Lattice, pose: NDArray[np.float64], grid: Grid, *, order: int = 1
) -> NDArray[np.float32]:
    """A volume (I, J, K) of a person's lattice on a scanner's voxels once the person lies in ``pose`` (4, 4)."""
    index = np.linalg.inv(pose @ lattice.affine) @ grid.matrix
    return affine_transform(volume, index[:3, :3], index[:3, 3], output_shape=grid.shape, order=order, mode="constant")


def stored(data: NDArray, grid: Grid, orientation: str) -> RawImage:
    """Data (I, J, K[, F]) on a grid near RAS+, stored in another order and direction of the axes (as ``"LPS"``)."""
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(orientation)
    )
    affine = grid.matrix @ nib.orientations.inv_ornt_aff(turn, grid.shape)
    return RawImage(np.ascontiguousarray(nib.orientations.apply_orientation(data, turn)), affine)
