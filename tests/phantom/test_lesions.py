"""Lesions: where, how large, how deep, and who sees them."""

import numpy as np
import pytest
from scipy import ndimage

from synthpet.errors import DataError
from synthpet.phantom.anatomy import Anatomy, grow
from synthpet.phantom.fields import Lattice
from synthpet.phantom.lesions import (
    GROUPS,
    REMOTE_SHARE,
    blur_boundary,
    cortical_weight,
    draw_lesion,
    is_mri_visible,
    site_of_patient,
    thicken,
)


@pytest.fixture(scope="module")
def person(template):
    return grow(template, np.random.default_rng(5), 40)


def lesion_in(person, site="left temporal lobe", seed=0, depth=0.3, radius_mm=12.0, shape="focal"):
    sizes = {"depth": (depth, depth), "radius_mm": (radius_mm, radius_mm)}
    return draw_lesion(np.random.default_rng(seed), person, site, **sizes, mri_visible=True, shape=shape)


@pytest.mark.parametrize("site", [site for group in GROUPS for site in group])
def test_every_published_site_has_grey_matter_to_hold_a_lesion(person, site):
    lesion = lesion_in(person, site)
    assert (lesion.centre_mm[0] < 0) == site.startswith("left")
    assert lesion.weight.max() > 0.8


@pytest.mark.parametrize("depth", [0.1, 0.45])
def test_uptake_falls_by_the_depth_in_the_middle_and_mildly_elsewhere(person, depth):
    lesion = lesion_in(person, depth=depth)
    factor = lesion.uptake_factor()
    assert factor.min() == pytest.approx(1 - depth, abs=0.05 * depth)
    far = lesion.weight == 0
    assert factor[far].min() == pytest.approx(1 - depth * REMOTE_SHARE, abs=0.02)
    x = person.lattice.points_mm()[0]
    assert factor[x > 5].min() == 1  # the other hemisphere is spared


def test_half_of_the_weight_is_reached_at_the_radius():
    lattice = Lattice((50, 50, 50), (-49.0, -49.0, -49.0), 2.0)
    grey = np.ones(lattice.shape, np.float32)
    weight = cortical_weight(np.random.default_rng(0), grey, lattice, np.zeros(3), 16.0)
    ball_mm = (3 * (weight > 0.5).sum() * 8 / (4 * np.pi)) ** (1 / 3)
    assert ball_mm == pytest.approx(16.0, rel=0.15)


def test_a_lesion_follows_the_grey_matter_it_started_in():
    lattice = Lattice((30, 30, 30), (-29.0, -29.0, -29.0), 2.0)
    grey = np.zeros(lattice.shape, np.float32)
    grey[:, 14:16], grey[:, 20:22] = 1, 1  # two sheets that do not touch
    weight = cortical_weight(np.random.default_rng(0), grey, lattice, np.zeros(3), 18.0)
    assert weight[:, 14:16].max() > 0.9
    assert weight[:, 20:22].max() == 0
    assert weight[grey == 0].max() == 0


def test_a_brain_without_grey_matter_there_is_refused(person):
    nothing = np.zeros_like(person.gm)
    empty = Anatomy(person.lattice, nothing, *[nothing] * 6)
    with pytest.raises(DataError, match="left temporal lobe"):
        lesion_in(empty)


def test_thickening_turns_white_matter_into_lesional_grey_and_keeps_the_sum(person):
    lesion = lesion_in(person, radius_mm=15.0)
    thicker, grown = thicken(person, lesion)
    np.testing.assert_allclose(thicker.gm + thicker.wm, person.gm + person.wm, atol=1e-6)
    assert thicker.gm.sum() > person.gm.sum()
    assert grown.weight[thicker.gm > person.gm + 0.1].min() > 0.1


def test_blurring_lowers_the_contrast_at_the_lesion_only():
    grid = Lattice((20, 20, 20), (0.0, 0.0, 0.0), 3.0)
    step = np.where(np.arange(20) < 10, 0.6, 1.0).astype(np.float32)[:, None, None] * np.ones((1, 20, 20), np.float32)
    weight = np.zeros(grid.shape, np.float32)
    weight[8:12, 8:12, 8:12] = 1
    blurred = blur_boundary(step, weight, grid)
    assert np.diff(blurred[:, 10, 10]).max() < 0.6 * np.diff(step[:, 10, 10]).max()
    np.testing.assert_array_equal(blurred[:, 0, 0], step[:, 0, 0])


def test_four_of_ten_lesions_are_visible_and_every_five_patients_have_all_groups():
    assert sum(is_mri_visible(k, 0.4) for k in range(10)) == 4
    assert sum(is_mri_visible(k, 0.4) for k in range(21)) in (8, 9)
    for first in (0, 5, 10):
        sites = [site_of_patient(k, seed=0) for k in range(first, first + 5)]
        assert {next(g for g in GROUPS if site in g) for site in sites} == set(GROUPS)


def parts(lesion):
    return ndimage.label(lesion.weight > 0.3, np.ones((3, 3, 3)))[1]


def test_a_bilateral_lesion_lies_on_both_sides_and_says_so(person):
    lesion = lesion_in(person, "right insula", shape="bilateral")
    x = person.lattice.points_mm()[0]
    assert min(lesion.weight[x < -5].max(), lesion.weight[x > 5].max()) > 0.7
    assert lesion.site == "bilateral insula"


def test_a_multifocal_lesion_has_three_foci_of_one_side(person):
    lesion = lesion_in(person, "left frontal lobe", radius_mm=9.0, shape="multifocal")
    assert parts(lesion) >= 3
    assert lesion.weight[person.lattice.points_mm()[0] > 8].max() < 0.5


def test_a_band_is_longer_than_a_ball_of_the_same_radius():
    lattice = Lattice((60, 60, 60), (-59.0, -59.0, -59.0), 2.0)
    grey = np.ones(lattice.shape, np.float32)
    spread = []
    for stretch in (1.0, 2.5):
        weight = cortical_weight(np.random.default_rng(1), grey, lattice, np.zeros(3), 14.0, stretch)
        places = np.argwhere(weight > 0.5)
        spread.append((np.sqrt(np.linalg.eigvalsh(np.cov(places.T))), len(places)))
    (ball, n_ball), (band, n_band) = spread
    assert band[2] / band[0] > 1.4 * ball[2] / ball[0]
    assert n_band == pytest.approx(n_ball, rel=0.25)


def test_a_lobe_is_much_larger_than_a_focus(person):
    assert lesion_in(person, shape="lobe").weight.sum() > 2 * lesion_in(person).weight.sum()
