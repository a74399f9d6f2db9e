"""Shapes, identities and positions of the networks."""

import numpy as np
import pytest
import torch
from torch import nn

from synthpet.generators.conditional_gan import build_generator
from synthpet.generators.networks import ResidualUNet, SlicesAsChannels, patch_discriminator
from synthpet.generators.networks.generator import depth_to_space, normalisation, position_channels
from synthpet.generators.networks.swin import SwinUNet


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


@pytest.mark.parametrize("dims", [2, 3])
def test_the_transformer_keeps_the_size_and_gives_float32(dims):
    network = SwinUNet(dims, 4, 2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        made = network(torch.randn(1, 4, *[32] * dims))
    assert made.shape == (1, 2, *[32] * dims)
    assert made.dtype == torch.float32


def test_the_transformer_names_the_sizes_that_it_cannot_take():
    with pytest.raises(ValueError, match=r"\[32, 40, 32\] voxels: expected multiples of 32"):
        SwinUNet(3, 1, 1)(torch.zeros(1, 1, 32, 40, 32))


def test_a_stranger_cannot_ask_for_a_transformer_that_fills_the_memory():
    with pytest.raises(ValueError, match="feature_size=1200: expected 96 at most"):
        build_generator(3, 32, False, {"network": "swin_unetr", "feature_size": 1200})


def test_what_a_study_sets_for_the_other_network_does_not_reach_the_transformer():
    given = {"network": "swin_unetr", "feature_size": 12, "channels": [8, 16], "blocks": 2}
    assert isinstance(build_generator(3, 32, False, given), SwinUNet)
    with pytest.raises(TypeError, match="hidden"):
        build_generator(3, 32, False, given | {"hidden": 8})
