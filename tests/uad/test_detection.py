"""Detection, its summary and the FROC curve, by value."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from synthpet.statistics.intervals import poisson_interval, wilson_interval
from synthpet.statistics.paired import paired_bootstrap
from uad.findings.clusters import ClusterRule, find_clusters
from uad.findings.threshold import cluster_counts
from uad.scores.lesions import (
    COLUMNS,
    Detection,
    FrocPoint,
    across_seeds,
    detect_lesion,
    found_at_rank,
    found_over_thresholds,
    froc,
    froc_areas,
    rank_array,
    summarise,
)

SHAPE = (21, 16, 14)
GRID = Grid.of(SHAPE, np.array([[4, 0, 0, -40], [0, 4, 0, -30], [0, 0, 4, -20], [0, 0, 0, 1.0]]))
BRAIN = np.ones(SHAPE, bool)
ZOTOVA_2021 = [None, 5, 3, 8, None, None, 1, None, 7, 4, None, None]  # real PET, patients A to L


def compare(z, lesion):
    clusters, labels = find_clusters(z, BRAIN, GRID, ClusterRule(2, min_volume_mm3=0))
    return detect_lesion(clusters, labels, lesion, GRID, participant_id="sub-01", lesion_site="left insula", seed=3)


def two_clusters():
    z = np.zeros(SHAPE)
    z[2:5, 2:5, 2:5] = 9
    z[10:18, 8:10, 8:10] = 4  # 32 voxels, a bar along x
    return z


def test_the_rank_is_that_of_the_first_cluster_with_a_voxel_of_the_lesion():
    lesion = np.zeros(SHAPE, bool)
    lesion[14:16, 8:12, 8:10] = True  # 16 voxels, 8 of them in the bar, around its middle
    found = compare(two_clusters(), lesion)
    assert found == Detection("sub-01", "left insula", True, 2, True, 2, 0.5, 8 / 32, 2, 3, candidate=True)
    assert set(found.row()) == set(COLUMNS)


def test_a_cluster_that_touches_the_lesion_from_afar_is_true_but_not_strictly():
    lesion = np.zeros(SHAPE, bool)
    lesion[10, 8, 8] = True  # an end of the bar, 14.4 mm from its centre of mass
    found = compare(two_clusters(), lesion)
    assert (found.detected, found.rank) == (True, 2)
    assert (found.detected_strict, found.rank_strict) == (False, None)


def test_the_strict_criterion_measures_from_the_whole_lesion():
    lesion = np.zeros(SHAPE, bool)
    lesion[6:13, 8, 8] = True  # its own middle is 18 mm away, its near end 6.6 mm
    found = compare(two_clusters(), lesion)
    assert found.detected_strict


def test_a_cluster_beside_the_lesion_is_a_miss():
    lesion = np.zeros(SHAPE, bool)
    lesion[13:15, 10:12, 8:10] = True  # next to the bar
    found = compare(two_clusters(), lesion)
    assert (found.detected, found.rank, found.detected_strict, found.cluster_share) == (False, None, False, None)
    assert found.lesion_share == 0 and found.n_clusters == 2


def test_a_patient_without_clusters_is_a_miss_and_one_without_a_lesion_is_refused():
    lesion = np.zeros(SHAPE, bool)
    with pytest.raises(DataError, match="sub-01: the lesion mask has no voxel"):
        compare(two_clusters(), lesion)
    lesion[3, 3, 3] = True
    assert not compare(np.zeros(SHAPE), lesion).detected


def test_a_deeper_lesion_is_found_no_less():
    rng = np.random.default_rng(0)
    lesion = np.zeros(SHAPE, bool)
    lesion[4:8, 6:10, 5:9] = True
    noises = [ndimage.gaussian_filter(rng.normal(size=SHAPE), 1) for _ in range(20)]
    found = [
        sum(compare(noise / noise.std() + depth * lesion, lesion).detected for noise in noises)
        for depth in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert found == sorted(found) and found[0] < found[-1] == 20


def detections(ranks):
    base = Detection("", "left insula", False, None, False, None, 0.0, None, 4, 0)
    return [
        replace(base, participant_id=f"sub-{n}", detected=rank is not None, rank=rank)
        for n, rank in enumerate(ranks)
    ]  # fmt: skip


def test_the_summary_of_the_published_table():
    summary = summarise(detections(ZOTOVA_2021), [2, 0, 1, 1])
    assert (summary["n_patients"], summary["n_detected"], summary["sensitivity"]) == (12, 6, 0.5)
    assert summary["sensitivity_interval"] == list(wilson_interval(6, 12))
    assert summary["mean_rank"] == pytest.approx(28 / 6)  # printed: 4.7
    assert summary["mean_rank_censored"] == pytest.approx((28 + 6 * 11) / 12)
    assert summary["sensitivity_at_rank"] == {"1": 1 / 12, "3": 2 / 12, "5": 4 / 12, "10": 6 / 12}
    assert summary["strict"]["n_detected"] == 0 and summary["strict"]["mean_rank"] is None
    assert summary["strict"]["mean_rank_censored"] == summary["rank_of_a_miss"] == 11
    assert summary["false_clusters_per_control"] == 1
    assert summary["false_clusters_interval"] == [limit / 4 for limit in poisson_interval(4)]


def test_without_controls_no_false_rate_is_stated_and_a_patient_may_not_come_twice():
    assert summarise(detections([1]), [])["false_clusters_per_control"] is None
    with pytest.raises(DataError, match="2 rows of 1 patients"):
        summarise(detections([1]) * 2, [])


def test_found_at_rank_takes_a_miss_as_not_found():
    np.testing.assert_array_equal(found_at_rank(rank_array(detections([1, None, 3, 4])), 3), [1, 0, 1, 0])


def test_froc_over_the_number_of_kept_clusters():
    found = np.array([found_at_rank([1, np.nan, 3], k) for k in (1, 2, 3)])
    false = np.minimum([0, 2], [[1], [2], [3]])
    assert froc([1, 2, 3], found, false) == [FrocPoint(1, 1 / 3, 0.5), FrocPoint(2, 1 / 3, 1), FrocPoint(3, 2 / 3, 1)]


def test_froc_over_thresholds_rises_as_the_threshold_falls():
    z = two_clusters()
    lesion = np.zeros(SHAPE, bool)
    lesion[14, 8, 8] = True
    thresholds = [9.5, 6, 3]
    found = found_over_thresholds(z, BRAIN, lesion, GRID, thresholds=thresholds, min_volume_mm3=0)
    np.testing.assert_array_equal(found, [0, 0, 1])
    counts = cluster_counts(z, BRAIN, GRID, min_volume_mm3=0)
    false = np.array([[counts.at(threshold)] for threshold in thresholds])
    assert froc(thresholds, found[:, None], false) == [
        FrocPoint(9.5, 0, 0), FrocPoint(6, 0, 1), FrocPoint(3, 1, 2)
    ]  # fmt: skip


def test_the_froc_area_of_a_patient_is_the_share_of_rates_at_which_it_is_found():
    found = np.array([[0, 1], [1, 1], [1, 1]])
    false = np.array([[0, 1], [1, 1], [2, 4]])  # 0.5, 1, 3 false clusters per control
    np.testing.assert_allclose(froc_areas(found, false, up_to=2), [1 / 2, 1.5 / 2])
    np.testing.assert_allclose(froc_areas(found, false, up_to=0.25), [0, 0])
    np.testing.assert_allclose(froc_areas(found, false, up_to=4), [3 / 4, 3.5 / 4])
    lenient_first = [2, 0, 1]
    np.testing.assert_allclose(froc_areas(found[lenient_first], false[lenient_first], up_to=2), [1 / 2, 1.5 / 2])
    same = paired_bootstrap(froc_areas(found, false, up_to=2), froc_areas(found, false, up_to=2), seed=0)
    assert same.value == 0


def test_the_spread_over_seeds():
    summaries = {seed: {"n_detected": n} for seed, n in enumerate([4, 6, 8])}
    assert across_seeds(summaries, "n_detected") == {"mean": 6, "sd": 2, "min": 4, "max": 8}
