"""Individual metabolism: of the stated size and smoothness."""

import numpy as np
import pytest

from synthpet.phantom.fields import Lattice
from synthpet.phantom.metabolism import CSF, WHITE_MATTER, Variation, activity, individual_effect

BOX = Lattice((30, 36, 30), (-87.0, -105.0, -87.0), 6.0)
NOTHING = Variation(overall=0, regional=0, asymmetry=0, per_decade=0)


def effect(seed=0, age=40.0, **sizes):
    variation = Variation(**{"overall": 0, "regional": 0, "asymmetry": 0, "per_decade": 0, **sizes})
    return np.log(individual_effect(np.random.default_rng(seed), BOX, age, variation))


def test_without_variation_everybody_is_as_expected():
    np.testing.assert_allclose(individual_effect(np.random.default_rng(0), BOX, 70.0, NOTHING), 1)


def test_the_regional_effect_has_its_size_and_correlates_over_20_to_30_mm():
    field = np.stack([effect(seed, regional=0.07) for seed in range(6)])
    assert field.std() == pytest.approx(0.07, rel=0.15)
    lags = [np.mean(field[:, :-k] * field[:, k:]) / np.mean(field**2) for k in (1, 3, 8)]
    assert lags[0] > 0.8  # 6 mm
    assert 0.2 < lags[1] < 0.75  # 18 mm
    assert abs(lags[2]) < 0.15  # 48 mm


def test_the_overall_effect_is_one_factor_for_the_whole_brain():
    factors = np.array([effect(seed, overall=0.07).ravel() for seed in range(40)])
    np.testing.assert_allclose(factors.std(axis=1), 0, atol=1e-6)
    assert factors[:, 0].std() == pytest.approx(0.07, rel=0.35)


def test_older_people_take_up_less_in_front_than_behind():
    change = effect(age=70.0, per_decade=0.02)
    assert change.max() < 0
    assert change[:, -3].mean() < change[:, 3].mean()


def test_activity_adds_the_tissues():
    whole, none = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    assert activity(whole, none, none, 1.3 * whole) == pytest.approx(1.3)
    assert activity(none, whole, none, whole) == pytest.approx(WHITE_MATTER)
    assert activity(none, none, whole, whole) == pytest.approx(CSF)
