"""What harmless anatomy explains is taken out of latent vectors; the direction looked for is found in controls."""

import numpy as np
import pytest

from synthpet.errors import UsageError
from uad.detectors.latent.representation.directions import DEPTH, lower_uptake, main_directions
from uad.detectors.latent.space import LatentSpace

WHERE = np.ones((6, 5, 4), bool)
N_CONTROLS, N_VOXELS = 12, int(WHERE.sum())
SPACING = (3.0, 3.0, 3.0)
EVERYWHERE = np.ones((N_CONTROLS, N_VOXELS), bool)


@pytest.fixture
def latents():
    """Four components; the last two (PET) are predicted by the first two (T1) but for noise of size 0.3."""
    rng = np.random.default_rng(0)
    t1w = rng.normal(size=(N_CONTROLS, N_VOXELS, 2))
    pet = t1w @ [[2.0, -1.0], [0.5, 3.0]] + 0.3 * rng.normal(size=t1w.shape)
    level = rng.normal(size=(N_VOXELS, 4))
    return (np.concatenate([t1w, pet], axis=2) + level).astype(np.float32)


def learn(kind, latents, masks=EVERYWHERE, smooth_fwhm_mm=0.0):
    return LatentSpace.learn(kind, latents, masks, WHERE, SPACING, smooth_fwhm_mm)


def test_raw_latent_vectors_stay_as_they_are(latents):
    assert np.array_equal(learn("raw", latents).apply(latents[0], EVERYWHERE[0]), latents[0])


def test_whitened_latent_vectors_have_unit_covariance_about_each_voxels_mean(latents):
    space = learn("whitened", latents)
    found = np.stack([space.apply(control, mask) for control, mask in zip(latents, EVERYWHERE, strict=True)])
    assert np.abs(found.mean(axis=0)).max() < 1e-3
    assert np.allclose(np.cov(found.reshape(-1, 4).T, ddof=0), np.eye(4), atol=1e-3)


def test_conditional_latent_vectors_keep_of_the_pet_what_the_t1_does_not_explain(latents):
    space = learn("conditional", latents)
    found = np.stack([space.apply(control, mask) for control, mask in zip(latents, EVERYWHERE, strict=True)])
    assert found.shape == (N_CONTROLS, N_VOXELS, 2)
    assert found.std() == pytest.approx(0.3 * np.sqrt(1 - 1 / N_CONTROLS), rel=0.03)
    higher = latents[0] + np.array([0, 0, 1, 0], np.float32)  # of the PET alone
    assert np.allclose(space.apply(higher, EVERYWHERE[0]) - found[0], [1, 0], atol=1e-4)


def test_outside_a_persons_brain_nothing_deviates(latents):
    masks = EVERYWHERE.copy()
    masks[0, :10] = False
    changed = latents.copy()
    changed[0, :10] = 99
    one, other = (learn("conditional", given, masks) for given in (latents, changed))
    assert np.allclose(one.matrix, other.matrix)
    assert not other.apply(changed[0], masks[0])[:10].any()


def test_pooling_leaves_a_constant_as_it_is_up_to_the_edge(latents):
    space = learn("whitened", np.zeros_like(latents) + latents[:, :1], smooth_fwhm_mm=8.0)
    found = space.apply(latents[0, :1].repeat(N_VOXELS, 0), EVERYWHERE[0])
    assert np.allclose(found, found[:1], atol=1e-4)


def test_reducing_before_smoothing_changes_nothing(latents):
    space, rows = learn("whitened", latents, smooth_fwhm_mm=8.0), np.array([[0.6], [0.0], [0.0], [0.8]], np.float32)
    smoothed_first = space.apply(latents[0], EVERYWHERE[0]) @ rows
    assert np.allclose(space.restrict(rows).apply(latents[0], EVERYWHERE[0]), smoothed_first, atol=1e-5)


def test_a_space_survives_the_disk(latents, tmp_path):
    space = learn("conditional", latents, smooth_fwhm_mm=6.0).restrict(np.array([[0.6], [0.8]], np.float32))
    again = LatentSpace.load(space.save(tmp_path / "space.npz"))
    assert np.array_equal(again.apply(latents[0], EVERYWHERE[0]), space.apply(latents[0], EVERYWHERE[0]))
    assert again.apply(latents[0], EVERYWHERE[0]).shape == (N_VOXELS, 1)


def test_an_unknown_kind_is_named(latents):
    with pytest.raises(UsageError, match=r"detector\.latents=best.*conditional"):
        learn("best", latents)


def test_uptake_is_lowered_around_the_places_only():
    volume = np.ones((3, 30, 30, 30), np.float32)
    mask = np.zeros((30, 30, 30), bool)
    mask[12:18, 12:18, 12:18] = True
    changed, places = lower_uptake(volume, 1, mask, SPACING, np.random.default_rng(0))
    assert np.array_equal(changed[[0, 2]], volume[[0, 2]])
    assert mask[tuple(places.T)].all()
    assert changed[1].min() == pytest.approx(1 - DEPTH, abs=1e-3)
    assert changed[1, 0, 0, 0] == pytest.approx(1, abs=1e-2)


def test_the_first_direction_points_to_less_uptake():
    answers = np.outer([1, 2, 3], [-3, 4, 0]) + 0.01 * np.eye(3)
    directions = main_directions(answers, 2)
    assert np.allclose(directions[:, 0], [-0.6, 0.8, 0], atol=0.01)
    assert np.allclose(directions.T @ directions, np.eye(2), atol=1e-5)
    with pytest.raises(ValueError, match="expected 1 to 3"):
        main_directions(answers, 4)
