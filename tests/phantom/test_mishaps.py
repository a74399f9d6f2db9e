"""Mishaps of a scan and normal variants: of the stated size, and nothing where nothing is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from synthpet.phantom.anatomy import grow
from synthpet.phantom.fields import Lattice
from synthpet.phantom.mishaps import Mishaps, benign_asymmetry, draw_variants
from synthpet.phantom.options import ScanOptions, VariantOptions

GRID = Lattice((40, 40, 40), (-78.0, -78.0, -78.0), 4.0)
NONE = ScanOptions(motion_mm=0.0, misregistration_mm=0.0, attenuation=0.0, hyperglycaemia=0.0)


def ball():
    return (np.linalg.norm(GRID.points_mm(), axis=0) < 40).astype(np.float32)


def centre(volume):
    points = GRID.points_mm()
    return np.array([(volume * axis).sum() for axis in points]) / volume.sum()


def test_a_good_scan_is_left_as_it_is():
    np.testing.assert_array_equal(Mishaps.draw(np.random.default_rng(0), NONE).spoil(ball(), GRID), ball())


def test_a_misregistered_pet_lies_as_far_away_as_was_said():
    mishaps = Mishaps.draw(np.random.default_rng(0), replace(NONE, misregistration_mm=3.0))
    moved = centre(mishaps.spoil(ball(), GRID)) - centre(ball())
    assert np.linalg.norm(moved) == pytest.approx(3.0, abs=0.1)


def test_an_attenuation_error_tilts_the_uptake():
    mishaps = Mishaps.draw(np.random.default_rng(1), replace(NONE, attenuation=0.2))
    ratio = mishaps.spoil(ball(), GRID)[ball() > 0]
    assert 0.005 < np.ptp(ratio) < 0.2
    assert ratio.mean() == pytest.approx(1, abs=0.01)


def test_motion_blurs_along_one_axis_and_keeps_the_sum():
    blurred = Mishaps(12.0, np.zeros(3), np.zeros(3), 0.0, direction=1).spoil(ball(), GRID)
    assert blurred.sum() == pytest.approx(ball().sum(), rel=1e-3)
    steps = [np.abs(np.diff(blurred, axis=axis)).max() for axis in range(3)]
    assert steps[1] < 0.6
    assert steps[0] == pytest.approx(1, abs=0.05)


def test_variants_have_their_shares():
    rng, shares = np.random.default_rng(0), VariantOptions(ventricles=0.0, cisterna=0.3, asymmetry=0.0)
    drawn = [draw_variants(rng, shares) for _ in range(500)]
    assert np.mean([variants["cisterna"] for variants in drawn]) == pytest.approx(0.3, abs=0.06)
    assert not any(variants["asymmetry"] for variants in drawn)


def test_a_benign_asymmetry_is_opposite_on_the_two_sides():
    field = benign_asymmetry(np.random.default_rng(0), GRID)
    np.testing.assert_allclose(field, -field[::-1], atol=1e-6)
    assert 0.02 < field.std() < 0.09


def test_one_larger_ventricle_and_a_large_cisterna_hold_more_fluid(template):
    usual, unusual = (
        grow(template, np.random.default_rng(1), 40, "syn", variants)
        for variants in ({}, {"ventricles": True, "cisterna": True})
    )
    more = unusual.csf - usual.csf
    points = template.fine.points_mm()
    deep = (unusual.depth > 25) & (points[2] > -10)
    sides = [more[deep & (sign * points[0] > 3)].sum() for sign in (-1, 1)]
    assert max(sides) > 3 * abs(min(sides))
    behind = np.linalg.norm(points - np.reshape([0, -82, -42], (3, 1, 1, 1)), axis=0) < 8
    assert more[behind & (unusual.depth > 0)].mean() > 0.1
