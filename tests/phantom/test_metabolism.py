"""Uptake: tissues add, people differ as the figures of real people say, and age does what it does to them."""

import numpy as np
import pytest

from synthpet.phantom.metabolism import CSF_UPTAKE, DETAIL, WHITE_MATTER_UPTAKE, activity
from synthpet.phantom.variation import REFERENCE_AGE, real_people
from synthpet.template.gyri import gyrus_points


def at(effect, values, name, side=1):
    """The effect at the middle of a region's first point; side: 1 right, -1 left."""
    points = gyrus_points()
    x, y, z = points.xyz_mm[points.region == points.names.index(name)][0]
    return float(effect.lattice.sample(np.log(values), np.reshape([side * x, y, z], (3, 1)))[0])


def test_at_the_reference_age_the_expected_person_is_the_population_s_mean(template):
    expected = template.uptake.expected(REFERENCE_AGE)
    np.testing.assert_allclose(expected.grey, 1, atol=1e-6)
    np.testing.assert_allclose(expected.white, 1, atol=1e-6)


def test_ageing_lowers_frontal_cortex_as_measured_and_not_the_putamen(template):
    old = template.uptake.expected(REFERENCE_AGE + 30)
    slope = dict(zip(real_people().names, real_people().slope, strict=True))
    assert at(old, old.grey, "caudal middle frontal") == pytest.approx(3 * slope["caudal middle frontal"], abs=0.02)
    assert at(old, old.grey, "caudal middle frontal") < at(old, old.grey, "putamen")
    assert at(old, old.grey, "precuneus", side=1) == pytest.approx(at(old, old.grey, "precuneus", side=-1), abs=0.005)


def test_mirror_images_vary_together_where_they_do_in_real_people(template):
    rng = np.random.default_rng(0)
    people = [template.uptake.draw(rng, REFERENCE_AGE) for _ in range(60)]

    def correlation(name):
        return np.corrcoef([[at(p, p.grey, name, side) for p in people] for side in (-1, 1)])[0, 1]

    assert correlation("cerebellar cortex") > 0.6  # 0.93 between the means of real regions
    assert correlation("temporal pole") < 0.6  # 0.30


def test_a_person_differs_within_regions_too(template):
    person = template.uptake.draw(np.random.default_rng(1), REFERENCE_AGE)
    rough = np.log(person.grey) - np.log(template.uptake.expected(REFERENCE_AGE).grey)
    neighbours = rough[2:] - rough[:-2]  # 10 mm apart
    assert neighbours.std() > 0.5 * sum(DETAIL.values())


def test_activity_adds_the_tissues():
    whole, none = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    assert activity(whole, none, none, 1.3 * whole) == pytest.approx(1.3)
    assert activity(none, whole, none, whole) == pytest.approx(WHITE_MATTER_UPTAKE)
    assert activity(none, whole, none, whole, 1.1) == pytest.approx(1.1 * WHITE_MATTER_UPTAKE)
    assert activity(none, none, whole, whole) == pytest.approx(CSF_UPTAKE)
