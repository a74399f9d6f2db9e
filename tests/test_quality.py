"""Image-quality metrics against known answers, scikit-image and their properties."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from synthpet.quality.metrics import (
    Moments,
    bootstrap_gap_closed,
    deviation_correlation,
    gap_closed,
    mae,
    patch_borders,
    psnr,
    regional_means,
    rmse,
    seam_ratio,
    ssim,
    ssim_map,
    variance_ratio,
)

SHAPE = (24, 28, 22)


@pytest.fixture
def images():
    """A smooth target, a noisy prediction, and an ellipsoidal mask well inside the box."""
    rng = np.random.default_rng(0)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    mask = sum(axis**2 for axis in axes) < 0.5
    target = (1 + 0.5 * np.sin(5 * axes[0]) * np.cos(4 * axes[1])).astype(np.float32) * mask
    pred = target + rng.normal(0, 0.1, SHAPE).astype(np.float32)
    return pred, target, mask


def test_ssim_of_the_box_is_that_of_scikit_image(images):
    pred, target, _ = images
    settings = {"data_range": 1.6, "gaussian_weights": True, "use_sample_covariance": False}
    reference = structural_similarity(target.astype(float), pred.astype(float), **settings)
    assert ssim(pred, target, mask=None, data_range=1.6) == pytest.approx(reference, abs=1e-3)


def test_ssim_in_a_mask_that_reaches_nowhere_near_the_box_is_scikit_images_further_inside(images):
    """Two windows' radii within the mask nothing outside is seen, so that both agree; at the edge zeros flatter."""
    pred, target, mask = images
    everywhere = np.ones(mask.shape, bool)
    own = ssim_map(pred, target, data_range=1.6, mask=everywhere)
    settings = {"data_range": 1.6, "gaussian_weights": True, "use_sample_covariance": False, "full": True}
    reference = structural_similarity(target.astype(float), pred.astype(float), **settings)[1]
    inner = (slice(5, -5),) * 3
    assert own[inner] == pytest.approx(reference[inner], abs=1e-6)
    zero_filled = structural_similarity((target * mask).astype(float), (pred * mask).astype(float), **settings)[1]
    assert ssim(pred, target, mask=mask, data_range=1.6) < zero_filled[mask].mean() - 0.005


def test_ssim_at_the_edge_of_the_mask_is_that_of_the_voxels_within():
    """By hand, at one voxel: weighted moments of the window's voxels that are in the mask."""
    rng = np.random.default_rng(5)
    pred, target = rng.random((2, 11, 11, 11))
    mask = np.zeros((11, 11, 11), bool)
    mask[5:] = True
    axes = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.einsum("i,j,k->ijk", axes, axes, axes) * mask
    weight /= weight.sum()
    x, y = (weight * pred).sum(), (weight * target).sum()
    xx, yy, xy = ((weight * a * b).sum() for a, b in ((pred, pred), (target, target), (pred, target)))
    c1, c2 = 0.01**2, 0.03**2
    by_hand = (2 * x * y + c1) * (2 * (xy - x * y) + c2) / ((x * x + y * y + c1) * (xx - x * x + yy - y * y + c2))
    assert ssim_map(pred, target, data_range=1.0, mask=mask)[5, 5, 5] == pytest.approx(by_hand)


def test_ssim_of_equal_images_is_one_and_falls_with_noise(images):
    pred, target, mask = images
    worse = pred + (pred - target)
    assert ssim(target, target, mask=mask, data_range=1.6) == pytest.approx(1, abs=1e-6)
    noisy, noisier = (ssim(image, target, mask=mask, data_range=1.6) for image in (pred, worse))
    assert noisier < noisy < 0.99


def test_metrics_in_the_mask_do_not_see_the_voxels_outside(images):
    pred, target, mask = images
    spoilt = np.where(mask, pred, 99).astype(np.float32)
    for metric in (mae, rmse):
        assert metric(spoilt, target, mask=mask) == metric(pred, target, mask=mask)
    for metric in (psnr, ssim):
        clean = metric(pred, target, mask=mask, data_range=2)
        assert metric(spoilt, target, mask=mask, data_range=2) == clean


def test_mae_rmse_and_psnr_have_their_textbook_values():
    target = np.zeros((2, 2, 2))
    pred = np.array([3.0, 0, 0, 0, 0, 0, 0, -1]).reshape(2, 2, 2)
    assert mae(pred, target, mask=None) == pytest.approx(0.5)
    assert rmse(pred, target, mask=None) == pytest.approx(np.sqrt(10 / 8))
    first = np.zeros((2, 2, 2), bool)
    first[0, 0, 0] = True
    assert psnr(pred, target, mask=first, data_range=30) == pytest.approx(20)  # RMSE 3 of 30: 20 dB
    assert psnr(target, target, mask=None, data_range=1) == np.inf


def test_psnr_agrees_with_scikit_image(images):
    pred, target, _ = images
    reference = peak_signal_noise_ratio(target.astype(float), pred.astype(float), data_range=1.7)
    assert psnr(pred, target, mask=None, data_range=1.7) == pytest.approx(reference, abs=1e-3)


