"""Configurations and model files from a stranger run no code and claim no memory; the canary file is never made."""

import json
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from synthpet.cohort.images import read_image
from synthpet.command.main import compose
from synthpet.command.safe_config import check_configuration
from synthpet.errors import DataError, SynthPetError, UsageError
from synthpet.generators.registry import GENERATORS
from synthpet.generators.trained import CONFIG, WEIGHTS, TrainedGenerator, load_generator, save_generator
from synthpet.learning.model_files import read_arrays, read_checkpoint
from uad.detectors.control_statistics import ControlStatistics
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.storage import load_autoencoder, save_autoencoder
from uad.detectors.latent.space import LatentSpace

TARGETS = ["os.system", "builtins.eval", "joblib.load", "numpy.load", "torch.load", "builtins.open", "subprocess.Popen"]
GAN = {"spatial_dims": 3, "patch_size": [8, 8, 8], "coordinates": False, "generator": {"channels": [4, 8]}}


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def canary(tmp_path):
    """The file that malicious content would make; the test fails if it is there in the end."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


def write_malicious(kind: str, path: Path, canary: Path) -> Path:
    """A real malicious file; what it would do is shown by ``test_the_malicious_files_are_malicious``."""
    payload = Touch(canary)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(payload))
    elif kind == "joblib":
        joblib.dump({"model": payload}, path)
    elif kind == "torch":
        torch.save({"state_dict": {"step": payload}}, path)
    elif kind == "npy":
        with path.open("wb") as stream:
            np.save(stream, np.array([payload], dtype=object), allow_pickle=True)
    elif kind == "npz":
        with path.open("wb") as stream:
            np.savez(stream, where=np.array([payload], dtype=object))
    return path


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        ("pickle", joblib.load),
        ("joblib", joblib.load),
        ("torch", lambda p: torch.load(p, weights_only=False)),
        ("npy", lambda p: np.load(p, allow_pickle=True)),
        ("npz", lambda p: np.load(p, allow_pickle=True)["where"]),
    ],
)
def test_the_malicious_files_are_malicious(tmp_path, kind, load):
    load(write_malicious(kind, tmp_path / "file", tmp_path / "touched"))
    assert (tmp_path / "touched").exists()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("where", ["gan", "detector", "cohort", "hydra.callbacks.x", "hydra.launcher"])
def test_a_target_in_a_configuration_is_refused(where, target):
    with pytest.raises(UsageError, match=f"E_TARGET.*{where}._target_={target}"):
        compose("uad_train", f"++{where}._target_={target}")


@pytest.mark.parametrize(
    "override",
    ["+hydra.job_logging.handlers.x.class=os.system", "+hydra.hydra_logging.formatters.x.class=os.system",
     "+hydra.job.env_set.LD_PRELOAD=evil.so", "+hydra.job_logging.handlers.x.stream=ext://os.system"],
)  # fmt: skip
def test_other_ways_in_which_hydra_calls_a_name_are_refused(override):
    with pytest.raises(UsageError, match="E_TARGET"):
        compose("train", override)


def test_hydras_own_launchers_and_sweepers_are_let_through():
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module

    with initialize_config_module("synthpet.configs", version_base="1.3"):
        cfg = hydra_compose("train", return_hydra_config=True)
    assert cfg.hydra.launcher._target_.startswith("hydra._internal.core_plugins.")
    check_configuration(cfg)


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "synthpet.train", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("evil", ["callback", "yaml"])
def test_a_folder_of_configurations_from_a_stranger_runs_nothing(tmp_path, canary, evil):
    folder = tmp_path / "theirs" / "gan"
    folder.mkdir(parents=True)
    if evil == "callback":
        text = "# @package _global_\nhydra:\n  callbacks:\n    x:\n      _target_: os.mkdir\n      path: " + str(canary)
    else:
        text = f"x: !!python/object/apply:os.mkdir [{str(canary)!r}]"
    (folder / "evil.yaml").write_text(text)
    result = run(f"--config-dir={tmp_path / 'theirs'}", "+gan@evil=evil", "study=tiny", cwd=tmp_path)
    assert result.returncode == 64, result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.fixture(params=list(GENERATORS.own))
def generator(request, tmp_path):
    """A generator of each method as training leaves it, untrained."""

    folder = tmp_path / "fold-0"
    folder.mkdir()
    gan = GAN | {"method": request.param}
    (folder / CONFIG).write_text(json.dumps({"gan": gan, "precision": "32-true"}))
    save_generator(GENERATORS.load(request.param).build(gan), folder)
    load_generator(TrainedGenerator(folder))
    return folder


@pytest.mark.parametrize("kind", ["pickle", "joblib", "torch", "npy", "npz"])
def test_malicious_weights_are_refused(generator, canary, kind):
    write_malicious(kind, generator / WEIGHTS, canary)
    with pytest.raises(DataError, match="E_MODEL"):
        load_generator(TrainedGenerator(generator))


def test_a_python_tag_in_the_options_of_a_generator_is_refused(generator, canary):
    (generator / CONFIG).write_text(f"gan: !!python/object/apply:os.mkdir [{str(canary)!r}]\nprecision: 32-true\n")
    with pytest.raises(DataError, match="E_MODEL"):
        load_generator(TrainedGenerator(generator))


@pytest.mark.parametrize(
    "change",
    [
        {"generator": {"channels": [200_000, 200_000]}},
        {"generator": {"channels": [4, 8], "blocks": 10**9}},
        {"generator": {"channels": [4] * 1000}},
        {"generator": {"channels": [4, 8], "_target_": "os.system"}},
        {"patch_size": [10**6, 10**6, 10**6]},
        {"patch_size": "huge"},
        {"spatial_dims": 10**12},
        {"generator": None},
    ],
)
def test_options_that_claim_a_gigantic_network_allocate_nothing(generator, change):
    config = json.loads((generator / CONFIG).read_text())
    (generator / CONFIG).write_text(json.dumps(config | {"gan": config["gan"] | change}))
    assert_small(lambda: load_generator(TrainedGenerator(generator)))


@pytest.mark.parametrize("length", [2**20, 2**40, 2**62])
def test_a_safetensors_header_that_claims_more_than_the_file_holds_is_refused(generator, length):
    header = json.dumps({"x": {"dtype": "F32", "shape": [length // 4], "data_offsets": [0, length]}}).encode()
    (generator / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)
    assert_small(lambda: load_generator(TrainedGenerator(generator)))
    (generator / WEIGHTS).write_bytes(length.to_bytes(8, "little") + header)
    assert_small(lambda: load_generator(TrainedGenerator(generator)))


def assert_small(load):
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="E_MODEL"):
            load()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_an_autoencoder_from_a_stranger_is_held_to_its_weights(tmp_path, canary):
    model = SiameseAutoencoder(latent_dim=4, channels=(4, 4))
    save_autoencoder(model, tmp_path)
    options = tmp_path / "autoencoder.json"
    options.write_text(json.dumps({"model": model.options}))
    assert load_autoencoder(tmp_path).latent_dim == 4
    options.write_text(json.dumps({"model": model.options | {"latent_dim": 10**9}}))
    with pytest.raises(DataError, match="no siamese autoencoder"):
        load_autoencoder(tmp_path)
    options.write_text(json.dumps({"model": model.options}))
    write_malicious("torch", tmp_path / "autoencoder.safetensors", canary)
    with pytest.raises(DataError, match="no siamese autoencoder"):
        load_autoencoder(tmp_path)
    save_file({"encoders.0.0.weight": np.zeros((1, 1), np.float32)}, tmp_path / "autoencoder.safetensors")
    with pytest.raises(DataError, match="tensors differ"):
        load_autoencoder(tmp_path)


@pytest.mark.parametrize("kind", ["pickle", "joblib", "torch", "npy", "npz"])
@pytest.mark.parametrize("load", [read_arrays, LatentSpace.load, ControlStatistics.load])
def test_malicious_arrays_are_refused(tmp_path, canary, kind, load):
    path = write_malicious(kind, tmp_path / "arrays.npz", canary)
    with pytest.raises(DataError, match="E_MODEL"):
        load(path)


def write_npz(path, header: dict, content: bytes, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive, archive.open("x.npy", "w", force_zip64=True) as stream:
        np.lib.format.write_array_header_1_0(stream, {"fortran_order": False, "descr": "<f4"} | header)
        stream.write(content)
    return path


def test_arrays_that_claim_a_gigantic_shape_allocate_nothing(tmp_path):
    assert read_arrays(write_npz(tmp_path / "good.npz", {"shape": (2,)}, bytes(8)))["x"].tolist() == [0, 0]
    path = write_npz(tmp_path / "bad.npz", {"shape": (10**12,)}, bytes(8))
    assert_small(lambda: read_arrays(path))


def test_an_archive_that_unpacks_to_a_gigabyte_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, {"shape": (2**28,), "fortran_order": False, "descr": "|u1"})
        for _ in range(16):
            stream.write(bytes(2**24))
    assert path.stat().st_size < 300_000
    assert_small(lambda: read_arrays(path))


def test_a_flipped_byte_in_an_archive_is_seen(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, x=np.arange(100.0))
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="checksum"):
        read_arrays(path)


@pytest.mark.parametrize("kind", ["pickle", "joblib", "torch", "npy"])
def test_a_malicious_checkpoint_is_refused(tmp_path, canary, kind):
    with pytest.raises(DataError, match="E_CHECKPOINT"):
        read_checkpoint(write_malicious(kind, tmp_path / "last.ckpt", canary))


def test_a_resumed_training_refuses_a_malicious_checkpoint(shared_cohort, tmp_path, canary, monkeypatch):
    from synthpet.generators.crossfit import ensure_generators
    from synthpet.learning.checkpoints import SaveCheckpoint
    from tests.test_training import configure, fold_folder

    cfg = configure(shared_cohort, tmp_path)
    save = SaveCheckpoint.on_train_epoch_end

    def save_then_stop(self, trainer, module):
        save(self, trainer, module)
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(SaveCheckpoint, "on_train_epoch_end", save_then_stop)
        with pytest.raises(RuntimeError, match="power cut"):
            ensure_generators(cfg)
    (checkpoint,) = fold_folder(cfg).glob("*.ckpt")
    write_malicious("torch", checkpoint, canary)
    with pytest.raises(SynthPetError, match="E_CHECKPOINT"):
        ensure_generators(cfg)
    assert not (fold_folder(cfg) / WEIGHTS).exists()


@pytest.mark.parametrize("kind", ["pickle", "torch", "npy"])
def test_a_malicious_file_named_as_an_image_is_refused(tmp_path, canary, kind):
    with pytest.raises(DataError):
        read_image(write_malicious(kind, tmp_path / "image.nii", canary))
