"""Every statistic against a published or textbook value, or an independent computation."""

import itertools

import numpy as np
import pytest
from scipy import stats

from synthpet.statistics.intervals import Interval, clopper_pearson_interval, poisson_interval, wilson_interval
from synthpet.statistics.p_values import conformal_p, holm
from synthpet.statistics.paired import (
    censored_ranks,
    mcnemar,
    mcnemar_power,
    paired_bootstrap,
    paired_difference_interval,
    verdict,
    wilcoxon_signed_rank,
)

NAN = float("nan")
# Zotova 2021, 12 patients A to L: rank of the true cluster
REAL = [NAN, 5, 3, 8, NAN, NAN, 1, NAN, 7, 4, NAN, NAN]
SEMI_3D = [NAN, 4, 4, NAN, NAN, 4, 1, 3, 1, 3, NAN, NAN]
PATCH_3D = [NAN, 1, 2, 1, NAN, 5, 3, 5, 1, NAN, NAN, 2]


def table(both, only_a, only_b, neither):
    """The paired outcomes of a 2x2 table."""
    a = np.repeat([1, 1, 0, 0], [both, only_a, only_b, neither])
    b = np.repeat([1, 0, 1, 0], [both, only_a, only_b, neither])
    return a, b


@pytest.mark.parametrize(
    ("found", "n", "wilson", "exact"),  # Newcombe 1998, Table I, methods 3 and 5
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_of_a_proportion_are_those_of_newcombe_1998(found, n, wilson, exact):
    np.testing.assert_allclose(wilson_interval(found, n), wilson, atol=5.1e-5)
    np.testing.assert_allclose(clopper_pearson_interval(found, n), exact, atol=5.1e-5)


@pytest.mark.parametrize(("found", "n"), [(0, 8), (8, 8), (1, 8), (17, 40)])
def test_intervals_of_a_proportion_are_scipys(found, n):
    test = stats.binomtest(found, n)
    for ours, method in ((wilson_interval, "wilson"), (clopper_pearson_interval, "exact")):
        reference = test.proportion_ci(0.9, method=method)
        np.testing.assert_allclose(ours(found, n, 0.9), (reference.low, reference.high), atol=1e-12)


def test_an_impossible_proportion_is_refused():
    with pytest.raises(ValueError, match="found 3 of 2"):
        wilson_interval(3, 2)


@pytest.mark.parametrize(("count", "limits"), [(0, (0, 3.68888)), (1, (0.02532, 5.57164)), (10, (4.79539, 18.39036))])
def test_the_poisson_interval_is_garwoods_table(count, limits):
    np.testing.assert_allclose(poisson_interval(count), limits, atol=6e-6)


def test_the_poisson_limits_leave_their_tail_beyond_the_count():
    low, high = poisson_interval(7)
    assert stats.poisson.sf(6, low) == pytest.approx(0.025, abs=1e-12)
    assert stats.poisson.cdf(7, high) == pytest.approx(0.025, abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "exact", "mid"),
    [
        ((1, 1, 7, 12), 0.0703125, 0.0390625),  # Fagerland 2013, Table 1: airway hyper-responsiveness (Bentur)
        ((59, 6, 16, 80), 0.0524788, 0.0346897),  # Fagerland 2013, Table 2: complete response (Cavo)
        ((10, 3, 3, 4), 1.0, 1 - 0.5 * 20 / 64),  # as many each way: Fagerland's supplement
        ((5, 0, 0, 5), 1.0, 1.0),
    ],
)
def test_mcnemar_exact_and_mid_p_are_those_of_fagerland_2013(counts, exact, mid):
    found = mcnemar(*table(*counts))
    assert found[:2] == counts[1:3]
    assert (found.p_exact, found.p_mid) == pytest.approx((exact, mid), abs=1e-7)


def test_exact_mcnemar_of_agrestis_diabetes_pairs_is_a_binomial_test():
    found = mcnemar(*table(9, 16, 37, 82))  # Agresti, Categorical Data Analysis: chi2 = 8.32, p = 0.004
    assert found.p_exact == pytest.approx(stats.binomtest(16, 53).pvalue, abs=1e-12)
    assert found.p_mid < found.p_exact < 0.006


