"""What is normal at a voxel: against numpy on stacked arrays, brute-force pooling and the normal distribution."""

import numpy as np
import pytest
from scipy import ndimage, stats

from synthpet.errors import DataError, UsageError
from uad.detectors.control_statistics import MIN_RELATIVE_SPREAD, ControlStatistics, to_z, towards, weight_by_direction

SHAPE = (6, 5, 4)
SPACING = (2.0, 3.0, 4.0)


def controls(n=7, seed=0, shape=SHAPE, share=0.8):
    """Raw maps with a mean and a spread of their own at each voxel, and masks that differ."""
    rng = np.random.default_rng(seed)
    maps = 3 + rng.normal(size=shape) + rng.normal(size=(n, *shape)) * rng.uniform(0.5, 2, shape)
    return maps.astype(np.float32), rng.random((n, *shape)) < share


def stacked(maps, masks):
    """Mean, sample variance and count by numpy."""
    inside = np.where(masks, maps.astype(float), np.nan)
    return np.nanmean(inside, axis=0), np.nanvar(inside, axis=0, ddof=1), masks.sum(axis=0)


def test_statistics_are_those_of_numpy_on_the_stacked_maps():
    maps, masks = controls()
    found = ControlStatistics.of(zip(maps, masks, strict=True), SPACING)
    mean, variance, n = stacked(maps, masks)
    judged = n >= 4  # half of 7
    assert not judged.all() and judged.any()
    np.testing.assert_array_equal(found.n, n)
    np.testing.assert_array_equal(found.judged, judged)
    np.testing.assert_allclose(found.mean, np.where(judged, mean, 0), rtol=1e-5)
    floor = MIN_RELATIVE_SPREAD * np.median(np.sqrt(variance)[judged])
    assert (np.sqrt(variance[judged]) > floor).mean() > 0.95
    np.testing.assert_allclose(found.spread, np.where(judged, np.maximum(np.sqrt(variance), floor), 1), rtol=1e-5)
    assert found.mean.dtype == found.spread.dtype == np.float32


def gaussian_weights(fwhm_mm):
    """(v, v) weights between all voxels of the volume, cut where scipy cuts its kernel."""
    index = np.indices(SHAPE).reshape(3, -1).T
    steps = index[:, None] - index[None]
    sigma = fwhm_mm / np.sqrt(8 * np.log(2)) / np.array(SPACING)
    near = (np.abs(steps) <= (4 * sigma + 0.5).astype(int)).all(axis=-1)
    return np.where(near, np.exp(-0.5 * ((steps / sigma) ** 2).sum(axis=-1)), 0)


@pytest.mark.parametrize("mean_fwhm_mm", [0.0, 6.0])
def test_pooling_is_the_weighted_mean_over_neighbours_within_the_masks(mean_fwhm_mm):
    maps, masks = controls()
    found = ControlStatistics.of(zip(maps, masks, strict=True), SPACING, mean_fwhm_mm=mean_fwhm_mm, spread_fwhm_mm=9.0)
    flat, inside = maps.reshape(7, -1).astype(float), masks.reshape(7, -1)
    n = inside.sum(axis=0)
    mean = (flat * inside).sum(axis=0) / np.maximum(n, 1)
    if mean_fwhm_mm:
        weights = gaussian_weights(mean_fwhm_mm) * n
        mean = weights @ ((flat * inside).sum(axis=0) / np.maximum(n, 1)) / weights.sum(axis=1)
    freedom = np.maximum(n - 1, 0)
    variance = (((flat - mean) ** 2) * inside).sum(axis=0) / np.maximum(freedom, 1)
    weights = gaussian_weights(9.0) * freedom
    spread = np.sqrt(weights @ variance / weights.sum(axis=1))
    judged = found.judged.ravel()
    np.testing.assert_allclose(found.mean.ravel()[judged], mean[judged], rtol=1e-5)
    np.testing.assert_allclose(found.spread.ravel()[judged], spread[judged], rtol=1e-5)


def noise(n, seed, shape=(24, 24, 24)):
    rng = np.random.default_rng(seed)
    maps = [ndimage.gaussian_filter(rng.normal(size=shape), 1.0, mode="wrap") for _ in range(n)]
    return [m / 0.2094 for m in maps]  # about unit variance: (2 sqrt(pi)) ** -1.5


def test_z_of_a_new_person_from_few_controls_is_standard_normal():
    mask = np.ones((24, 24, 24), bool)
    spread = np.linspace(0.2, 5, 24)[:, None, None]  # controls vary 25 times more on one side
    normal = ControlStatistics.of([(m * spread + 7, mask) for m in noise(10, 0)], (1, 1, 1))
    new = [m * spread + 7 for m in noise(12, 1)]
    z = np.stack([to_z(m, mask, normal, small_sample=True) for m in new])
    assert abs(z.mean()) < 0.03
    assert z.std() == pytest.approx(1, abs=0.03)
    for level in (0.05, 0.01, 0.001):
        assert (z > stats.norm.isf(level)).mean() == pytest.approx(level, rel=0.25)
    assert z[:, :8].std() == pytest.approx(z[:, -8:].std(), abs=0.06)
    naive = np.stack([to_z(m, mask, normal) for m in new])
    assert (naive > stats.norm.isf(0.001)).mean() > 0.005  # why the small sample is allowed for


