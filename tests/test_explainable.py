"""What a T1 tells of a PET is measured rightly, and only sets that show less than they could are refused."""

import numpy as np
import pytest

from synthpet.quality.explainable import explained_share, knowable

PLACES, GROUPS = 400, np.repeat(np.arange(4), 100)


def people(n, share, rng):
    """T1s (n, PLACES, 3), PETs (n, PLACES) of whose variance the T1 explains ``share``, and the explained part."""
    t1w = rng.normal(size=(n, PLACES, 3))
    slopes = np.array([0.8, -0.5, 0.3])
    told = np.sqrt(share) * (t1w @ slopes) / np.linalg.norm(slopes)
    mean = rng.normal(1, 0.2, PLACES)
    return t1w, mean + told + np.sqrt(1 - share) * rng.normal(size=(n, PLACES)), mean + told


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_the_share_of_people_who_were_not_fitted_is_found(share):
    t1w, pets, _ = people(30, share, np.random.default_rng(0))
    assert explained_share(pets, t1w, GROUPS) == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("n", [8, 35])
@pytest.mark.parametrize("share", [0.15, 0.5])
def test_planted_collapse_is_refused_and_honest_sets_are_not_in_100_draws(n, share):
    rng = np.random.default_rng(n)
    for _ in range(100):
        t1w, pets, honest = people(n, share, rng)
        middle, told = honest.mean(axis=0), explained_share(pets, t1w, GROUPS)
        assert not knowable(pets, honest, told).collapsed
        assert knowable(pets, (honest + middle) / 2, told).collapsed
        assert knowable(pets, np.broadcast_to(middle, pets.shape), told).collapsed


def test_where_the_t1_tells_nothing_the_mean_is_all_that_can_be_known():
    t1w, pets, honest = people(20, 0.0, np.random.default_rng(1))
    assert not knowable(pets, honest, explained_share(pets, t1w, GROUPS)).collapsed


def test_places_outside_a_persons_brain_do_not_count():
    t1w, pets, honest = people(20, 0.5, np.random.default_rng(2))
    whole = knowable(pets, honest, explained_share(pets, t1w, GROUPS))
    holes = np.random.default_rng(3).random(pets.shape) < 0.1
    pets, honest, t1w = (np.where(holes.reshape(holes.shape + (1,) * (a.ndim - 2)), np.nan, a)
                         for a in (pets, honest, t1w))  # fmt: skip
    found = knowable(pets, honest, explained_share(pets, t1w, GROUPS))
    assert found.known == pytest.approx(whole.known, abs=0.04)
    assert found.slope == pytest.approx(1, abs=0.04)


def test_of_two_people_nothing_can_be_told():
    t1w, pets, _ = people(2, 0.5, np.random.default_rng(4))
    with pytest.raises(ValueError, match="three people"):
        explained_share(pets, t1w, GROUPS)


def test_a_set_that_does_not_differ_at_all_has_collapsed():
    t1w, pets, honest = people(20, 0.5, np.random.default_rng(5))
    found = knowable(pets, np.ones_like(honest), explained_share(pets, t1w, GROUPS))
    assert (found.ratio, found.known, found.collapsed) == (0.0, 0.0, True)
