"""Writing is all or nothing."""

import json

import pytest

from synthpet.cohort.files import read_tsv, write_bytes, write_json, write_tsv
from synthpet.errors import DiskError


def test_a_refused_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = write_bytes(tmp_path / "file", b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskError, match="3 bytes needed"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_json_has_no_number_that_json_does_not_know(tmp_path):
    path = write_json(tmp_path / "x.json", {"a": float("nan"), "b": [float("inf"), 1.5]})
    assert json.loads(path.read_text()) == {"a": None, "b": [None, 1.5]}


def test_tables_mark_what_is_missing(tmp_path):
    rows = [{"a": 1.0, "b": None}, {"a": float("nan"), "b": True}]
    assert read_tsv(write_tsv(tmp_path / "x.tsv", rows)) == [{"a": "1", "b": "n/a"}, {"a": "n/a", "b": "true"}]
