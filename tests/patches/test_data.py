"""Training batches are numbered: batch i is the same whenever it is drawn."""

import shutil

import numpy as np
import pytest
import torch

from synthpet.errors import TrainingError, UsageError
from synthpet.generators.patches.augment import augment
from synthpet.generators.patches.data import (
    PatchBatches,
    PatchDataModule,
    Sampling,
    check_shared_memory,
    naming_loaders,
)
from synthpet.learning.volumes import cache_volumes

SAMPLING = Sampling((8, 8, 8), batch_size=2, coordinates=True, seed=5)


@pytest.fixture
def volumes(shared_cohort, tmp_path):
    ids = [subject.participant_id for subject in shared_cohort.select("paired")]
    return list(cache_volumes(shared_cohort, ids, tmp_path / "cache").values())


def batches(volumes, cohort, *, patch_size=(8, 8, 8), **more):
    options = {"batch_size": 3, "coordinates": True, "seed": 0, "n_batches": 4} | more
    return PatchBatches(volumes, cohort.grid.matrix, patch_size, **options)


def test_a_batch_depends_on_its_number_alone(volumes, shared_cohort):
    late = batches(volumes, shared_cohort, first=2)[1]
    for a, b in zip(late[:4], batches(volumes, shared_cohort)[3][:4], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not torch.equal(late.sources, batches(volumes, shared_cohort, seed=1, first=2)[1].sources)


def test_patches_are_of_one_subject_and_one_place(volumes, shared_cohort):
    """The inverse relation of the test cohort's T1 and PET holds within every patch, mirrored or not."""
    batch = batches(volumes, shared_cohort, batch_size=16)[0]
    t1w, pet = batch.sources[batch.mask > 0].numpy(), batch.target[batch.mask > 0].numpy()
    assert np.corrcoef(t1w, pet)[0, 1] < -0.9
    assert batch.mask.mean(dim=(1, 2, 3, 4)).min() > 0


def test_mirrored_patches_carry_mirrored_coordinates(volumes, shared_cohort):
    step = shared_cohort.grid.spacing_mm[0] / 100
    batch = batches(volumes, shared_cohort, batch_size=32)[0]
    torch.testing.assert_close(batch.position[:, 0].diff(dim=1), torch.full((32, 7, 8, 8), step), atol=1e-6, rtol=0)


def test_without_coordinates_a_batch_has_the_same_patches(volumes, shared_cohort):
    given, without = (batches(volumes, shared_cohort, coordinates=wanted)[0] for wanted in (True, False))
    for a, b in zip(given[:3], without[:3], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert without.position.shape == (3, 0, 8, 8, 8)


def test_a_patch_larger_than_the_volume_is_padded_with_zeros(volumes, shared_cohort):
    batch = batches(volumes, shared_cohort, patch_size=(24, 24, 24))[0]
    assert batch.sources.shape == (3, 1, 24, 24, 24)
    inside = [(24 - n) // 2 for n in shared_cohort.grid.shape]
    padded = torch.ones(24, 24, 24, dtype=torch.bool)
    padded[tuple(slice(low, low + n) for low, n in zip(inside, shared_cohort.grid.shape, strict=True))] = False
    assert padded.any()
    assert not any(channel[:, :, padded].any() for channel in batch[:4])


def test_workers_draw_the_same_batches(volumes, shared_cohort):
    drawn = []
    for num_workers in (0, 2):
        data = PatchDataModule(volumes, shared_cohort.grid.matrix, SAMPLING, steps_per_epoch=3, num_workers=num_workers)
        drawn.append([batch.sources for batch in data.train_dataloader()])
    for a, b in zip(*drawn, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_augmentation_changes_contrast_keeps_background_and_order():
    t1w = torch.rand(4, 1, 6, 6, 6) * (torch.rand(4, 1, 6, 6, 6) > 0.3)
    varied = augment(t1w, strength=1.0, generator=torch.Generator().manual_seed(0))
    assert not varied[t1w == 0].any()
    assert (varied - t1w)[t1w != 0].abs().mean() > 0.02
    for before, after in zip(t1w, varied, strict=True):
        brain = before != 0
        assert np.corrcoef(before[brain], after[brain])[0, 1] > 0.9
    assert augment(t1w, strength=0, generator=torch.Generator()) is t1w


def test_too_little_shared_memory_for_loaders_is_said_before_they_hang(tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path).free
    check_shared_memory(2, free // 6, tmp_path)
    with pytest.raises(UsageError, match=r"trainer.num_workers=2: needs .*--shm-size=2g.*trainer.num_workers=0"):
        check_shared_memory(2, free // 4, tmp_path)
    check_shared_memory(2, free, tmp_path / "not there")


def test_loaders_that_end_or_hang_are_named_with_what_to_do():
    for words in ("DataLoader worker (pid 7) is killed by signal: Bus error.", "DataLoader timed out after 300 s"):
        with pytest.raises(TrainingError, match=r"E_LOADER .*--shm-size=2g.*trainer.num_workers=0"), naming_loaders():
            raise RuntimeError(words)
    with pytest.raises(RuntimeError, match="another"), naming_loaders():
        raise RuntimeError("another")


def test_cached_volumes_with_a_changed_byte_are_made_anew(shared_cohort, tmp_path, capsys):
    ids = [subject.participant_id for subject in shared_cohort.select("paired")]
    path = cache_volumes(shared_cohort, ids, tmp_path / "cache")[ids[0]]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    cache_volumes(shared_cohort, ids, tmp_path / "cache")
    assert path.read_bytes() == whole
    assert "E_CHANGED" in capsys.readouterr().out
