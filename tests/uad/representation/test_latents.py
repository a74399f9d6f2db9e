"""Dense latent vectors equal those computed patch by patch."""

import numpy as np
import pytest
import torch

from synthpet.errors import DataError
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.latents import dense_latents
from uad.detectors.latent.representation.pairs import cut

SHAPE = (17, 19, 12)


def trained_like(**options):
    """Weights and batch statistics that are not at their start, so that latent vectors differ widely."""
    torch.manual_seed(0)
    model = SiameseAutoencoder(latent_dim=8, **options)
    model.mean.fill_(0.4)
    model.std.fill_(0.3)
    model.train()
    with torch.no_grad():
        for _ in range(30):
            model(torch.randn(64, len(model.modalities), *model.patch_size))
        for name, weights in model.named_parameters():
            if name.endswith("bias"):
                weights.normal_()
    return model.eval()


@pytest.fixture
def volume():
    return np.random.default_rng(0).random((3, *SHAPE)).astype(np.float32)


@pytest.fixture
def mask():
    mask = np.random.default_rng(1).random(SHAPE) < 0.3
    mask[0, 0, 0] = mask[-1, -1, -1] = True  # patches that reach out of the volume on every side
    mask[:, :, 4:6] = False  # a gap
    return mask


@torch.inference_mode()
def patchwise_latents(model, volume, mask, batch_size):
    """The same as dense latents, patch by patch, in batches; many times slower."""
    channels = list(range(len(model.modalities)))
    parts = []
    for voxels in np.array_split(np.argwhere(mask), -(-int(mask.sum()) // batch_size)):
        patches = torch.from_numpy(cut(volume, channels, voxels, model.patch_size))
        parts.append(model.encode(model.standardise(patches)).flatten(1).numpy())
    return np.concatenate(parts)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patch_size": (7, 7, 7)},
        {"patch_size": (9, 5, 3)},
        {"branches": "separate"},
        {"modalities": ["pet"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("slab", [1, 5, 100])
def test_dense_equals_patch_by_patch(options, slab, volume, mask):
    model = trained_like(**options)
    expected = patchwise_latents(model, volume, mask, batch_size=200)
    assert expected.std(axis=0).min() > 0.05
    assert np.abs(dense_latents(model, volume, mask, slab=slab) - expected).max() < 1e-5


def test_rows_follow_the_c_order_of_the_mask(volume, mask):
    model = trained_like(patch_size=(5, 5, 1))
    everywhere = dense_latents(model, volume, np.ones(SHAPE, bool)).reshape(*SHAPE, 8)
    assert np.abs(dense_latents(model, volume, mask) - everywhere[mask]).max() < 1e-5


def test_a_voxel_does_not_see_beyond_its_patch(volume):
    model = trained_like(patch_size=(5, 5, 3))
    mask = np.zeros(SHAPE, bool)
    mask[8, 9, 6] = True
    before = dense_latents(model, volume, mask)
    volume[:, 11:] += 1
    volume[:, :, :, 8:] += 1
    assert np.array_equal(dense_latents(model, volume, mask), before)
    volume[:, 10] += 1
    assert np.abs(dense_latents(model, volume, mask) - before).max() > 0.01


def test_a_mask_without_voxels_gives_no_rows(volume):
    assert dense_latents(trained_like(), volume, np.zeros(SHAPE, bool)).shape == (0, 8)


def test_a_mask_of_another_grid_is_refused(volume):
    with pytest.raises(DataError, match="one grid"):
        dense_latents(trained_like(), volume, np.ones((4, 4, 4), bool))
