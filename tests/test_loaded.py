"""What is loaded is what was written, and a stranger's folder cannot lead astray, wait for ever or fill the memory."""

import json
import os

import numpy as np
import pytest

from synthpet.cohort import read_folds
from synthpet.cohort.files import new_array, sha256, write_array, write_json
from synthpet.cohort.text import read_rows
from synthpet.errors import DataError
from synthpet.generators.trained import CONFIG, TrainedGenerator
from synthpet.learning.model_files import read_arrays
from synthpet.prepare.spaces.native import NativeSpace
from synthpet.prepare.spaces.transform import AFFINE
from uad.findings.calibrated import CALIBRATION, read_calibration

FOLD = {"index": 0, "train": ["sub-01"], "test": ["sub-02"]}


@pytest.mark.parametrize(
    "content",
    [
        "[]", "{}", "null", "", "[1]", '[{"index": 0}]', "[" * 100_000, json.dumps([FOLD] * 2),
        json.dumps([{**FOLD, "index": k} for k in range(2000)]), json.dumps([{**FOLD, "index": "../../elsewhere"}]),
        json.dumps([{**FOLD, "index": -1}]), json.dumps([{**FOLD, "index": True}]),
        json.dumps([{**FOLD, "train": ["../sub-01"]}]), json.dumps([{**FOLD, "test": "sub-02"}]),
    ],
)  # fmt: skip
def test_folds_of_another_form_are_refused(tmp_path, content):
    (tmp_path / "folds.json").write_text(content)
    with pytest.raises(DataError, match=r"E_(FOLDS|JSON) .*folds.json"):
        read_folds(tmp_path / "folds.json")


@pytest.mark.parametrize("read", [read_folds, sha256, read_arrays, lambda p: TrainedGenerator(p.parent).config])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, read):
    path = tmp_path / CONFIG
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"E_(TEXT|NOT_FILE|MODEL) .*config.yaml"):
        read(path)


@pytest.mark.parametrize("text", ["a: &a [1]\nb: *a\n", "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}' if k else '1'] * 9)}]\n" for k in range(20)
), "[" * 2000, "a: !!python/name:os.system ''"])  # fmt: skip
def test_a_configuration_that_unfolds_is_refused_at_once(tmp_path, text):
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(DataError, match=r"E_MODEL .*config.yaml"):
        _ = TrainedGenerator(tmp_path).config


def test_a_manifest_that_does_not_list_the_weights_vouches_for_nothing(tmp_path):
    write_json(tmp_path / "run.json", {"outputs": {}})
    with pytest.raises(DataError, match="E_MANIFEST"):
        TrainedGenerator(tmp_path).check()
    about = {"sha256": sha256(write_json(tmp_path / "x", 1))}
    (tmp_path / CONFIG).write_text("1\n")
    listed = dict.fromkeys((CONFIG, "generator.safetensors", "metrics.jsonl"), about)
    write_json(tmp_path / "run.json", {"outputs": listed})
    with pytest.raises(DataError, match=r"E_MISSING .*generator.safetensors"):
        TrainedGenerator(tmp_path).check()
    (tmp_path / "generator.safetensors").write_text("1\n")
    TrainedGenerator(tmp_path).check()  # the log need not come along
    write_json(tmp_path / "run.json", {"outputs": {**listed, "../x": about}})
    with pytest.raises(DataError, match="E_MANIFEST"):
        TrainedGenerator(tmp_path).check()


@pytest.mark.parametrize(
    "change", [{"shape": [1000, 1000, 1000]}, {"shape": [1, 2]}, {"shape": [0, 1, 1]}, {"shape": [1.5, 1, 1]},
               {"affine": [[1]]}, {"affine": np.zeros((4, 4)).tolist()}, {"shape": None}]
)  # fmt: skip
def test_a_grid_that_no_t1_has_is_refused(tmp_path, change):
    (tmp_path / AFFINE).write_text("#Insight Transform File V1.0\n")
    write_json(tmp_path / "about.json", {"native_grid": {"shape": [9, 9, 9], "affine": np.eye(4).tolist()} | change})
    with pytest.raises(DataError, match=r"E_GRID .*about.json: native_grid cannot be that of a T1"):
        NativeSpace.read(tmp_path)


def test_transforms_that_are_none_are_refused(tmp_path):
    write_json(tmp_path / "about.json", {"native_grid": {"shape": [9, 9, 9], "affine": np.eye(4).tolist()}})
    for text in ("", "no transform", "x" * 2_000_000):
        (tmp_path / AFFINE).write_text(text)
        with pytest.raises(DataError, match="E_TRANSFORM"):
            NativeSpace.read(tmp_path)


@pytest.mark.parametrize("tail", ["", '{"step": 2, "a"', '{"step": 2}{"st\n{"step": 3}', "\0\0\0\0", "\xff", "[]\n"])
def test_rows_are_read_up_to_the_last_whole_one(tmp_path, tail):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 0}\n{"step": 1}\n' + tail.encode("latin-1"))
    assert read_rows(path) == [{"step": 0}, {"step": 1}]


def test_a_torn_row_stops_no_training_from_going_on(tmp_path):
    from synthpet.learning.progress import MetricsFile

    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 9, "train/x": 0.1}\n{"step": 19, "tr')
    MetricsFile(path, keep_until=20).log_metrics({"train/x": 0.25}, 29)
    assert path.read_text() == '{"step": 9, "train/x": 0.1}\n{"step": 29, "train/x": 0.25}\n'


def test_incomplete_arrays_and_a_calibration_of_another_form_are_named(tmp_path):
    np.savez(tmp_path / "some.npz", mean=np.zeros(2))
    with pytest.raises(DataError, match=r"E_MODEL .*some.npz: cannot be read \(no spread\)"):
        read_arrays(tmp_path / "some.npz", ("mean", "spread"))
    for content in ({}, {"control_counts": 1, "edge": {}, "definitions": {}, "interval": [0, 1], "x": 1}):
        write_json(tmp_path / CALIBRATION, content)
        with pytest.raises(DataError, match=r"E_CALIBRATION .*calibration.json"):
            read_calibration(tmp_path)


def test_arrays_are_written_whole_part_by_part(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(np.load(write_array(tmp_path / "a.npy", array)), array)
    made = new_array(tmp_path / "b.npy", (2, 3), np.float64)
    made[:] = 5
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), np.full((2, 3), 5.0))
