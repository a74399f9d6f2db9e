"""PET to T1: a simulated head, raw, where the truth is known."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from synthpet.cohort.images import Grid
from synthpet.prepare.brain import crop_to_brain
from synthpet.prepare.spaces.rigid import describe_rigid, register_rigid
from synthpet.template.icbm import template_grid, template_images

LPS = np.array([-1.0, -1.0, 1.0])
SOURCE = template_grid(3.0)


def centred(shape, spacing_mm) -> Grid:
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) / 2) + [0, -18, 0]
    return Grid.of(shape, affine)


def raw_image(image, pose, grid):
    """Of an image on ``SOURCE`` after a rigid motion of the head, template mm to raw mm."""
    voxels = np.linalg.inv(SOURCE.matrix) @ np.linalg.inv(pose) @ grid.matrix
    found = ndimage.affine_transform(image, voxels[:3, :3], voxels[:3, 3], output_shape=grid.shape, order=1)
    return found.astype(np.float32)


def pose(angles_deg, shift_mm):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    matrix[:3, 3] = shift_mm
    return matrix


@pytest.fixture(scope="module")
def head():
    """T1 without skull; FDG uptake with scalp; both on ``SOURCE``."""
    template = template_images(SOURCE)
    csf = np.clip(template.brain_mask - template.gm - template.wm, 0, 1)
    away_mm = ndimage.distance_transform_edt(~template.brain_mask, sampling=SOURCE.spacing_mm)
    scalp = 0.3 * ((away_mm > 6) & (away_mm <= 12))
    uptake = ndimage.gaussian_filter(1.24 * template.gm + 0.55 * template.wm + 0.36 * csf + scalp, 0.8)
    return np.where(template.brain_mask, template.t1w, 0).astype(np.float32), uptake.astype(np.float32)


def draw(head, t1w_pose, pet_pose, cut=slice(None)):
    """A T1 cut to its brain, a noisy PET whose slices are cut, with neck; and the truth."""
    t1w, uptake = head
    t1w_grid, pet_grid = centred((110, 120, 100), (2.0, 2.0, 2.2)), centred((100, 100, 60), (2.6, 2.6, 3.3))
    raw = raw_image(t1w, t1w_pose, t1w_grid)
    pet = raw_image(uptake, pet_pose, pet_grid)
    neck = np.zeros(pet.shape, bool)
    neck[35:65, 30:60, :8] = True
    rng = np.random.default_rng(5)
    noise = ndimage.gaussian_filter(rng.standard_normal(pet.shape), 0.8)
    pet = 9000 * np.maximum(np.where(neck, np.maximum(pet, 0.4), pet) + 0.1 * noise, 0).astype(np.float32)
    affine = pet_grid.matrix
    affine[2, 3] += 3.3 * (cut.start or 0)
    pet = pet[:, :, cut]
    return crop_to_brain(raw, raw > 0, t1w_grid), pet, Grid.of(pet.shape, affine), pet_pose @ np.linalg.inv(t1w_pose)


def errors(found, truth, mask, grid):
    """Largest distance in mm over the brain, and angle in degrees."""
    points = np.argwhere(mask)[::499] @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    mapped = np.array([found.TransformPoint(p) for p in points * LPS]) * LPS
    turn = np.diag(LPS) @ np.reshape(found.GetMatrix(), (3, 3)) @ np.diag(LPS) @ truth[:3, :3].T
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return np.linalg.norm(mapped - (points @ truth[:3, :3].T + truth[:3, 3]), axis=1).max(), angle


HARD = pose([20, -15, 10], [12, -8, 10]), pose([-18, 8, -14], [-35, 20, 30])
CASES = {
    "straight": (pose([0, 0, 0], [0, 0, 0]), pose([3, 0, -4], [5, 10, 0]), slice(None)),
    "tilted and far": (*HARD, slice(None)),
    "vertex cut": (pose([0, 5, 0], [0, 0, 0]), pose([12, 0, 10], [0, 15, 20]), slice(0, 46)),
    "cerebellum cut": (pose([-10, 0, 8], [5, 0, 0]), pose([0, -9, 0], [20, 0, -15]), slice(24, 60)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_pet_is_found_within_a_millimetre_and_a_degree(case, head):
    (t1w, mask, grid), pet, pet_grid, truth = draw(head, *CASES[case])
    found = register_rigid(t1w, mask, grid, pet, pet_grid, seed=0)
    distance_mm, angle_deg = errors(found, truth, mask, grid)
    assert distance_mm < 1.0
    assert angle_deg < 1.0


def test_it_repeats_exactly(head):
    (t1w, mask, grid), pet, pet_grid, _ = draw(head, *HARD)
    first, second = (register_rigid(t1w, mask, grid, pet, pet_grid, seed=3).GetParameters() for _ in range(2))
    assert first == second


def test_the_engine_is_named():
    assert describe_rigid().startswith("SimpleITK 2.")
