"""Controls on the disk: the same machines and scores as with everything in memory, and nothing left behind."""

import numpy as np
import pytest

from uad.detectors.latent.scorers.controls import Controls, blocks, fit_in_blocks, leave_one_out_in_blocks
from uad.detectors.latent.support.svdd import VoxelwiseSvdd
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM

N, D = 9, 4
SHAPE = (6, 5, 4)


@pytest.fixture
def volumes(tmp_path):
    """Nine controls whose brains differ at the edge."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"sub-{k}.npy" for k in range(N)]
    for path in paths:
        volume = rng.normal(size=(3, *SHAPE)).astype(np.float32)
        volume[-1] = rng.random(SHAPE) < 0.6
        np.save(path, volume)
    return paths


def test_brains_are_counted_and_cut_to_where_half_of_them_are(volumes, tmp_path):
    brains = np.stack([np.load(path)[-1] > 0 for path in volumes])
    controls = Controls(volumes, tmp_path)
    np.testing.assert_array_equal(controls.n, brains.sum(axis=0))
    np.testing.assert_array_equal(controls.where, brains.mean(axis=0) >= 0.5)
    np.testing.assert_array_equal(controls.masks, brains[:, controls.where])
    controls.array("more", (2, 3))
    controls.drop("masks")
    controls.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [VoxelwiseOneClassSVM, VoxelwiseSvdd])
def test_machines_fitted_in_blocks_are_those_fitted_at_once(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("uad.detectors.latent.scorers.controls.BLOCK_BYTES", 7 * N * (4 * D + 12))  # 7 voxels at a time
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(N, 40, D)).astype(np.float32)
    assert len(blocks(latents.shape)) == 6
    at_once = kind(nu=0.3).fit(latents)
    machine = fit_in_blocks(lambda: kind(nu=0.3), latents, np.empty((N, 40), np.float32))
    assert vars(machine).keys() == vars(at_once).keys()
    query = rng.normal(size=(40, D)).astype(np.float32)
    np.testing.assert_allclose(machine.dual_coef_, at_once.dual_coef_, rtol=1e-6)
    np.testing.assert_allclose(machine.decision_function(query), at_once.decision_function(query), rtol=1e-6)
    chosen, values = np.arange(0, 40, 2), np.empty((N, 20))
    leave_one_out_in_blocks(lambda: kind(nu=0.3), latents, chosen, True, values)
    np.testing.assert_allclose(values, at_once.leave_one_out(True)[:, chosen], rtol=1e-6)
