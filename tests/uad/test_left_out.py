"""Controls that were learned from, each left out, calibrate as well as controls never seen."""

from dataclasses import replace

import numpy as np
import pytest

from synthpet.statistics.intervals import dispersed_interval, poisson_interval
from tests.uad.test_rivals import MASK, detector, people, person  # noqa: F401
from uad.detectors.control_statistics import ControlStatistics, Moments
from uad.detectors.left_out import LOWEST_Z, LeavesOut, LeftOut
from uad.findings.threshold import calibrate_counts, cluster_counts
from uad.normative.sets import normative_set

SPACING = (5.0, 5.0, 5.0)


def maps(n, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield rng.normal(size=MASK.shape).astype(np.float32), MASK & (rng.uniform(size=MASK.shape) < 0.9)


def test_moments_without_one_are_those_of_the_others():
    found = list(maps(7))
    for i, one in enumerate(found):
        left = Moments.of(found).without(*one).statistics(SPACING, spread_fwhm_mm=10.0)
        others = ControlStatistics.of(found[:i] + found[i + 1 :], SPACING, spread_fwhm_mm=10.0)
        for name in ("n", "mean", "spread", "judged"):
            np.testing.assert_allclose(getattr(left, name), getattr(others, name), atol=1e-5)


@pytest.mark.parametrize("name", ["zmap", "asymmetry", "residual"])
def test_a_control_left_out_has_the_map_of_a_detector_without_it(people, name, monkeypatch):  # noqa: F811
    cohort, folder = people
    monkeypatch.setattr("uad.detectors.residual.is_crossfitted", lambda folder: False)
    normative = normative_set(cohort, "real")
    found = detector(name, folder).fit(normative, cohort)
    assert isinstance(found, LeavesOut)
    left = dict(found.left_out(normative, cohort).maps())
    assert list(left) == [member.participant_id for member in normative.members]
    member = normative.members[3]
    others = replace(normative, members=tuple(m for m in normative.members if m != member))
    again = detector(name, folder).fit(others, cohort)
    measured = list(found._measure_controls(normative, cohort))[3]
    z = again._maps(*measured, again.statistics_)["z"]
    np.testing.assert_allclose(left[member.participant_id], np.where(z > LOWEST_Z, z, 0), atol=2e-3)


def test_residuals_of_generators_that_saw_the_others_are_about_the_mean_of_all():
    """Generators that know nothing but the mean of those whom they saw: residuals left out are as wide as new ones."""
    rng, n, folds = np.random.default_rng(0), 20, 4
    ratios = []
    for _ in range(400):
        x, new = rng.normal(size=n), rng.normal()
        fold = np.arange(n) % folds
        residual = x - np.array([x[fold != k].mean() for k in fold])
        expected = np.mean([x[fold != k].mean() for k in range(folds)])
        others = residual - (residual.sum() - residual) / (n - 1)
        ratios.append([np.mean(residual**2), np.mean(others**2), (new - expected - residual.mean()) ** 2])
    about_all, about_others, unseen = np.sqrt(np.mean(ratios, axis=0))
    assert about_all == pytest.approx(1.03, abs=0.02) and about_others == pytest.approx(1.09, abs=0.02)
    assert unseen == pytest.approx(1.02, abs=0.08)


def test_synthetic_pet_calibrates_nothing(people):  # noqa: F811
    cohort, folder = people
    normative = normative_set(cohort, "completed", folder, force=True)
    left = detector("zmap", folder).fit(normative, cohort).left_out(normative, cohort)
    assert set(left.high) == {s.participant_id for s in cohort.select("paired")}


def test_saved_and_read_they_are_the_same(people, tmp_path):  # noqa: F811
    cohort, folder = people
    normative = normative_set(cohort, "real")
    found = detector("zmap", folder).fit(normative, cohort).left_out(normative, cohort)
    assert found.save(tmp_path).is_file()
    read = dict(LeftOut.load(tmp_path).maps())
    for who, z in found.maps():
        assert np.array_equal(read[who], z)
    assert not list(LeftOut.load(tmp_path / "nothing").maps())


def test_left_out_controls_promise_what_new_people_keep(people):  # noqa: F811
    """Thresholds by twelve cohorts' controls left out; sixty new people keep what was asked for."""
    from scipy.ndimage import gaussian_filter

    grid, rng, kept = people[0].grid, np.random.default_rng(0), []
    for _ in range(12):
        draw = [gaussian_filter(rng.normal(size=MASK.shape), 1).astype(np.float32) for _ in range(25)]
        controls, new = [(one, MASK) for one in draw[:20]], draw[20:]
        moments = Moments.of(controls)
        left = [_z(one, moments.without(one, MASK)) for one, _ in controls]
        counts = [cluster_counts(z, MASK, grid, min_volume_mm3=250.0) for z in left]
        threshold = calibrate_counts(counts, false_per_scan=2.0).threshold
        z = (_z(one, moments) for one in new)
        kept += [cluster_counts(one, MASK, grid, min_volume_mm3=250.0).at(threshold) for one in z]
    assert np.mean(kept) == pytest.approx(2.0, abs=0.45)  # 2 +- 2 standard errors, Poisson, and those of thresholds


def _z(raw, moments):
    from uad.detectors.control_statistics import to_z

    return to_z(raw, MASK, moments.statistics(SPACING, spread_fwhm_mm=10.0), small_sample=True)


def test_the_interval_is_poissons_unless_people_differ():
    even, uneven = [2, 3, 3, 2, 3, 3], [0, 0, 8, 0, 0, 8]
    assert dispersed_interval(even) == pytest.approx([limit / 6 for limit in poisson_interval(16)])
    narrow, wide = dispersed_interval(even), dispersed_interval(uneven)
    assert wide.low < narrow.low and wide.high > narrow.high
    assert dispersed_interval([0, 0]).low == 0
