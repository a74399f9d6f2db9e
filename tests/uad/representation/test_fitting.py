"""Training: the loss by hand, exact resume, learning, storage."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from synthpet.errors import DataError
from synthpet.learning.checkpoints import SaveCheckpoint
from synthpet.learning.volumes import cache_volumes
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.fitting import brain_statistics, fit_autoencoder, pair_terms
from uad.detectors.latent.representation.latents import dense_latents
from uad.detectors.latent.representation.options import AutoencoderOptions
from uad.detectors.latent.representation.pairs import PairBatches
from uad.detectors.latent.representation.storage import WEIGHTS, load_autoencoder

SMALL = AutoencoderOptions(patch_size=(5, 5, 1), latent_dim=4, channels=(4, 8), batch_size=64, tile=4, n_steps=12)


@pytest.fixture(scope="module")
def volumes(shared_cohort, tmp_path_factory):
    paired = [s.participant_id for s in shared_cohort.subjects if s.role == "paired"]
    return list(cache_volumes(shared_cohort, paired, tmp_path_factory.mktemp("cache")).values())


@pytest.mark.parametrize("patch_size", [(5, 5, 1), (3, 5, 3)])
def test_the_loss_on_blocks_is_the_loss_on_their_patches_one_by_one(volumes, patch_size):
    torch.manual_seed(0)
    model = SiameseAutoencoder(patch_size=patch_size, latent_dim=4, channels=(4, 8)).eval()
    options = {"modalities": ["t1w", "pet"], "patch_size": patch_size, "batch_size": 90, "seed": 0, "n_batches": 1}
    batch = PairBatches(volumes, tile=3, **options)[0]
    assert 0 < batch.valid.float().mean() < 1
    pi, pj, pk = patch_size
    errors, cosines = [], []
    for b, i, j, k in batch.valid.nonzero().tolist():
        x = [block[b : b + 1, :, i : i + pi, j : j + pj, k : k + pk] for block in (batch.first, batch.second)]
        (z1, r1), (z2, r2) = model(x[0]), model(x[1])
        errors.append(sum((r - model.standardise(p)).square().mean() for r, p in zip((r1, r2), x, strict=True)))
        cosines.append(cosine_similarity(z1, z2))
    reconstruction, cosine = pair_terms(model, batch)
    assert reconstruction.item() == pytest.approx(torch.stack(errors).mean().item(), rel=1e-5)
    assert cosine.item() == pytest.approx(torch.cat(cosines).mean().item(), rel=1e-5)


def test_standardisation_uses_the_brain_voxels_of_all_controls(volumes):
    loaded = [np.load(path) for path in volumes]
    brain = np.concatenate([volume[:2, volume[2] > 0] for volume in loaded], axis=1)
    mean, std = brain_statistics(volumes, ["t1w", "pet"])
    assert mean == pytest.approx(brain.mean(axis=1), rel=1e-4)
    assert std == pytest.approx(brain.std(axis=1), rel=1e-4)


def test_an_interrupted_and_continued_training_equals_an_uninterrupted_one(volumes, tmp_path, monkeypatch, capsys):
    options = replace(SMALL, n_steps=11, steps_per_checkpoint=4)
    fit_autoencoder(volumes, tmp_path / "whole", options)

    save = SaveCheckpoint.on_train_epoch_end

    def save_then_stop(self, trainer, module):
        save(self, trainer, module)
        if int(module.step) == 8:
            raise RuntimeError("the machine went off")

    with monkeypatch.context() as patch:
        patch.setattr(SaveCheckpoint, "on_train_epoch_end", save_then_stop)
        with pytest.raises(RuntimeError, match="went off"):
            fit_autoencoder(volumes, tmp_path / "parts", options)
    fit_autoencoder(volumes, tmp_path / "parts", options)
    assert "continuing" in capsys.readouterr().out
    state = torch.load(tmp_path / "parts" / "last.ckpt", weights_only=True)["state_dict"]
    assert state["step"] == 11
    assert (tmp_path / "whole" / WEIGHTS).read_bytes() == (tmp_path / "parts" / WEIGHTS).read_bytes()


def test_another_configuration_does_not_continue(volumes, tmp_path, capsys):
    fit_autoencoder(volumes, tmp_path, SMALL)
    fit_autoencoder(volumes, tmp_path, replace(SMALL, alpha=0.5))
    assert "continuing" not in capsys.readouterr().out


def test_training_beats_the_mean_patch_and_says_so(volumes, tmp_path):
    model = fit_autoencoder(volumes, tmp_path, replace(SMALL, n_steps=150, batch_size=256))
    report = json.loads((tmp_path / "representation.json").read_text())
    assert report["reconstruction_error"] < 0.5 * report["mean_patch_error"]
    assert report["cosine_matched"] > report["cosine_unmatched"]
    assert not report["collapsed"]
    assert len(report["latent_variance"]) == 4
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["train/loss_reconstruction"] < rows[0]["train/loss_reconstruction"]
    volume = np.load(volumes[0])
    again = load_autoencoder(tmp_path)
    assert np.array_equal(dense_latents(model, volume, volume[2] > 0), dense_latents(again, volume, volume[2] > 0))


def test_the_similarity_term_brings_matched_vectors_together(volumes, tmp_path):
    cosine = {}
    for alpha in (0.0, 2.0):
        fit_autoencoder(volumes, tmp_path / f"{alpha}", replace(SMALL, n_steps=80, alpha=alpha))
        report = json.loads((tmp_path / f"{alpha}" / "representation.json").read_text())
        cosine[alpha] = report["cosine_matched"]
    assert cosine[2.0] > cosine[0.0] + 0.02


def test_a_folder_without_an_autoencoder_is_named(tmp_path):
    with pytest.raises(DataError, match="found no siamese autoencoder"):
        load_autoencoder(tmp_path)


def test_weights_of_another_network_are_refused(volumes, tmp_path):
    fit_autoencoder(volumes, tmp_path, replace(SMALL, n_steps=1))
    config = tmp_path / "autoencoder.json"
    content = json.loads(config.read_text())
    content["model"]["latent_dim"] = 6
    config.write_text(json.dumps(content))
    with pytest.raises(DataError, match="found no siamese autoencoder"):
        load_autoencoder(tmp_path)
