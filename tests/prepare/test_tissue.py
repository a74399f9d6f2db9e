"""Tissue maps from brightness and the template's priors."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from synthpet.errors import DataError
from synthpet.prepare.spaces.transform import Transform
from synthpet.prepare.tissue import segment
from synthpet.template.icbm import template_grid, template_images

GRID = template_grid(2.0)
IDENTITY = Transform.of(sitk.AffineTransform(3))


def scan(csf: float, gm: float, wm: float):
    """A T1 of the template's most probable tissues with noise, its brain mask and the true labels."""
    template = template_images(GRID)
    labels = np.stack([1 - template.gm - template.wm, template.gm, template.wm]).argmax(0)
    noise = np.random.default_rng(0).normal(0, 0.05, GRID.shape)
    t1w = (np.array([csf, gm, wm])[labels] + noise) * template.brain_mask
    return t1w.astype(np.float32), template.brain_mask, labels


def test_each_voxel_gets_its_tissue():
    t1w, mask, labels = scan(csf=0.2, gm=0.6, wm=1.0)
    maps = segment(t1w, mask, GRID, IDENTITY, seed=0, name="sub-01")
    found = np.stack([maps["csf"], maps["gm"], maps["wm"]])
    np.testing.assert_allclose(found.sum(0), mask, atol=1e-5)
    assert (found.argmax(0)[mask] == labels[mask]).mean() > 0.99


def test_the_contrast_of_another_sequence_is_refused():
    t1w, mask, _ = scan(csf=1.0, gm=0.6, wm=0.3)  # as in a T2w image
    with pytest.raises(DataError, match=r"E_CONTRAST sub-01: .*expected CSF darker"):
        segment(t1w, mask, GRID, IDENTITY, seed=0, name="sub-01")


def test_tissues_of_weak_contrast_do_not_trade_places():
    t1w, mask, labels = scan(csf=0.35, gm=0.74, wm=0.9)
    maps = segment(t1w, mask, GRID, IDENTITY, seed=0, name="sub-01")
    found = np.stack([maps["csf"], maps["gm"], maps["wm"]])
    assert (found.argmax(0)[mask] == labels[mask]).mean() > 0.95
