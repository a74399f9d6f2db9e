"""Training pairs: what is cut, where, and from whom."""

import numpy as np
import pytest

from synthpet.errors import DataError
from uad.detectors.latent.representation.pairs import PairBatches, cut, voxels_in_both

SHAPE = (12, 14, 10)


def write_volumes(folder, n=3, shape=SHAPE):
    rng = np.random.default_rng(0)
    paths = []
    for k in range(n):
        mask = np.zeros(shape)
        mask[1 + k : -1, 1:-1, 1:-1] = 1
        volume = np.stack([rng.random(shape) + k, rng.random(shape) - k, mask]).astype(np.float32)
        paths.append(folder / f"c{k}.npy")
        np.save(paths[-1], volume)
    return paths


def batches(paths, **options):
    given = {"modalities": ["t1w", "pet"], "patch_size": (5, 5, 1), "tile": 3, "batch_size": 36, "seed": 1}
    return PairBatches(paths, **{**given, "n_batches": 8, **options})


def test_a_block_equals_a_slice_of_the_zero_padded_volume():
    volume = np.random.default_rng(0).random((2, *SHAPE)).astype(np.float32)
    centres = np.array([[0, 0, 0], [5, 6, 7], [11, 13, 9], [2, 13, 0]])
    padded = np.pad(volume, [(0, 0), (3, 3), (3, 3), (3, 3)])
    blocks = cut(volume, [1, 0], centres, (7, 5, 3))
    for block, (i, j, k) in zip(blocks, centres, strict=True):
        expected = padded[::-1, i : i + 7, j + 1 : j + 6, k + 2 : k + 5]
        assert np.array_equal(block, expected)


def test_centres_lie_in_both_masks_and_everywhere_in_them():
    one, other = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    one[2:6, 3:9, 4:8], other[4:9, 3:7, 5:9] = 1, 1
    found = voxels_in_both(one, other, 3000, np.random.default_rng(0))
    both = set(map(tuple, np.argwhere(one * other)))
    assert set(map(tuple, found)) == both


def test_masks_that_do_not_meet_are_reported():
    one, other = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    one[:2], other[-2:] = 1, 1
    with pytest.raises(DataError, match="hardly overlap"):
        voxels_in_both(one, other, 1, np.random.default_rng(0))


def test_a_pair_is_one_place_in_two_different_controls(tmp_path):
    rng = np.random.default_rng(0)
    place = rng.random(SHAPE)  # the same in all controls, so that it tells the place; PET tells the control
    for k in range(3):
        np.save(tmp_path / f"{k}.npy", np.stack([place, np.full(SHAPE, k + 1), np.ones(SHAPE)]).astype(np.float32))
    batch = batches([tmp_path / f"{k}.npy" for k in range(3)])[0]
    assert np.array_equal(batch.first[:, 0], batch.second[:, 0])
    controls = [images[:, 1].amax(dim=(1, 2, 3)) for images in (batch.first, batch.second)]
    assert (controls[0] != controls[1]).all()


def test_valid_says_which_patch_centres_lie_in_both_brains(tmp_path):
    place = np.arange(1, np.prod(SHAPE) + 1).reshape(SHAPE)  # each voxel's own number, in all controls
    masks = np.zeros((2, *SHAPE))
    masks[0, 1:-1, 2:8, 1:-1] = 1
    masks[1, 4:-1, 1:7, 1:-1] = 1
    for k, mask in enumerate(masks):
        np.save(tmp_path / f"{k}.npy", np.stack([place, place, mask]).astype(np.float32))
    batch = batches([tmp_path / "0.npy", tmp_path / "1.npy"], batch_size=180)[0]
    centres = batch.first[:, 0, 2:5, 2:5].numpy().astype(int)  # (n, 3, 3, 1); 0 outside the volume
    inside = np.append(False, masks.all(axis=0))[centres]
    assert np.array_equal(batch.valid.numpy(), inside)
    assert 0 < inside.mean() < 1


def test_a_batch_depends_on_its_number_alone(tmp_path):
    paths = write_volumes(tmp_path)
    for one, other in zip(batches(paths)[3], batches(paths, first=3)[0], strict=True):
        assert one.equal(other)
    assert not batches(paths)[2].first.equal(batches(paths)[3].first)
    assert not batches(paths)[3].first.equal(batches(paths, seed=2)[3].first)


def test_one_control_is_not_enough(tmp_path):
    with pytest.raises(DataError, match="at least 2"):
        batches(write_volumes(tmp_path, n=1))


def test_volumes_on_different_grids_are_refused(tmp_path):
    paths = write_volumes(tmp_path, n=2)
    np.save(paths[1], np.zeros((3, 5, 5, 5), np.float32))
    with pytest.raises(DataError, match="different shapes"):
        batches(paths)
