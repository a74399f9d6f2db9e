"""One place chooses the device, and results do not depend on it."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from synthpet.generators.conditional_gan import build_generator
from synthpet.generators.patchwise import PatchCover, prepare_network, synthesise
from synthpet.runtime.device import device_name
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.latents import dense_latents

OPTIONS = {"channels": [4, 8], "blocks": 1, "stem": 2, "norm": "batch"}
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: results of both devices cannot be compared")


@pytest.fixture
def brain():
    mask = np.zeros((20, 18, 16), bool)
    mask[2:18, 2:16, 2:14] = True
    return np.random.default_rng(0).random((2, *mask.shape), dtype=np.float32) * mask, mask


def network_as_trained():
    """No norm is the identity, no weight is zero."""
    torch.manual_seed(0)
    network = build_generator(3, 16, False, OPTIONS).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm3d):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
        elif isinstance(part, nn.Conv3d):
            nn.init.normal_(part.weight, std=0.1)
    return network.to(memory_format=torch.channels_last_3d)


def synthetic(brain, device, prepared):
    (t1w, _), mask = brain
    network = network_as_trained().to(device)
    if prepared:
        prepare_network(network, bf16=False)
    cover = PatchCover((8, 8, 8), (4, 4, 4))
    return synthesise(network, t1w[None], mask, np.eye(4), cover, coordinates=False, device=device)


def latents(brain, device):
    volume, mask = brain
    torch.manual_seed(0)
    return dense_latents(SiameseAutoencoder(patch_size=(5, 5, 5)).eval().to(device), np.stack([*volume, mask]), mask)


def test_the_option_keeps_a_gpu_out():
    assert device_name("cpu") == "cpu"
    assert device_name("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_network_laid_out_for_synthesis_gives_the_same_pet(brain):
    assert_allclose(synthetic(brain, "cpu", True), synthetic(brain, "cpu", False), atol=1e-5)


def test_in_bfloat16_it_errs_no_more_than_autocast(brain):
    x = torch.from_numpy(brain[0][None, :1, :16, :16])
    network = network_as_trained()
    with torch.inference_mode():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            usual = network(x)
            found = prepare_network(network, bf16=True)(x)
    assert found.dtype == torch.float32
    assert torch.backends.mkldnn.conv.fp32_precision == "none"
    assert (found - exact).abs().mean() < 1.2 * (usual - exact).abs().mean() < 0.02 * exact.std()


@gpu
def test_synthesis_and_latents_are_equal_on_a_gpu(brain):
    assert_allclose(synthetic(brain, "cuda", True), synthetic(brain, "cpu", True), atol=1e-3)
    assert_allclose(latents(brain, "cuda"), latents(brain, "cpu"), atol=1e-3)
