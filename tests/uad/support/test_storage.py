import json

import numpy as np
import pytest

from synthpet.errors import DataError
from uad.detectors.latent.support.storage import load_estimator, save_estimator
from uad.detectors.latent.support.subject import SubjectOneClassSVM
from uad.detectors.latent.support.svdd import VoxelwiseSvdd
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM

X = np.random.default_rng(0).normal(size=(10, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("machine", [
    VoxelwiseOneClassSVM(nu=0.1).fit(X),
    VoxelwiseOneClassSVM(gamma=0.3).fit(X),
    VoxelwiseSvdd().fit(X),
])  # fmt: skip
def test_loaded_voxelwise_machines_decide_as_the_saved_ones(machine, tmp_path):
    paths = save_estimator(machine, tmp_path / "machine.v1")
    assert [path.name for path in paths] == [
        "machine.v1.npz",
        "machine.v1.json",
        "machine.v1-latents.npy",
        "machine.v1-weights.npy",
    ]
    loaded = load_estimator(tmp_path / "machine.v1")
    assert type(loaded) is type(machine) and loaded.get_params() == machine.get_params()
    np.testing.assert_allclose(loaded.decision_function(X), machine.decision_function(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(loaded.leave_one_out(), machine.leave_one_out(), rtol=0, atol=1e-12)


def test_a_loaded_subject_machine_decides_as_the_saved_one(tmp_path):
    machine = SubjectOneClassSVM(n_patches=7).fit(X[:, 0])
    save_estimator(machine, tmp_path / "subject")
    loaded = load_estimator(tmp_path / "subject")
    np.testing.assert_allclose(loaded.decision_function(X[:, 1]), machine.decision_function(X[:, 1]), atol=1e-12)


def test_the_same_machine_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_estimator(VoxelwiseOneClassSVM().fit(X), tmp_path / name)
    for ending in (".npz", ".json", "-latents.npy", "-weights.npy"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_the_controls_latent_vectors_stay_on_the_disk(tmp_path):
    save_estimator(VoxelwiseOneClassSVM().fit(X), tmp_path / "machine")
    latents = load_estimator(tmp_path / "machine").latents_
    assert isinstance(latents, np.memmap)
    np.testing.assert_array_equal(latents, X)


def test_a_machine_in_one_file_as_it_was_written_before_is_read(tmp_path):
    machine = VoxelwiseOneClassSVM().fit(X)
    save_estimator(machine, tmp_path / "old")
    large = {"latents_": "old-latents.npy", "dual_coef_": "old-weights.npy"}
    with np.load(tmp_path / "old.npz") as small:
        np.savez(tmp_path / "old.npz", **small, **{name: np.load(tmp_path / file) for name, file in large.items()})
    for file in large.values():
        (tmp_path / file).unlink()
    np.testing.assert_array_equal(load_estimator(tmp_path / "old").decision_function(X), machine.decision_function(X))


def test_files_that_are_no_estimator_are_refused(tmp_path):
    with pytest.raises(DataError, match="no support estimator"):
        load_estimator(tmp_path / "absent")
    save_estimator(VoxelwiseOneClassSVM().fit(X), tmp_path / "other")
    (tmp_path / "other.json").write_text(json.dumps({"estimator": "os.system", "parameters": {}}))
    with pytest.raises(DataError, match=r"os\.system"):
        load_estimator(tmp_path / "other")
    save_estimator(VoxelwiseOneClassSVM().fit(X), tmp_path / "pickled")
    np.savez(tmp_path / "pickled.npz", offset_=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"allow_pickle|holds objects"):
        load_estimator(tmp_path / "pickled")
