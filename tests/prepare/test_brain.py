"""Brain masks of native images."""

import numpy as np
import pytest

from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from synthpet.prepare.brain import (
    above_zero,
    crop_to_brain,
    given_brain_mask,
    near_template_brain,
    stripped_brain_mask,
    trim_to_tissue,
)
from synthpet.template.icbm import template_grid, template_images

GRID = Grid.of((40, 40, 40), np.diag([4.0, 4.0, 4.0, 1.0]))


def ball(radius_mm):
    """Centred in ``GRID``."""
    distance = np.linalg.norm(np.indices(GRID.shape) - 20, axis=0) * 4.0
    return distance <= radius_mm


def test_the_mask_of_a_stripped_image_is_its_largest_part_without_holes():
    brain = ball(70)
    t1w = np.where(brain, 100.0, 0).astype(np.float32)
    t1w[18:22, 18:22, 18:22] = 0  # a dark ventricle
    t1w[0:2, 0:2, 0:2] = 50  # a rest of the scalp
    np.testing.assert_array_equal(stripped_brain_mask(t1w, GRID, "sub-01"), brain)


@pytest.mark.parametrize("background", [0.0, -0.5, 7.0])
def test_a_brain_with_negative_values_is_what_is_not_background(background):
    brain = ball(70)
    values = np.random.default_rng(0).normal(0, 1, GRID.shape)
    t1w = np.where(brain, values, background).astype(np.float32)
    np.testing.assert_array_equal(stripped_brain_mask(t1w, GRID, "sub-01"), brain)


def test_a_brain_below_zero_is_raised_and_said_and_any_other_is_left_alone():
    brain = ball(70)
    t1w = np.where(brain, np.random.default_rng(0).normal(0, 1, GRID.shape), 0).astype(np.float32)
    raised, notes = above_zero(t1w, brain)
    assert raised[brain].min() > 0
    assert not raised[~brain].any()
    usual = brain & (t1w > -2)
    np.testing.assert_allclose(np.diff(raised[usual]), np.diff(t1w[usual]), atol=1e-5)
    assert notes[0].startswith("T1: 50% of the brain is below 0")
    positive = np.where(brain, 100.0, 0).astype(np.float32)
    assert above_zero(positive, brain) == (positive, ())


def test_a_whole_head_is_not_stripped():
    noise = np.random.default_rng(0).uniform(1, 5, GRID.shape).astype(np.float32)
    assert stripped_brain_mask(noise, GRID, "sub-01 (a.nii)") is None


def test_an_empty_image_is_refused():
    with pytest.raises(DataError, match="E_CONSTANT sub-01: every voxel is 0"):
        stripped_brain_mask(np.zeros(GRID.shape, np.float32), GRID, "sub-01")


@pytest.mark.parametrize("radius_mm", [0, 30, 79])
def test_a_given_mask_needs_the_volume_of_a_brain(radius_mm):
    mask = ball(radius_mm) if radius_mm < 79 else np.ones(GRID.shape, bool)
    with pytest.raises(DataError, match=r"E_MASK_VOLUME sub-01: \d+ mL"):
        given_brain_mask(mask.astype(np.float32), GRID, "sub-01")


@pytest.mark.parametrize("kind", ["0 and 255", "probability", "percent", "labels", "brightness"])
def test_masks_of_other_values_mean_the_same_brain(kind):
    brain, rng = ball(70), np.random.default_rng(0)
    soft = np.clip((76 - np.linalg.norm(np.indices(GRID.shape) - 20, axis=0) * 4.0) / 12, 0, 1)  # one half at 70 mm
    values = {"0 and 255": 255 * brain, "probability": soft, "percent": np.round(100 * soft),
              "labels": brain * rng.integers(1, 99, GRID.shape),
              "brightness": brain * rng.uniform(0.2, 300, GRID.shape)}[kind]  # fmt: skip
    np.testing.assert_array_equal(given_brain_mask(values.astype(np.float32), GRID, "sub-01"), brain)


def test_a_mask_with_values_below_zero_is_refused():
    with pytest.raises(DataError, match="E_MASK sub-01: values from -1 to 0"):
        given_brain_mask(ball(70).astype(np.float32) - 1, GRID, "sub-01")


def test_a_good_mask_is_taken_as_it_is():
    np.testing.assert_array_equal(given_brain_mask(ball(70).astype(np.float32), GRID, "sub-01"), ball(70))


def test_cropping_keeps_every_voxel_where_it_was():
    mask = ball(40)
    place = np.indices(GRID.shape)[0].astype(np.float32) * 4.0  # each voxel's x in mm
    cut, cut_mask, grid = crop_to_brain(place, mask, GRID, margin=2)
    x_mm = grid.matrix[0, 3] + 4.0 * np.arange(grid.shape[0])
    np.testing.assert_allclose(cut[:, 0, 0], x_mm)
    assert cut_mask.sum() == mask.sum()
    assert grid.shape == (25, 25, 25)


def test_near_the_template_brain_means_within_six_millimetres():
    grid = template_grid(3.0)
    brain, near = template_images(grid).brain_mask, near_template_brain(grid)
    assert near[brain].all()
    middle = brain[brain.shape[0] // 2].any(0).argmax(), near[brain.shape[0] // 2].any(0).argmax()
    assert middle[0] - middle[1] == 2  # two voxels of 3 mm further down


def test_a_mask_is_trimmed_to_tissue_and_keeps_sulci_and_ventricles():
    grid = Grid.of((30, 30, 30), np.diag([2.0, 2.0, 2.0, 1.0]))
    distance = np.linalg.norm(np.indices(grid.shape) - 14.5, axis=0) * 2
    tissue = ((distance < 20) & (distance > 6)).astype(np.float32)  # a shell round a ventricle
    tissue[13:17, 13:17, 20:] = 0  # a sulcus 8 mm wide
    trimmed = trim_to_tissue(distance < 27, tissue, grid)  # 7 mm of fluid around
    assert trimmed[14, 14, 14]
    assert trimmed[14, 14, 21]
    assert not trimmed[distance > 22].any()
    assert trimmed[distance < 17].all()


def test_trimming_never_adds_to_a_mask():
    grid = Grid.of((12, 12, 12), np.diag([2.0, 2.0, 2.0, 1.0]))
    mask = np.random.default_rng(0).random(grid.shape) > 0.4
    assert not (trim_to_tissue(mask, np.ones(grid.shape, np.float32), grid) & ~mask).any()
