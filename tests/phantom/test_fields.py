"""Lattices and random fields."""

import numpy as np
import pytest

from synthpet.cohort import Grid
from synthpet.errors import DataError
from synthpet.phantom.fields import Lattice

BOX = Lattice((24, 30, 20), (-46.0, -60.0, -38.0), 4.0)


def linear(points):
    return 2.0 + 0.1 * points[0] - 0.2 * points[1] + 0.05 * points[2]


def test_a_linear_function_survives_resampling_and_sampling():
    other = BOX.resampled(2.5)
    inside = other.points_mm()[:, 2:-2, 2:-2, 2:-2]
    values = linear(BOX.points_mm())
    np.testing.assert_allclose(BOX.resample(values, other)[2:-2, 2:-2, 2:-2], linear(inside), atol=1e-4)
    np.testing.assert_allclose(BOX.sample(values, inside), linear(inside), atol=1e-4)


def test_resampling_axis_by_axis_equals_sampling_at_every_voxel():
    values = np.random.default_rng(0).random(BOX.shape, dtype=np.float32)
    other = BOX.resampled(3.0)
    np.testing.assert_allclose(BOX.resample(values, other), BOX.sample(values, other.points_mm()), atol=1e-4)


def test_eight_voxels_of_the_doubled_lattice_are_centred_on_one():
    points = BOX.doubled().points_mm()
    i, j, k = BOX.shape
    centres = points.reshape(3, i, 2, j, 2, k, 2).mean(axis=(2, 4, 6))
    np.testing.assert_allclose(centres, BOX.points_mm(), atol=1e-4)


@pytest.mark.parametrize("fwhm_mm", [8.0, 20.0])
def test_a_random_field_has_unit_variance_and_the_requested_smoothness(fwhm_mm):
    lattice = Lattice((64, 64, 64), (0.0, 0.0, 0.0), 2.0)
    field = lattice.random_field(np.random.default_rng(3), fwhm_mm)
    assert field.std() == pytest.approx(1, abs=0.12)
    # White noise filtered by a Gaussian of sigma s correlates as exp(-d^2 / (4 s^2)).
    lag_mm = 4.0
    expected = np.exp(-(lag_mm**2) / (4 * (fwhm_mm / 2.3548) ** 2))
    assert np.corrcoef(field[:-2].ravel(), field[2:].ravel())[0, 1] == pytest.approx(expected, abs=0.03)


def test_a_grid_with_unequal_voxels_is_refused():
    with pytest.raises(DataError, match="E_GRID"):
        Lattice.of(Grid.of((4, 4, 4), np.diag([2.0, 2.0, 3.0, 1.0])))
