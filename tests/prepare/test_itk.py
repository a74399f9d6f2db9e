"""Arrays and ITK images; bias field; antialiasing."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.prepare.spaces.itk import antialias, correct_bias, from_itk, resample, to_itk
from synthpet.template.icbm import template_grid, template_images


def oblique() -> Grid:
    turn = np.deg2rad(20)
    affine = np.eye(4)
    affine[:3, :3] = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]] @ np.diag([1, 2, 3])
    affine[:3, 3] = [-5, 7, 11]
    return Grid.of((5, 6, 7), affine)


def test_a_voxel_lies_at_the_same_point_in_itk():
    grid = oblique()
    image = to_itk(np.zeros(grid.shape), grid)
    ras = grid.matrix @ [4, 2, 3, 1]
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((4, 2, 3)), ras[:3] * [-1, -1, 1], atol=1e-5)


def test_arrays_survive_the_way_to_itk_and_back():
    data = np.random.default_rng(0).random((5, 6, 7), dtype=np.float32)
    np.testing.assert_array_equal(from_itk(to_itk(data, oblique())), data)


def test_resampling_agrees_with_scipy_on_another_grid():
    rng = np.random.default_rng(1)
    source = oblique()
    grid = Grid.of((3, 3, 3), np.array([[0.4, 0, 0, -5.2], [0, 0.4, 0, 12.0], [0, 0, 0.4, 19.6], [0, 0, 0, 1]]))
    data = rng.random(source.shape, dtype=np.float32)
    to_voxels = np.linalg.inv(source.matrix) @ grid.matrix
    expected = ndimage.affine_transform(data, to_voxels[:3, :3], to_voxels[:3, 3], output_shape=grid.shape, order=1)
    found = resample(data, source, grid, sitk.Transform(3, sitk.sitkIdentity))
    assert (expected > 0).all()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_antialiasing_adds_up_to_the_target_voxel_and_leaves_coarse_axes_alone():
    grid = Grid.of((41, 41, 41), np.diag([1.0, 1.5, 4.0, 1.0]))
    point = np.zeros(grid.shape, np.float32)
    point[20, 20, 20] = 1
    blurred = antialias(point, grid, 3.0)
    for axis, spacing_mm in enumerate((1.0, 1.5, 4.0)):
        along = blurred.sum(tuple(a for a in range(3) if a != axis))
        x = (np.arange(41) - 20) * spacing_mm
        fwhm_mm = np.sqrt((along * x**2).sum() * 8 * np.log(2))
        assert abs(fwhm_mm**2 - max(9 - spacing_mm**2, 0)) < 0.3


def test_bias_correction_recovers_a_smooth_field():
    grid = template_grid(5.0)
    template = template_images(grid)
    x, y, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape), indexing="ij")
    field = np.exp(0.3 * x - 0.2 * y**2)
    t1w = np.where(template.brain_mask, 500 * template.t1w, 0)
    corrected = correct_bias((t1w * field).astype(np.float32), template.brain_mask, grid)
    white = template.wm > 0.8

    def unevenness(image):
        gain = image[white] / t1w[white]
        return gain.std() / gain.mean()

    assert unevenness(corrected) < 0.6 * unevenness(t1w * field)


def test_bias_correction_does_not_depend_on_the_number_of_threads():
    grid = template_grid(6.0)
    template = template_images(grid)
    default = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    for n_threads in (1, 3):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(n_threads)
        results.append(correct_bias(template.t1w, template.brain_mask, grid))
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == n_threads
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(default)
    np.testing.assert_array_equal(*results)