def test_the_table_of_zotova_2021_does_not_tell_real_from_synthetic():
    real, semi, patch = (np.isfinite(x).astype(int) for x in (REAL, SEMI_3D, PATCH_3D))
    assert (real.sum(), semi.sum(), patch.sum()) == (6, 7, 8)
    found = mcnemar(real, patch)
    assert (found.only_a, found.only_b) == (1, 3)
    assert found.p_exact == pytest.approx(0.625)
    assert np.nanmean(REAL) == pytest.approx(4.7, abs=0.05)
    assert np.nanmean(SEMI_3D) == pytest.approx(2.9, abs=0.05)
    assert np.nanmean(PATCH_3D) == 2.5  # printed as 1.9
    difference = patch.mean() - real.mean()
    words = verdict(
        difference, paired_difference_interval(patch, real), found.p_exact, 12, a="3D patch", b="real",
        measure="sensitivity",
    )  # fmt: skip
    assert "not distinguishable at n = 12" in words


def test_the_interval_of_a_paired_difference_is_newcombes_of_the_cavo_data():
    # the R package contingencytables, of Fagerland, Lydersen, Laake's book, prints -0.1186 to -0.0046
    np.testing.assert_allclose(paired_difference_interval(*table(59, 6, 16, 80)), (-0.1186, -0.0046), atol=5.1e-5)


def test_the_interval_of_a_paired_difference_mirrors_and_has_width_without_discordance():
    a, b = table(4, 3, 1, 2)
    low, high = paired_difference_interval(a, b)
    np.testing.assert_allclose(paired_difference_interval(b, a), (-high, -low), atol=1e-12)
    low, high = paired_difference_interval(*table(8, 0, 0, 0))
    assert low < 0 < high


def test_wilcoxon_is_that_of_darwins_maize():
    differences = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]  # eighths of an inch
    found = wilcoxon_signed_rank(differences, np.zeros(15))
    assert (found.positive, found.negative) == (96, 24)
    assert found.p == pytest.approx(0.041259765625, abs=1e-12)


def test_wilcoxon_is_that_of_hollander_and_wolfes_depression_scores():
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    found = wilcoxon_signed_rank(before, after)
    assert found.positive == 40
    assert found.p == pytest.approx(2 * 10 / 512)  # one-sided 0.0195


def test_wilcoxon_without_ties_is_scipys_exact_test():
    rng = np.random.default_rng(0)
    for n in (4, 9, 30):
        a, b = rng.normal(0.4, 1, n), rng.normal(0, 1, n)
        assert wilcoxon_signed_rank(a, b).p == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue, rel=1e-9)


def test_wilcoxon_with_ties_and_zeros_is_the_enumeration_of_sign_flips():
    a, b = censored_ranks(REAL, 10), censored_ranks(PATCH_3D, 10)
    difference = (a - b)[a != b]
    ranks = stats.rankdata(np.abs(difference))
    flips = np.array(list(itertools.product((0, 1), repeat=len(ranks)))) @ ranks
    observed = ranks[difference > 0].sum()
    expected = np.mean(np.abs(flips - flips.mean()) >= abs(observed - flips.mean()) - 1e-9)
    found = wilcoxon_signed_rank(a, b)
    assert found.n_nonzero == 9
    assert found.p == pytest.approx(expected, abs=1e-12)
    assert wilcoxon_signed_rank(a, a).p == 1


def test_misses_are_censored_one_behind_the_worst_kept_rank():
    np.testing.assert_array_equal(censored_ranks([1, NAN, 10], 10), [1, 11, 10])
    with pytest.raises(ValueError, match="expected 1 to 10"):
        censored_ranks([12.0], 10)


def test_unequal_or_uncensored_pairs_are_refused():
    with pytest.raises(ValueError, match="one value each per patient"):
        mcnemar([1, 0], [1])
    with pytest.raises(ValueError, match="censored_ranks"):
        wilcoxon_signed_rank([1, NAN], [2, 3])


