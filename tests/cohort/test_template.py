"""The template's grid and images."""

import numpy as np
import pytest

from synthpet.template.icbm import MARGIN_MM, native_template, template_grid, template_images


@pytest.mark.parametrize("resolution_mm", [2.0, 3.0, 5.0])
def test_the_grid_is_ras_isotropic_and_mirrors_at_x_zero(resolution_mm):
    grid = template_grid(resolution_mm)
    first = grid.matrix[:3, 3]
    last = first + resolution_mm * (np.array(grid.shape) - 1)
    np.testing.assert_allclose(grid.matrix[:3, :3], np.eye(3) * resolution_mm)
    assert first[0] == -last[0]
    np.testing.assert_allclose(first % resolution_mm, 0)


def test_the_brain_lies_inside_the_grid_with_the_margin():
    mask = template_images(template_grid(3.0)).brain_mask
    voxels = np.argwhere(mask)
    assert (voxels.min(0) * 3.0 >= MARGIN_MM - 3).all()
    assert ((np.array(mask.shape) - 1 - voxels.max(0)) * 3.0 >= MARGIN_MM - 3).all()
    assert mask.sum() * 27 / 1000 == pytest.approx(1886, rel=0.02)  # mL, as the mask at 1 mm


def test_the_images_are_left_right_symmetric():
    for image in template_images(template_grid(3.0)):
        np.testing.assert_allclose(image[::-1].astype(float), image.astype(float), atol=1e-5)


def test_resampling_keeps_the_amount_of_grey_matter():
    (_, gm, _), _ = native_template()
    coarse = template_images(template_grid(3.0)).gm
    assert coarse.sum() * 27 == pytest.approx(gm.sum(), rel=0.01)


def test_at_the_native_resolution_nothing_is_smoothed():
    (t1w, _, _), native = native_template()
    np.testing.assert_allclose(template_images(native).t1w, t1w, atol=1e-6)
