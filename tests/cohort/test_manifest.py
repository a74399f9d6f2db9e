"""What the manifest of a finished stage says, and what it refuses to be."""

from pathlib import Path

import pytest

from synthpet.cohort.files import sha256, write_json
from synthpet.cohort.manifest import MANIFEST, Manifest, input_name
from synthpet.errors import DataError


def written(folder: Path) -> Manifest:
    file = folder / "maps" / "a.txt"
    file.parent.mkdir()
    file.write_text("a")
    about = {"bytes": 1, "sha256": sha256(file)}
    inputs = {"gan-x/fold-1/weights": "1", "gan-x/fold-11/weights": "11"}
    manifest = Manifest(folder / MANIFEST, "step", {"seed": 0}, inputs, {"maps/a.txt": about}, {"numpy": "2"}, 1.5)
    manifest.write()
    return manifest


def test_what_is_written_is_read(tmp_path):
    manifest = written(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    assert list(manifest.told()) == ["stage", "config", "inputs", "outputs", "versions"]
    assert list(manifest.files()) == [tmp_path / "maps" / "a.txt"]


def test_none_is_empty_and_says_nothing(tmp_path):
    nothing = Manifest.read(tmp_path)
    assert not nothing.exists and nothing.told() == {} and nothing.inputs == {} and not list(nothing.files())
    nothing.check()


def test_an_input_is_known_by_the_whole_parts_of_its_end(tmp_path):
    manifest = written(tmp_path)
    assert manifest.input_at(Path("fold-1/weights")) == "1"
    assert manifest.input_at(Path("old-1/weights")) == "" == manifest.input_at(Path("fold-2/weights"))
    assert input_name(Path("/home/me/gan-x/fold-1/weights")) == "gan-x/fold-1/weights"


def test_a_file_that_changed_is_named(tmp_path):
    manifest = written(tmp_path)
    manifest.check()
    (tmp_path / "maps" / "a.txt").write_text("b")
    assert manifest.has_sizes()  # the quick look does not see it
    with pytest.raises(DataError, match=r"E_CHANGED .*a.txt"):
        manifest.check()


def test_what_lies_outside_of_the_folder_is_not_its(tmp_path):
    write_json(tmp_path / "in" / MANIFEST, {"outputs": {"../secret": {"bytes": 0}, "mine": {}}})
    manifest = Manifest.read(tmp_path / "in")
    assert [path.name for path in manifest.files()] == ["mine"]
    with pytest.raises(DataError, match="E_MANIFEST"):
        manifest.check()


@pytest.mark.parametrize("content", [{"inputs": []}, {"outputs": "all"}, {"config": None}, {"seconds": "1"}])
def test_what_is_no_manifest_is_refused(tmp_path, content):
    write_json(tmp_path / MANIFEST, content)
    with pytest.raises(DataError, match=r"E_MANIFEST .*run.json"):
        Manifest.read(tmp_path)
