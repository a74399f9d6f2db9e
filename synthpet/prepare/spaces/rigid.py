"""Another image of the same head to its T1: rigid, by mutual information, from a start that is searched for.

One engine (SimpleITK), whether or not ANTs is installed.
Source: Mattes et al., IEEE TMI 22 (2003) 120 (the metric). Not in the paper: the search, the levels.
"""

from importlib.metadata import version
from itertools import product

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's customary name
from numpy.typing import NDArray
from scipy import ndimage, optimize

from synthpet.cohort.images import Grid
from synthpet.prepare.spaces.itk import (
    IDENTITY,
    RAS_TO_LPS,
    antialias,
    antialias_fwhm_mm,
    coarser_grid,
    one_thread,
    resample,
    to_itk,
)
from synthpet.template.smoothing import smooth_within

RIM_MM = 10.0  # of the T1's surroundings that count: there the T1 is 0 and the uptake falls off
SEARCH_MM = 8.0
TILTS_DEG = (-25.0, 0.0, 25.0)  # about each axis
SHIFTS_MM = (-30.0, 0.0, 30.0)  # along each axis, from where the centres of gravity meet
N_STARTS = 6  # the best of the search are refined
LEVELS_MM = (4.0, 2.0)
BINS = 24
SAMPLING = {4.0: 0.8, 2.0: 0.2}  # share of the voxels that the metric looks at


Pose = tuple[float, ...]  # 3 angles in rad, 3 shifts in mm


def register_rigid(
    t1w: NDArray[np.float32], mask: NDArray[np.bool_], grid: Grid,
    moving: NDArray[np.float32], moving_grid: Grid, *, seed: int,
) -> sitk.Euler3DTransform:  # fmt: skip
    """Find where each point of a T1 lies in another image of the same head.

    Args:
        t1w: (I, J, K) on ``grid``, zero outside the brain.
        mask: (I, J, K) brain.
        grid: of the T1.
        moving: (I, J, K) on ``moving_grid``; with or without skull, neck, a cut field of view.
        moving_grid: of the other image.
        seed: of the metric's random sampling.

    Returns:
        The transform from points of the T1 to points of the other image, LPS+ millimetres.
    """
    search = _Search(t1w, mask, grid, moving, moving_grid)
    poses: list[Pose] = [
        (*np.deg2rad(tilt).tolist(), *step)
        for tilt, step in product(product(TILTS_DEG, repeat=3), product(SHIFTS_MM, repeat=3))
    ]
    best = sorted(poses, key=search.score, reverse=True)[:N_STARTS]
    refined = [search.refine(pose) for pose in best]
    found = search.transform(max(refined, key=search.score))
    for spacing_mm in LEVELS_MM:
        found = _optimise(t1w, mask, grid, moving, moving_grid, found, spacing_mm, seed)
    return found


def describe_rigid() -> str:
    """What ``register_rigid`` does, for the sidecars."""
    levels = ", ".join(f"{level:g}" for level in LEVELS_MM)
    return f"SimpleITK {version('SimpleITK')}, rigid, Mattes mutual information, at {levels} mm"


class _Search:
    """Mutual information of T1 and moving image on a coarse lattice, for poses (3 angles in rad, 3 shifts in mm)."""

    def __init__(self, t1w: NDArray, mask: NDArray, grid: Grid, moving: NDArray, moving_grid: Grid) -> None:
        """Of the arguments of ``register_rigid``: T1, brain and moving image, (I, J, K) each on its grid."""
        fixed, _, lattice = _fixed(t1w, mask, grid, SEARCH_MM)
        voxels = np.argwhere(np.isfinite(fixed))
        self.points = _lps(lattice, voxels)  # (n, 3)
        self.fixed_bin = _bins(fixed[tuple(voxels.T)])
        self.moving = _smooth(moving, moving_grid, SEARCH_MM)
        ceiling = float(np.percentile(self.moving, 99.8))
        self.moving = np.clip(self.moving / max(ceiling, 1e-12), 0, 1) * (BINS - 1)
        self.to_voxels = np.linalg.inv(RAS_TO_LPS @ moving_grid.matrix)
        self.centre = _lps(grid, np.argwhere(mask)).mean(0)
        weight = self.moving * (self.moving > 0.4 * self.moving.max())
        gravity = np.array([ndimage.center_of_mass(weight)])
        self.shift = _lps(moving_grid, gravity)[0] - self.centre

    def transform(self, pose: Pose) -> sitk.Euler3DTransform:
        """The pose as ITK's transform: rotation about the brain's centre."""
        found = sitk.Euler3DTransform()
        found.SetCenter(self.centre.tolist())
        found.SetRotation(*(float(angle) for angle in pose[:3]))
        found.SetTranslation((self.shift + np.asarray(pose[3:])).tolist())
        return found

    def score(self, pose: Pose) -> float:
        """Mutual information in nats where the images overlap, times the share of the points that do."""
        transform = self.transform(pose)
        matrix = np.reshape(transform.GetMatrix(), (3, 3))
        points = (self.points - self.centre) @ matrix.T + self.centre + transform.GetTranslation()
        index = points @ self.to_voxels[:3, :3].T + self.to_voxels[:3, 3]
        inside = ((index >= 0) & (index <= np.array(self.moving.shape) - 1)).all(1)
        if inside.sum() < 100:
            return 0.0
        value = ndimage.map_coordinates(self.moving, index[inside].T, order=1)
        return _mutual_information(self.fixed_bin[inside], value) * float(inside.mean())

    def refine(self, pose: Pose) -> Pose:
        """The nearest pose of highest score, by Powell's method; 1 rad counts as 60 mm."""
        unit = np.array([1 / 60] * 3 + [1.0] * 3)
        start = np.asarray(pose) / unit
        directions = 8.0 * np.eye(6)
        found = optimize.minimize(
            lambda x: -self.score(x * unit), start, method="Powell",
            options={"direc": directions, "xtol": 0.05, "ftol": 1e-4, "maxiter": 6},
        )  # fmt: skip
        return tuple(found.x * unit)