def test_a_published_rmse_of_0_065_at_unit_range_is_23_7_db():
    target, pred = np.zeros((3, 3, 3)), np.full((3, 3, 3), 0.065)
    assert psnr(pred, target, mask=None, data_range=1.0) == pytest.approx(23.74, abs=0.01)


def test_a_box_smaller_than_the_window_is_refused_by_its_shape():
    small = np.zeros((8, 30, 30), np.float32)
    with pytest.raises(ValueError, match=r"11 voxels on every axis, found shape \(8, 30, 30\)"):
        ssim(small, small, mask=None, data_range=1)


def test_deviation_correlation_ignores_a_shared_pattern_and_a_constant_bias():
    rng = np.random.default_rng(1)
    common, own, noise = rng.normal(size=(3, 16, 16, 16)).astype(np.float32)
    everywhere = np.ones(common.shape, bool)

    def correlation(pred):
        return deviation_correlation(pred, common + own, mean_pred=common + 0.3, mean_target=common, mask=everywhere)

    assert correlation(common + 0.5 * own + 7) == pytest.approx(1, abs=1e-5)
    assert abs(correlation(common + noise)) < 0.06
    assert np.isnan(correlation(common + np.float32(0.3)))


def test_gap_closed_is_zero_at_the_baseline_one_at_the_ceiling_negative_below():
    baseline, ceiling = np.array([0.2, 0.3]), np.array([0.1, 0.1])
    assert gap_closed(baseline, baseline, ceiling) == 0
    assert gap_closed(baseline, ceiling, ceiling) == 1
    assert gap_closed(baseline, (baseline + ceiling) / 2, ceiling) == pytest.approx(0.5)
    assert gap_closed(baseline, baseline + 0.1, ceiling) < 0


def test_the_bootstrap_interval_holds_the_estimate_repeats_and_narrows_with_subjects():
    rng = np.random.default_rng(0)

    def interval(n):
        baseline = rng.normal(0.20, 0.01, n)
        errors = baseline, baseline - 0.05 + rng.normal(0, 0.01, n), baseline - 0.1
        assert bootstrap_gap_closed(*errors, seed=3) == bootstrap_gap_closed(*errors, seed=3)
        low, high = bootstrap_gap_closed(*errors, seed=3)
        assert low < gap_closed(*errors) < high
        return high - low

    assert interval(100) < 0.6 * interval(10)


def test_regional_means_are_those_of_the_labelled_voxels_and_nan_without_any():
    volume = np.arange(8.0).reshape(2, 2, 2)
    labels = np.array([1, 1, 0, 0, 3, 0, 0, 3]).reshape(2, 2, 2)
    np.testing.assert_allclose(regional_means(volume, labels, 3), [0.5, np.nan, 5.5])


def test_running_moments_are_numpys():
    volumes = np.random.default_rng(0).normal(1, 0.1, (7, 3, 4, 5)).astype(np.float32)
    moments = Moments()
    for volume in volumes:
        moments.add(volume)
    np.testing.assert_allclose(moments.mean, volumes.mean(0), rtol=1e-5)
    np.testing.assert_allclose(moments.variance, volumes.var(0, ddof=1), rtol=1e-3)


def test_the_variance_ratio_of_half_the_deviations_is_a_quarter():
    volumes = np.random.default_rng(0).normal(1, 0.1, (9, 4, 4, 4)).astype(np.float32)
    real, shrunk = Moments(), Moments()
    for volume in volumes:
        real.add(volume)
        shrunk.add(1 + 0.5 * (volume - 1))
    everywhere = np.ones((4, 4, 4), bool)
    assert variance_ratio(shrunk, real, mask=everywhere) == pytest.approx(0.25, rel=1e-3)
    assert variance_ratio(real, real, mask=everywhere) == 1


def test_borders_are_where_patches_begin_and_end_inside_the_volume():
    assert patch_borders((10, 8, 8), (4, 8, 4), (4, 8, 2)) == [[4, 6, 8], [], [2, 4, 6]]


def test_a_volume_smaller_than_the_patch_has_no_border_inside():
    assert patch_borders((10, 20, 10), (16, 16, 3), (8, 8, 1)) == [[], [4, 16], list(range(1, 10))]


def test_an_axis_where_every_step_is_a_border_leaves_the_seam_ratio_alone():
    volume = np.random.default_rng(0).normal(size=(12, 8, 8)) + 5 * np.arange(8.0)
    mask = np.ones(volume.shape, bool)
    sliced = [[4, 8], [], list(range(1, 8))]
    assert seam_ratio(volume, mask, sliced) == seam_ratio(volume, mask, [[4, 8], [], []])


def test_the_seam_ratio_sees_a_step_at_the_borders_and_nothing_in_a_ramp():
    ramp = np.add.outer(np.add.outer(np.arange(12.0), np.arange(8.0)), np.arange(8.0))
    mask = np.ones(ramp.shape, bool)
    borders = [[4, 8], [4], [4]]
    assert seam_ratio(ramp, mask, borders) == pytest.approx(1)
    stepped = ramp.copy()
    stepped[4:] += 1
    stepped[8:] += 1
    assert seam_ratio(stepped, mask, [[4, 8], [], []]) == pytest.approx(2)
    outside = mask.copy()
    outside[3:9] = False
    assert np.isnan(seam_ratio(stepped, outside, [[4, 8], [], []]))
