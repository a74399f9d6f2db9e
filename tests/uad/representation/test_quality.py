"""The collapse check on latent vectors of known spread."""

import numpy as np
import pytest
import torch

from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.pairs import PairBatch
from uad.detectors.latent.representation.quality import describe_representation, latent_spread


def test_the_effective_rank_of_independent_equal_dimensions_is_their_number():
    z = np.random.default_rng(0).standard_normal((20_000, 6)).astype(np.float32)
    assert latent_spread(z)["effective_rank"] == pytest.approx(6, rel=0.01)
    assert not latent_spread(z)["collapsed"]


def test_the_effective_rank_of_known_eigenvalues():
    z = np.random.default_rng(0).standard_normal((50_000, 2)) * np.sqrt([3.0, 1.0])
    assert latent_spread(z)["effective_rank"] == pytest.approx(4**2 / (9 + 1), rel=0.02)
    assert latent_spread(z)["latent_variance"] == pytest.approx([3, 1], rel=0.03)


def test_vectors_along_one_line_have_collapsed():
    z = np.random.default_rng(0).standard_normal((500, 1)) * np.arange(1, 9)
    assert latent_spread(z)["effective_rank"] == pytest.approx(1)
    assert latent_spread(z)["collapsed"]


def test_vectors_that_are_nearly_the_same_have_collapsed():
    z = 1 + 1e-3 * np.random.default_rng(0).standard_normal((500, 8))
    assert latent_spread(z)["effective_rank"] > 5
    assert latent_spread(z)["collapsed"]
    assert latent_spread(np.ones((10, 8)))["collapsed"]


def test_an_autoencoder_no_better_than_the_mean_patch_has_collapsed():
    torch.manual_seed(0)
    model = SiameseAutoencoder(latent_dim=8, patch_size=(5, 5, 1)).eval()
    patches = torch.randn(2, 200, 2, 5, 5, 1)
    report = describe_representation(model, PairBatch(*patches, torch.ones(200, 1, 1, 1, dtype=torch.bool)))
    assert report["mean_patch_error"] == pytest.approx(1, abs=0.05)
    assert report["collapsed"]
