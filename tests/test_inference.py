"""A volume through patches: identity, constants, seams."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from synthpet.generators.networks.generator import position_channels
from synthpet.generators.patchwise import PatchCover, synthesise

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
COVER = PatchCover((8, 8, 8), (4, 4, 4))
COVERS = [COVER, PatchCover((8, 8, 8), (8, 8, 8)), PatchCover((8, 8, 3), (4, 4, 1)), PatchCover((16,) * 3, (8,) * 3)]


@pytest.fixture
def brain():
    rng = np.random.default_rng(0)
    t1w = rng.random((13, 11, 9), dtype=np.float32)
    mask = np.zeros(t1w.shape, bool)
    mask[2:11, 1:10, 1:8] = True
    return t1w * mask, mask


@pytest.mark.parametrize("cover", COVERS)
def test_an_identity_generator_returns_its_input(brain, cover):
    t1w, mask = brain
    pet = synthesise(lambda x: x[:, :1], t1w[None], mask, AFFINE, cover, coordinates=False)
    assert_allclose(pet, t1w, atol=1e-5)


@pytest.mark.parametrize("cover", COVERS)
def test_a_constant_generator_gives_a_constant_brain(brain, cover):
    t1w, mask = brain
    pet = synthesise(lambda x: torch.ones_like(x[:, :1]), t1w[None], mask, AFFINE, cover, coordinates=False)
    assert_allclose(pet, mask, atol=1e-5)


def test_the_generator_is_given_the_coordinates_of_each_patch(brain):
    t1w, mask = brain
    pet = synthesise(lambda x: x[:, 2:3], t1w[None], mask, AFFINE, COVER, coordinates=True)
    expected = position_channels(t1w.shape, torch.from_numpy(AFFINE))[1].numpy()
    assert_allclose(pet, expected * mask, atol=1e-5)


def test_batch_composition_changes_nothing(brain):
    t1w, mask = brain
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 1, 3, padding=1)
    one, many = (synthesise(network, t1w[None], mask, AFFINE, COVER, coordinates=False, batch_size=b) for b in (1, 16))
    assert_allclose(one, many, atol=1e-5)