def _mutual_information(fixed_bin: NDArray[np.int64], value: NDArray) -> float:
    """Of integer bins (n,) and of values (n,) from 0 to ``BINS - 1`` that are shared between two bins."""
    low = np.minimum(value.astype(int), BINS - 2)
    part = value - low
    place = fixed_bin * BINS + low
    joint = np.bincount(place, 1 - part, BINS * BINS) + np.bincount(place + 1, part, BINS * BINS)
    joint = joint.reshape(BINS, BINS) / joint.sum()
    both = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / both[there])).sum())


def _bins(values: NDArray) -> NDArray[np.int64]:
    """Values (n,) as numbers from 0 to ``BINS - 1``, the extremes clipped; 0 stays in the first."""
    ceiling = np.percentile(values, 99.5)
    return np.clip(values / max(ceiling, 1e-12) * (BINS - 1), 0, BINS - 1).round().astype(np.int64)


def _smooth(moving: NDArray, grid: Grid, spacing_mm: float) -> NDArray[np.float32]:
    """The moving image, (I, J, K), without detail finer than ``spacing_mm``; not darker where its view ends."""
    return smooth_within(
        moving, np.ones(moving.shape, bool), antialias_fwhm_mm(grid, spacing_mm), grid.spacing_mm, mode="constant"
    )


def _fixed(
    t1w: NDArray, mask: NDArray, grid: Grid, spacing_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Grid]:
    """What is registered of a T1, (I, J, K) on ``grid``: every ``spacing_mm``, with room round the brain.

    Returns:
        The T1, NaN beyond the rim, and what is not beyond, (I', J', K') each; their grid, along the same axes.
    """
    margin = [int(np.ceil(RIM_MM / spacing)) + 1 for spacing in grid.spacing_mm]
    matrix = grid.matrix
    matrix[:3, 3] -= matrix[:3, :3] @ margin
    padded = Grid.of(tuple(n + 2 * m for n, m in zip(grid.shape, margin, strict=True)), matrix)
    coarse = coarser_grid(padded, spacing_mm)
    data = resample(antialias(t1w, grid, spacing_mm), grid, coarse, IDENTITY)
    brain = resample(antialias(mask, grid, spacing_mm), grid, coarse, IDENTITY) >= 0.5
    near = ndimage.distance_transform_edt(~brain, sampling=coarse.spacing_mm) <= RIM_MM
    return np.where(near, data, np.nan).astype(np.float32), near, coarse


@one_thread()
def _optimise(
    t1w: NDArray, mask: NDArray, grid: Grid, moving: NDArray, moving_grid: Grid,
    start: sitk.Euler3DTransform, spacing_mm: float, seed: int,
) -> sitk.Euler3DTransform:  # fmt: skip
    """From ``start``, T1 to moving image, LPS+ mm, to the maximum of the metric on voxels of ``spacing_mm``."""
    fixed, near, fixed_grid = _fixed(t1w, mask, grid, spacing_mm)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(sitk.Cast(to_itk(near, fixed_grid), sitk.sitkUInt8))
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLING[spacing_mm], seed + 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=spacing_mm / 2, minStep=0.01, numberOfIterations=100, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(sitk.Euler3DTransform(start), inPlace=False)
    smooth = _smooth(moving, moving_grid, spacing_mm)
    found = method.Execute(to_itk(np.nan_to_num(fixed), fixed_grid), to_itk(smooth, moving_grid))
    return sitk.Euler3DTransform(found.GetNthTransform(0) if found.GetName() == "CompositeTransform" else found)


def _lps(grid: Grid, voxels: NDArray) -> NDArray[np.float64]:
    """Voxel indices (n, 3) as LPS+ millimetres."""
    matrix = RAS_TO_LPS @ grid.matrix
    return voxels @ matrix[:3, :3].T + matrix[:3, 3]