def test_the_bootstrap_interval_is_the_normal_one_for_many_patients():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.3, 1, 400), rng.normal(0, 1, 400)
    found = paired_bootstrap(a, b, seed=0)
    half = 1.96 * (a - b).std() / np.sqrt(400)
    assert found.value == pytest.approx((a - b).mean())
    np.testing.assert_allclose(found.interval, (found.value - half, found.value + half), atol=0.01)


def test_the_bootstrap_keeps_pairs_together_and_its_seed():
    shared = np.random.default_rng(2).normal(0, 5, 30)
    found = paired_bootstrap(shared + 1, shared, seed=0)
    assert found.interval.low == pytest.approx(1) and found.interval.high == pytest.approx(1)
    values = np.arange(10.0) % 3
    assert paired_bootstrap(values, values[::-1], seed=4) == paired_bootstrap(values, values[::-1], seed=4)


def test_a_conformal_p_counts_controls_at_least_as_abnormal_and_is_never_zero():
    np.testing.assert_allclose(conformal_p([9, 3, 2.5, 0], [1, 2, 3, 3]), [1 / 5, 3 / 5, 3 / 5, 1])
    assert conformal_p([1e9], np.arange(35))[0] == pytest.approx(1 / 36)


def test_conformal_p_of_held_out_controls_is_uniform():
    rng = np.random.default_rng(3)
    p = np.concatenate([conformal_p(rng.gamma(2, size=1), rng.gamma(2, size=19)) for _ in range(4000)])
    counts = np.bincount(np.rint(p * 20).astype(int), minlength=21)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.001


def test_the_power_of_twenty_patients_is_a_sixth_to_a_fifth_for_60_against_80_percent():
    assert mcnemar_power(20, 0.6, 0.8) == pytest.approx(0.164, abs=5e-4)  # independent
    assert mcnemar_power(20, 0.6, 0.8, only_a=0.06) == pytest.approx(0.19, abs=5e-3)
    # b finds all that a finds: rejected from six discordant patients on
    assert mcnemar_power(20, 0.6, 0.8, only_a=0.0) == pytest.approx(stats.binom.sf(5, 20, 0.2), abs=1e-12)


def test_the_power_is_the_share_of_rejections_in_simulated_studies():
    rng = np.random.default_rng(5)
    a, b = rng.random((3000, 25)) < 0.3, rng.random((3000, 25)) < 0.8
    rejected = np.mean([mcnemar(x, y).p_exact <= 0.05 for x, y in zip(a, b, strict=True)])
    assert rejected == pytest.approx(mcnemar_power(25, 0.3, 0.8), abs=0.03)


def test_impossible_sensitivities_have_no_power():
    with pytest.raises(ValueError, match="cannot hold together"):
        mcnemar_power(20, 0.6, 0.8, only_a=0.3)


@pytest.mark.parametrize(
    ("interval", "p", "word"),
    [
        ((-0.1, 0.5), 0.01, "not distinguishable"),
        ((1.0, 1.0), 0.25, "not distinguishable"),
        ((0.1, 0.5), 0.01, "higher"),
    ],
)
def test_the_verdict_asks_both_the_interval_and_the_exact_test_and_never_says_equivalent(interval, p, word):
    words = verdict(0.3, Interval(*interval), p, 20, a="completed", b="real", measure="sensitivity at rank 5")
    assert word in words and "n = 20" in words
    assert "equivalent" not in words


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),
        ([0.7, 0.6], [1.0, 1.0]),
        ([], []),
    ],
)
def test_holms_correction_by_value(p, corrected):
    np.testing.assert_allclose(holm(p), corrected)


def test_holm_rejects_what_the_stepwise_rule_rejects():
    rng = np.random.default_rng(0)
    for p in rng.random((200, 6)) ** 3:
        rejected = np.zeros(6, bool)
        for step, k in enumerate(np.argsort(p)):  # from the smallest on, until the first that fails
            if p[k] > 0.05 / (6 - step):
                break
            rejected[k] = True
        np.testing.assert_array_equal(holm(p) <= 0.05, rejected)
    with pytest.raises(ValueError, match="expected a list of values from 0 to 1"):
        holm([0.5, np.nan])
