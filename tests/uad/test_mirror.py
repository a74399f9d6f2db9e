"""What the mirror side predicts is learned from controls and taken out; what both sides have is not lost."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.uad.test_rivals import GRID, INDEX, MASK, SHAPE
from uad.detectors.control_statistics import ControlStatistics, to_z
from uad.detectors.mirror import Mirror

SPACING = GRID.spacing_mm


def controls(n, shared, seed=0):
    """Maps of unit variance whose mirror voxels correlate by ``shared``."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        both, own = rng.standard_normal((2, *SHAPE))
        both = (both + both[::-1]) / np.sqrt(2)
        yield (np.sqrt(shared) * both + np.sqrt(1 - shared) * own).astype(np.float32), MASK


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
def test_the_slope_on_the_mirror_side_is_their_correlation(shared):
    found = Mirror.learn(controls(60, shared), SPACING)
    assert np.median(found.slope[MASK]) == pytest.approx(shared, abs=0.03)


def test_a_voxel_whose_mirror_voxel_is_outside_stays_as_it_was():
    found = Mirror.learn(controls(20, 0.8), SPACING)
    raw, where = next(controls(1, 0.8, seed=9))
    where = where.copy()
    where[: SHAPE[0] // 2] = False
    assert np.array_equal(found.less(raw, where)[where], raw[where])


def test_one_control_at_a_time_gives_numpys_moments():
    maps = list(controls(12, 0.6))
    found = Mirror.learn(iter(maps), SPACING)
    raw = np.stack([values for values, _ in maps])
    assert np.allclose(found.mean[MASK], raw.mean(axis=0)[MASK], atol=1e-6)
    dev = raw - raw.mean(axis=0)
    sigma = 40 / 2.354820045 / np.asarray(SPACING)
    both = MASK & MASK[::-1]
    cross, square = (
        gaussian_filter((values * both).sum(axis=0), sigma) for values in (dev * dev[:, ::-1], dev[:, ::-1] ** 2)
    )
    assert np.allclose(found.slope[both], np.clip(cross / square, 0, 1)[both], atol=1e-4)


def test_a_lesion_on_one_side_stands_out_more():
    """By 1 / sqrt(1 - 0.8^2) = 1.7 at best."""
    maps = list(controls(40, 0.8))
    found = Mirror.learn(iter(maps), SPACING)
    raw, where = next(controls(1, 0.8, seed=9))
    left = where & (INDEX[0] < -0.3)
    raw = raw - 2 * left
    plain = to_z(raw, where, ControlStatistics.of(maps, SPACING, spread_fwhm_mm=40.0))
    less = ControlStatistics.of(((found.less(*one), one[1]) for one in maps), SPACING, spread_fwhm_mm=40.0)
    gain = to_z(found.less(raw, where), where, less)[left].mean() / plain[left].mean()
    assert gain == pytest.approx(1.67, abs=0.15)


def test_saved_and_read_it_is_the_same(tmp_path):
    found = Mirror.learn(controls(5, 0.5), SPACING)
    again = Mirror.load(found.save(tmp_path / "mirror.npz"))
    assert np.array_equal(again.slope, found.slope) and np.array_equal(again.mean, found.mean)
