"""Calibration against labelling at every threshold, and on scans it has not seen."""

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.statistics.intervals import poisson_interval
from uad.findings.clusters import ClusterRule, find_clusters
from uad.findings.threshold import LOWEST_Z, calibrate_threshold, cluster_counts

SHAPE = (20, 22, 18)
GRID = Grid.of(SHAPE, np.diag([3.0, 3.0, 3.0, 1.0]))
MASK = ndimage.distance_transform_edt(np.pad(np.ones((18, 20, 16), bool), 1)) > 1
MIN_VOLUME_MM3 = 3 * 27.0


def smooth_noise(seed, n, sigma=1.2):
    rng = np.random.default_rng(seed)
    maps = [ndimage.gaussian_filter(rng.normal(size=SHAPE), sigma, mode="wrap") for _ in range(n)]
    return [(z / z.std()).astype(np.float32) for z in maps]


def kept(z, threshold, min_volume_mm3=MIN_VOLUME_MM3):
    return len(find_clusters(z, MASK, GRID, ClusterRule(threshold, min_volume_mm3))[0])


@pytest.mark.parametrize("min_volume_mm3", [0.0, MIN_VOLUME_MM3, 500.0])
@pytest.mark.parametrize("step", [0, 0.25])
def test_the_counts_are_those_of_labelling_at_every_threshold(min_volume_mm3, step):
    (z,) = smooth_noise(0, 1)
    z = np.round(z / step) * step if step else z  # plateaus and ties
    counts = cluster_counts(z, MASK, GRID, min_volume_mm3=min_volume_mm3)
    thresholds = np.r_[np.linspace(LOWEST_Z, 5, 60), np.arange(1, 5, 0.25)]
    expected = [kept(z, t, min_volume_mm3) for t in thresholds]
    assert [counts.at(t) for t in thresholds] == expected
    assert max(expected) > min(expected[0], 10) - 1 and len(set(expected)) > 3


def test_the_threshold_is_the_smallest_that_keeps_the_rate_with_all_above_it():
    controls = smooth_noise(1, 8)
    found = calibrate_threshold(controls, [MASK] * 8, GRID, min_volume_mm3=MIN_VOLUME_MM3, false_per_scan=1.5)

    def rate(threshold):
        return np.mean([kept(z, threshold) for z in controls])

    assert found.achieved == rate(found.threshold) <= 1.5
    assert rate(np.nextafter(np.float32(found.threshold), np.float32(0))) > 1.5
    assert all(rate(t) <= 1.5 for t in np.linspace(found.threshold, 6, 60))
    assert found.interval == tuple(limit / 8 for limit in poisson_interval(round(found.achieved * 8)))


def test_a_low_threshold_that_joins_all_clusters_into_one_is_not_taken():
    grid = Grid.of((21, 3, 3), np.eye(4))
    z = np.full(grid.shape, 2.0, np.float32)
    z[::4] = 5  # six slabs above 2, one block above 1.9
    mask = np.ones(grid.shape, bool)
    found = calibrate_threshold([z], [mask], grid, min_volume_mm3=1, false_per_scan=3)
    assert found.threshold == 5
    assert found.achieved == 0
    assert len(find_clusters(z, mask, grid, ClusterRule(1.9, min_volume_mm3=1))[0]) == 1


def test_new_controls_show_the_stated_rate():
    controls, fresh = smooth_noise(2, 20), smooth_noise(3, 60)
    found = calibrate_threshold(controls, [MASK] * 20, GRID, min_volume_mm3=MIN_VOLUME_MM3, false_per_scan=1)
    low, high = poisson_interval(sum(kept(z, found.threshold) for z in fresh))
    assert low / 60 < 1.3 and high / 60 > 0.75
    assert found.interval.low < 1 < found.interval.high


def test_the_left_out_rate_is_that_of_calibrating_without_the_control():
    controls = smooth_noise(4, 5)
    options = {"min_volume_mm3": MIN_VOLUME_MM3, "false_per_scan": 2}
    counts = []
    for n, z in enumerate(controls):
        others = controls[:n] + controls[n + 1 :]
        counts.append(kept(z, calibrate_threshold(others, [MASK] * 4, GRID, **options).threshold))
    found = calibrate_threshold(controls, [MASK] * 5, GRID, **options)
    assert found.left_out == np.mean(counts)
    assert found.left_out_empty == np.mean([count == 0 for count in counts])


def test_a_higher_rate_never_asks_for_a_higher_threshold():
    controls = smooth_noise(5, 6)
    thresholds = [
        calibrate_threshold(controls, [MASK] * 6, GRID, min_volume_mm3=81, false_per_scan=rate).threshold
        for rate in (0.2, 0.5, 1, 2, 4)
    ]
    assert thresholds == sorted(thresholds, reverse=True)


def test_quiet_controls_give_the_lowest_threshold_that_is_looked_at():
    found = calibrate_threshold([np.zeros(SHAPE)], [MASK], GRID, min_volume_mm3=81, false_per_scan=1)
    assert (found.threshold, found.achieved, found.left_out) == (LOWEST_Z, 0, None)


def test_a_rate_without_meaning_or_no_controls_are_refused():
    with pytest.raises(ValueError, match="below the 10 clusters kept"):
        calibrate_threshold([], [], GRID, min_volume_mm3=81, false_per_scan=10)
    with pytest.raises(ValueError, match="at least one held-out control"):
        calibrate_threshold([], [], GRID, min_volume_mm3=81, false_per_scan=1)