def test_the_small_sample_z_has_the_tail_of_crawford_and_howells_t():
    maps = np.zeros((5, 1, 1, 3))
    maps[:, 0, 0, :] = np.array([8, 9, 10, 11, 12])[:, None]  # mean 10, sd 1.5811
    masks = np.ones(maps.shape, bool)
    normal = ControlStatistics.of(zip(maps, masks, strict=True), (1, 1, 1))
    t = stats.t.isf(0.01, 4) * np.array([1, -1, 0])
    raw = (10 + t * 1.5811388 * np.sqrt(6 / 5))[None, None]
    z = to_z(raw, masks[0], normal, small_sample=True)
    np.testing.assert_allclose(z[0, 0], [2.3263479, -2.3263479, 0], atol=1e-5)
    extreme = to_z(raw + np.array([1e12, -1e12, 0]), masks[0], normal, small_sample=True)
    assert np.isfinite(extreme).all()


def test_the_edge_of_the_mask_does_not_change_spread_that_is_equal_everywhere():
    rng = np.random.default_rng(0)
    mask = np.zeros((16, 16, 16), bool)
    mask[3:13, 3:13, 3:13] = True
    ones = rng.choice([-1.0, 1.0], 30)
    normal = ControlStatistics.of([(np.where(mask, s, 99), mask) for s in ones], (2, 2, 2), spread_fwhm_mm=8)
    np.testing.assert_allclose(normal.spread[mask], ones.std(ddof=1), rtol=1e-6)


def test_what_lies_outside_the_mask_is_neither_read_nor_judged():
    maps, masks = controls()
    spoilt = np.where(masks, maps, np.nan)
    one = ControlStatistics.of(zip(maps, masks, strict=True), SPACING, spread_fwhm_mm=6)
    other = ControlStatistics.of(zip(spoilt, masks, strict=True), SPACING, spread_fwhm_mm=6)
    np.testing.assert_array_equal(one.spread, other.spread)
    z = to_z(np.full(SHAPE, 50.0), masks[0], one)
    assert (z[masks[0] & one.judged] > 3).all()
    assert not z[~(masks[0] & one.judged)].any()


def test_a_place_without_spread_does_not_shine():
    maps, _ = controls(share=1)
    maps[:, 0, 0, 0] = 3
    normal = ControlStatistics.of([(m, np.ones(SHAPE, bool)) for m in maps], SPACING)
    assert normal.spread[0, 0, 0] == pytest.approx(MIN_RELATIVE_SPREAD * np.median(maps.std(axis=0, ddof=1)), rel=1e-2)
    constant = ControlStatistics.of([(np.ones(SHAPE), np.ones(SHAPE, bool))] * 3, SPACING)
    assert not to_z(np.ones(SHAPE), np.ones(SHAPE, bool), constant).any()


def test_saved_statistics_are_the_same_and_need_no_pickle(tmp_path):
    maps, masks = controls()
    saved = ControlStatistics.of(zip(maps, masks, strict=True), SPACING)
    loaded = ControlStatistics.load(saved.save(tmp_path / "normal.npz"))
    for name in ("n", "mean", "spread", "judged"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))


def test_a_direction_turns_a_signed_map_into_an_anomaly_map():
    z = np.array([-3, 0, 2], np.float32)
    np.testing.assert_array_equal(towards(z, "hypo"), [3, 0, -2])
    np.testing.assert_array_equal(towards(z, "hyper"), z)
    np.testing.assert_array_equal(towards(z, "both"), [3, 0, 2])
    with pytest.raises(UsageError, match="direction=down: expected one of hypo, hyper, both"):
        towards(z, "down")


def test_an_unsigned_map_is_weighted_by_the_probability_of_the_direction():
    z, pet_z = np.full(3, 4, np.float32), np.array([-9, 0, 9], np.float32)
    np.testing.assert_allclose(weight_by_direction(z, pet_z, "hypo"), [4, 2, 0], atol=1e-6)
    np.testing.assert_allclose(weight_by_direction(z, pet_z, "hyper"), [0, 2, 4], atol=1e-6)
    np.testing.assert_array_equal(weight_by_direction(z, pet_z, "both"), z)


def test_too_few_or_spoilt_controls_are_refused():
    maps, masks = controls()
    with pytest.raises(DataError, match="found 1 control maps; expected at least 2"):
        ControlStatistics.of([(maps[0], masks[0])], SPACING)
    with pytest.raises(DataError, match="no voxel in common"):
        ControlStatistics.of([(maps[0], masks[0]), (maps[1], ~masks[0])], SPACING)
    with pytest.raises(DataError, match="control 2: n=1 voxels"):
        maps[1, 0, 0, 0], masks[1, 0, 0, 0] = np.nan, True
        ControlStatistics.of(zip(maps, masks, strict=True), SPACING)
    with pytest.raises(DataError, match="control 2: shapes"):
        ControlStatistics.of([(maps[0], masks[0]), (maps[0, 1:], masks[0, 1:])], SPACING)
