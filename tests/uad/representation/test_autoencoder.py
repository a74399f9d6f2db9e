"""The network: one vector a patch, branches, and options that do not go together."""

import pytest
import torch

from synthpet.errors import UsageError
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder, kernel_sizes


@pytest.mark.parametrize("n", [3, 7, 9, 15, 25])
@pytest.mark.parametrize("n_layers", [2, 3, 4, 6])
def test_valid_convolutions_take_the_patch_to_exactly_one_voxel(n, n_layers):
    sizes = kernel_sizes(n, n_layers)
    assert n - sum(size - 1 for size in sizes) == 1
    assert all(size % 2 == 1 for size in sizes)


@pytest.mark.parametrize("decoder", ["perceptron", "convolutional"])
@pytest.mark.parametrize("branches", ["joint", "separate"])
@pytest.mark.parametrize("patch_size", [(15, 15, 1), (9, 7, 1), (7, 7, 7), (7, 7, 3)])
def test_a_patch_gives_one_vector_and_comes_back_in_its_shape(patch_size, branches, decoder):
    model = SiameseAutoencoder(patch_size=patch_size, latent_dim=8, branches=branches, decoder=decoder)
    z, reconstruction = model(torch.randn(5, 2, *patch_size))
    assert z.shape == (5, 8)
    assert reconstruction.shape == (5, 2, *patch_size)


def test_a_single_modality_is_a_patch_of_one_channel():
    model = SiameseAutoencoder(modalities=["pet"], latent_dim=8)
    assert model(torch.randn(3, 1, 15, 15, 1))[1].shape == (3, 1, 15, 15, 1)


def test_separate_branches_keep_t1w_out_of_the_pet_part_of_the_vector():
    model = SiameseAutoencoder(latent_dim=8, branches="separate").eval()
    one = torch.randn(1, 2, 15, 15, 1)
    other = one.clone()
    other[:, 0] += 1
    difference = (model(one)[0] - model(other)[0]).abs()[0]
    assert (difference[:4] > 0).all()
    assert (difference[4:] == 0).all()


def test_images_are_standardised_with_the_stored_numbers():
    model = SiameseAutoencoder(latent_dim=8)
    model.mean.copy_(torch.tensor([0.7, 1.0]))
    model.std.copy_(torch.tensor([0.2, 0.5]))
    x = torch.tensor([0.9, 0.0]).view(1, 2, 1, 1, 1)
    assert torch.allclose(model.standardise(x).flatten(), torch.tensor([1.0, -2.0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_size": (14, 15, 1)}, "three odd numbers"),
        ({"modalities": ["ct"]}, "expected some of"),
        ({"branches": "both"}, "joint or separate"),
        ({"decoder": "none"}, "perceptron or convolutional"),
        ({"branches": "separate", "latent_dim": 9}, "cannot be shared equally"),
        ({"channels": ()}, "at least one hidden layer"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        SiameseAutoencoder(**options)
