"""Voxel metrics against loops over thresholds, scikit-learn and closed forms."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import auc, average_precision_score, roc_auc_score, roc_curve

from synthpet.errors import DataError
from uad.scores.voxel_metrics import VoxelMetrics, mean_and_sd, voxel_metrics

SHAPE = (14, 12, 10)


def case(seed, *, ties, signal=1.0):
    """A noisy map, two lesion components of unequal size (one at the border), a brain mask with a cut lesion."""
    rng = np.random.default_rng(seed)
    lesion = np.zeros(SHAPE, bool)
    lesion[0:3, 0:4, 0:3] = True
    lesion[8:10, 5:7, 4:6] = True
    brain = np.ones(SHAPE, bool)
    brain[:, 0] = False
    brain[:, :, -1] = False
    score = (rng.normal(size=SHAPE) + signal * lesion * rng.random(SHAPE)).astype(np.float32)
    return (np.round(score * 3) / 3 if ties else score), lesion, brain


def by_loops(score, lesion, brain):
    """The definitions, one threshold at a time."""
    lesion = lesion & brain
    components, n = ndimage.label(lesion, np.ones((3, 3, 3)))
    curve = [(0.0, 0.0, 0.0)]
    average_precision, best_dice = 0.0, 0.0
    for threshold in np.unique(score[brain])[::-1]:
        above = (score >= threshold) & brain
        hits = (above & lesion).sum()
        recall = hits / lesion.sum()
        overlap = np.mean([(above & (components == c)).sum() / (components == c).sum() for c in range(1, n + 1)])
        average_precision += (recall - curve[-1][1]) * hits / above.sum()
        best_dice = max(best_dice, 2 * hits / (above.sum() + lesion.sum()))
        curve.append(((above & ~lesion).sum() / (brain & ~lesion).sum(), recall, overlap))
    rate, recall, overlap = np.array(curve).T

    def area(height, limit):
        fine = np.linspace(0, limit, 2)
        x = np.r_[rate[rate <= limit], fine[-1]]
        y = np.r_[height[rate <= limit], at(height, limit)]
        return np.trapezoid(y, x) / limit

    def at(height, limit):
        right = np.searchsorted(rate, limit, side="right")
        if right == rate.size:
            return height[-1]
        x0, x1 = rate[right - 1], rate[right]
        return height[right - 1] + (height[right] - height[right - 1]) * (limit - x0) / (x1 - x0)

    return VoxelMetrics(area(recall, 1), area(recall, 0.3), average_precision, area(overlap, 1), area(overlap, 0.3),
                        best_dice)  # fmt: skip


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("seed", "signal"), [(0, 1.0), (1, 4.0), (2, -2.0)])
def test_all_metrics_are_those_of_loops_over_thresholds(seed, signal, ties):
    images = case(seed, ties=ties, signal=signal)
    np.testing.assert_allclose(astuple(voxel_metrics(*images)), astuple(by_loops(*images)), rtol=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_roc_and_precision_are_scikit_learns(ties):
    score, lesion, brain = case(3, ties=ties)
    found = voxel_metrics(score, lesion, brain)
    truth, values = lesion[brain], score[brain]
    assert found.au_roc == pytest.approx(roc_auc_score(truth, values), abs=1e-12)
    assert found.au_prc == pytest.approx(average_precision_score(truth, values), abs=1e-12)
    # scikit-learn standardises the partial area (McClish); undo it
    low, high = 0.3**2 / 2, 0.3
    raw = (2 * roc_auc_score(truth, values, max_fpr=0.3) - 1) * (high - low) + low
    assert found.au_roc_30 == pytest.approx(raw / 0.3, abs=1e-12)
    assert auc(*roc_curve(truth, values)[:2]) == pytest.approx(found.au_roc, abs=1e-12)


def test_a_lesion_of_one_component_has_equal_roc_and_pro():
    score, _, brain = case(4, ties=True)
    lesion = np.zeros(SHAPE, bool)
    lesion[-3:, -3:, -4:] = True  # touches three borders of the volume
    found = voxel_metrics(score, lesion, brain)
    assert (found.au_pro, found.au_pro_30) == pytest.approx((found.au_roc, found.au_roc_30), abs=1e-12)


def test_pro_gives_a_small_component_the_weight_of_a_large_one():
    lesion, brain = np.zeros(SHAPE, bool), np.ones(SHAPE, bool)
    lesion[1:5, 1:5, 1:5] = True  # 64 voxels, missed
    lesion[10, 10, 8] = True  # 1 voxel, found before all else
    score = np.zeros(SHAPE)
    score[10, 10, 8], score[1:5, 1:5, 1:5] = 1, -1
    found = voxel_metrics(score, lesion, brain)
    assert found.au_pro == found.au_pro_30 == pytest.approx(1 / 2)
    assert found.au_roc == pytest.approx(1 / 65)


def test_a_perfect_map_scores_one_and_a_constant_one_chance():
    _, lesion, brain = case(5, ties=False)
    assert astuple(voxel_metrics(lesion.astype(float), lesion, brain)) == pytest.approx((1,) * 6)
    prevalence = lesion[brain].mean()
    assert astuple(voxel_metrics(np.zeros(SHAPE), lesion, brain)) == pytest.approx(
        (0.5, 0.15, prevalence, 0.5, 0.15, 2 * prevalence / (1 + prevalence))
    )
    assert astuple(voxel_metrics(-lesion.astype(float), lesion, brain))[:2] == (0, 0)


def test_only_the_order_of_scores_counts_and_nothing_outside_the_brain():
    score, lesion, brain = case(6, ties=False)
    outside = np.where(brain, np.exp(score.astype(float)), np.nan)
    np.testing.assert_allclose(
        astuple(voxel_metrics(outside, lesion, brain)), astuple(voxel_metrics(score, lesion, brain)), rtol=1e-12
    )


def test_means_and_deviations_are_over_patients():
    patients = [VoxelMetrics(*np.arange(6) + 0.1 * n) for n in range(3)]
    summary = mean_and_sd(patients)
    assert summary["au_roc"] == pytest.approx((0.1, 0.1))
    assert summary["best_dice"] == pytest.approx((5.1, 0.1))
    assert np.isnan(mean_and_sd(patients[:1])["au_pro"][1])


def test_a_patient_without_lesion_or_with_a_broken_map_is_refused():
    score, lesion, brain = case(7, ties=False)
    with pytest.raises(DataError, match="brain voxels are lesion"):
        voxel_metrics(score, lesion & ~brain, brain)
    with pytest.raises(DataError, match="shapes"):
        voxel_metrics(score[1:], lesion, brain)
    score[5, 5, 5] = np.nan
    with pytest.raises(DataError, match="n=1 voxels"):
        voxel_metrics(score, lesion, brain)


def test_what_is_not_judged_counts_as_missed_lesion_and_not_as_healthy():
    """Untested healthy voxels (z = 0) would stand above every judged one below 0; untested lesion is found last."""
    score = np.linspace(-2, -1, 60).reshape(3, 4, 5).astype(np.float32)
    lesion, untested = np.zeros(score.shape, bool), np.zeros(score.shape, bool)
    lesion[2, 3, 3:] = True
    untested[0, 0] = untested[2, 3, 4] = True
    score[untested] = 0
    found = voxel_metrics(score, lesion, np.ones(score.shape, bool), untested)
    assert found.au_roc == pytest.approx(0.5)  # one lesion voxel above everybody, the untested one below
    assert voxel_metrics(score, lesion, np.ones(score.shape, bool)).au_roc != pytest.approx(0.5)
