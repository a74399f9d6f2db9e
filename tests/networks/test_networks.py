"""Shapes, identities and positions of the networks."""

import numpy as np
import pytest
import torch
from torch import nn

from synthpet.generators.networks import ResidualUNet, SlicesAsChannels, patch_discriminator
from synthpet.generators.networks.generator import depth_to_space, normalisation, position_channels


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_the_generator_keeps_the_size(dims, stem, norm):
    network = ResidualUNet(dims, 4, 1, channels=(8, 16), stem=stem, norm=norm)
    assert network.divisor == 2 * stem
    assert network(torch.randn(2, 4, *[8] * dims)).shape == (2, 1, *[8] * dims)


def test_depth_to_space_is_pixel_shuffle_in_two_dimensions():
    x = torch.randn(2, 12, 3, 5)
    torch.testing.assert_close(depth_to_space(x, 2), nn.functional.pixel_shuffle(x, 2))


def test_depth_to_space_puts_a_block_back_in_three_dimensions():
    volume = torch.randn(1, 1, 4, 6, 2)
    blocks = volume.reshape(1, 2, 2, 3, 2, 1, 2).permute(0, 2, 4, 6, 1, 3, 5).reshape(1, 8, 2, 3, 1)
    torch.testing.assert_close(depth_to_space(blocks, 2), volume)


def test_slices_as_channels_and_back_is_the_identity():
    x = torch.randn(2, 1, 5, 4, 3)
    torch.testing.assert_close(SlicesAsChannels(nn.Identity(), 3)(x), x)


def test_slices_as_channels_keeps_slices_of_a_channel_together():
    x = torch.arange(2 * 3.0).reshape(1, 2, 1, 1, 3)  # channel 0: slices 0, 1, 2; channel 1: slices 3, 4, 5
    seen = SlicesAsChannels(nn.Identity(), 3, unfold=False)(x)
    assert seen.flatten().tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("spectral", [True, False])
def test_the_discriminator_scores_overlapping_patches(dims, spectral):
    network = patch_discriminator(dims, 2, channels=4, layers=2, norm="none", spectral=spectral)
    scores = network(torch.randn(2, 2, *[32] * dims))
    assert scores.shape[:2] == (2, 1)
    assert min(scores.shape[2:]) > 1


def test_positions_are_millimetres_over_100():
    affine = torch.tensor(np.array([[2.0, 0, 0, -10], [0, 3, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]]))
    position = position_channels((3, 3, 3), affine)
    torch.testing.assert_close(position[:, 1, 2, 0], torch.tensor([-8.0, -14, 5]) / 100)


def test_instance_norm_removes_a_patchs_level_and_batch_norm_keeps_it():
    """Why instance norm cannot give an absolute uptake."""
    x = torch.stack([torch.randn(4, 8, 8, 8), torch.randn(4, 8, 8, 8) + 5])
    means = {name: normalisation(name, 3, 4)(x).mean(dim=(1, 2, 3, 4)) for name in ("instance", "batch")}
    assert means["instance"].diff().abs() < 1e-4
    assert means["batch"].diff().abs() > 1
