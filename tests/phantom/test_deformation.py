"""Diffeomorphisms: known flows, no tearing, a realistic size."""

import numpy as np
import pytest

from synthpet.phantom.anatomy import displacement_to_template
from synthpet.phantom.deformation import integrate
from synthpet.phantom.fields import Lattice

BOX = Lattice((28, 28, 28), (-54.0, -54.0, -54.0), 4.0)
MIDDLE = (slice(None), slice(8, -8), slice(8, -8), slice(8, -8))


def jacobian_determinant(displacement, spacing_mm):
    """Local volume ratio (I, J, K) of x -> x + displacement; above 0 where nothing folds or tears."""
    gradient = np.stack([np.stack(np.gradient(component, spacing_mm)) for component in displacement])
    return np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3))


def test_a_constant_velocity_is_a_translation():
    velocity = np.zeros((3, *BOX.shape), np.float32)
    velocity[1] = 3.0
    np.testing.assert_allclose(integrate(velocity, BOX), velocity, atol=1e-4)


def test_a_linear_velocity_flows_exponentially():
    points = BOX.points_mm()
    rate = 0.1
    flow = integrate(rate * points, BOX)
    np.testing.assert_allclose(flow[MIDDLE], (np.exp(rate) - 1) * points[MIDDLE], atol=0.02)


def test_the_negative_velocity_leads_back():
    rng = np.random.default_rng(0)
    velocity = np.stack([2 * BOX.random_field(rng, 32.0) for _ in range(3)])
    there, back = integrate(velocity, BOX), integrate(-velocity, BOX)
    moved = BOX.points_mm() + there
    returned = there + np.stack([BOX.sample(component, moved) for component in back])
    assert np.abs(returned[MIDDLE]).max() < 0.15


def test_the_jacobian_determinant_of_a_scaling_is_its_volume_ratio():
    np.testing.assert_allclose(jacobian_determinant(0.1 * BOX.points_mm(), BOX.spacing_mm), 1.1**3, rtol=1e-4)


@pytest.mark.parametrize(("seed", "age"), [(0, 20), (1, 35), (2, 50), (3, 65), (4, 90)])
def test_nobody_is_torn_and_about_2_mm_remain_after_an_affine_registration(template, seed, age):
    displacement, lattice = displacement_to_template(template, np.random.default_rng(seed), age)
    assert jacobian_determinant(displacement, lattice.spacing_mm).min() > 0
    depth = template.smooth.resample(template.maps["depth"], lattice)
    assert 1.2 < np.linalg.norm(displacement, axis=0)[depth > 0].mean() < 3.5
