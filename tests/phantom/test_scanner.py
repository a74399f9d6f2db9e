"""Scanners against what physics says."""

from dataclasses import replace

import numpy as np
import pytest

from synthpet.phantom.anatomy import grow
from synthpet.phantom.fields import Lattice
from synthpet.phantom.scanner import acquire_pet, acquire_t1w, block_mean, draw_scanner, strip_skull, suvr

GRID = Lattice((40, 40, 40), (0.0, 0.0, 0.0), 2.0)
SCANNER = draw_scanner(np.random.default_rng(0), "siteA")


def test_scanners_differ_within_the_stated_ranges():
    drawn = [draw_scanner(np.random.default_rng(seed), "x") for seed in range(20)]
    assert all(5 <= scanner.pet_fwhm_mm <= 7 for scanner in drawn)
    assert len({scanner.t1_gm for scanner in drawn}) == 20


def test_a_point_source_spreads_to_the_scanners_fwhm():
    point = np.zeros(GRID.shape, np.float32)
    point[20, 20, 20] = 1
    image = acquire_pet(replace(SCANNER, pet_fwhm_mm=7.0), point, GRID, None)
    offset_mm = (np.arange(40) - 20) * 2.0
    profile = image.sum(axis=(1, 2))
    variance = (profile * offset_mm**2).sum() / profile.sum()
    assert 2.3548 * np.sqrt(variance) == pytest.approx(7.0, rel=0.02)


def test_pet_noise_goes_with_the_square_root_of_activity_and_is_correlated():
    scanner = replace(SCANNER, pet_noise=0.04)
    noise = {}
    for level in (1.0, 4.0):
        flat = np.full(GRID.shape, level, np.float32)
        noise[level] = (acquire_pet(scanner, flat, GRID, np.random.default_rng(1)) - level)[5:-5, 5:-5, 5:-5]
    assert noise[1.0].std() == pytest.approx(0.04, rel=0.1)
    assert noise[4.0].std() / noise[1.0].std() == pytest.approx(2, rel=0.02)
    assert np.corrcoef(noise[1.0][:-1].ravel(), noise[1.0][1:].ravel())[0, 1] > 0.6


def test_suvr_is_one_on_average_over_the_brain():
    rng = np.random.default_rng(0)
    brain = rng.random((6, 6, 6)) > 0.5
    assert suvr(rng.random((6, 6, 6), dtype=np.float32), brain)[brain].mean() == pytest.approx(1, abs=1e-5)


def test_block_mean_averages_eight_voxels():
    np.testing.assert_allclose(block_mean(np.arange(8, dtype=np.float32).reshape(2, 2, 2)), [[[3.5]]])


def test_t1_noise_is_rician_and_tissues_have_the_scanners_contrast(template):
    anatomy = grow(template, np.random.default_rng(0), 40)
    scanner = replace(SCANNER, t1_noise=0.02, bias=0.0)
    t1w = acquire_t1w(scanner, anatomy, np.random.default_rng(0))
    air = t1w[block_mean(anatomy.gm + anatomy.wm + anatomy.csf) == 0]
    np.testing.assert_allclose(np.median(air), 0.02 * np.sqrt(2 * np.log(2)), rtol=0.1)  # Rayleigh
    white = np.median(t1w[block_mean(anatomy.wm) > 0.95])
    grey = np.median(t1w[(block_mean(anatomy.gm) > 0.95) & (block_mean(anatomy.depth) < 15)])
    assert white == pytest.approx(1, abs=0.06)
    assert grey / white == pytest.approx(scanner.t1_gm, abs=0.12)


def test_skull_stripping_errs_by_little(template):
    anatomy = grow(template, np.random.default_rng(0), 40)
    true = block_mean((anatomy.depth > 0).astype(np.float32)) > 0.5
    mask = strip_skull(anatomy, np.random.default_rng(0))
    assert 0.92 < 2 * (mask & true).sum() / (mask.sum() + true.sum()) < 1
