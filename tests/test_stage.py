"""A stage runs once for a configuration and its inputs."""

import json
from contextlib import contextmanager

import pytest

from synthpet.cohort.files import sha256
from synthpet.errors import DataError
from synthpet.runtime.stage import Stage


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_text("one")
    return path


def make_stage(folder, source, **config):
    calls = []

    def make():
        calls.append(1)
        result = folder / "result.txt"
        result.write_text(source.read_text())
        return [result]

    return Stage("test", folder, config, (source,)), make, calls


def test_a_second_run_is_up_to_date(tmp_path, source):
    stage, make, calls = make_stage(tmp_path / "out", source, a=1)
    assert stage.ensure(make) is True
    assert stage.ensure(make) is False
    assert len(calls) == 1


def test_a_changed_input_configuration_or_output_runs_it_again(tmp_path, source):
    stage, make, calls = make_stage(tmp_path / "out", source, a=1)
    stage.ensure(make)
    source.write_text("two")
    assert stage.ensure(make)
    assert Stage("test", stage.folder, {"a": 2}, (source,)).ensure(make)
    (stage.folder / "result.txt").unlink()
    assert Stage("test", stage.folder, {"a": 2}, (source,)).ensure(make)
    assert len(calls) == 4


def test_what_another_process_made_while_this_one_waited_is_not_made_again(tmp_path, source, monkeypatch):
    import synthpet.runtime.stage as module

    stage, make, calls = make_stage(tmp_path / "out", source)
    real = module.locked

    @contextmanager
    def made_meanwhile(folder, doing):
        monkeypatch.setattr(module, "locked", real)
        stage.ensure(make)
        with real(folder, doing):
            yield

    monkeypatch.setattr(module, "locked", made_meanwhile)
    assert stage.ensure(make) is False and len(calls) == 1


def test_an_interrupted_stage_is_not_current(tmp_path, source):
    stage, make, _ = make_stage(tmp_path / "out", source)
    stage.ensure(make)

    def interrupted():
        raise KeyboardInterrupt

    source.write_text("two")
    with pytest.raises(KeyboardInterrupt):
        stage.ensure(interrupted)
    assert not stage.is_current()


def test_the_manifest_names_no_folder_of_the_machine(tmp_path, source):
    deep = tmp_path / "private-name" / "a" / "b" / "c.txt"
    deep.parent.mkdir(parents=True)
    deep.write_text("x")
    Stage("test", tmp_path / "out", {}, (deep,)).ensure(list)
    manifest = (tmp_path / "out" / "run.json").read_text()
    assert "private-name" not in manifest
    assert list(json.loads(manifest)["inputs"]) == ["a/b/c.txt"]


def test_an_input_that_is_replaced_while_the_stage_runs_leaves_no_manifest(tmp_path, source):
    stage, make, _ = make_stage(tmp_path / "out", source)

    def replaced():
        written = make()
        source.write_text("two")
        return written

    with pytest.raises(DataError, match=r"E_REPLACED .*source.txt: 1 of 1 inputs of test .*run the same command again"):
        stage.ensure(replaced)
    assert not stage.is_written()
    before = {source: sha256(source)}
    source.write_text("three")
    with pytest.raises(DataError, match="E_REPLACED"):  # replaced between being read and the stage
        stage.ensure(make, before)
    assert stage.ensure(make) and (stage.folder / "result.txt").read_text() == "three"


def test_what_is_loaded_is_held_to_the_hash_that_it_was_written_with(tmp_path, source):
    stage, make, _ = make_stage(tmp_path / "out", source)
    stage.ensure(make)
    stage.check_outputs()
    (stage.folder / "result.txt").write_text("onf")
    assert stage.is_written()  # as many bytes
    with pytest.raises(DataError, match=r"E_CHANGED .*result.txt: SHA-256 \w+; expected 7692c3ad3540.*made anew"):
        stage.check_outputs()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"outputs": []}', '{"outputs": {"a": 1}}', "[" * 100_000])
def test_a_manifest_of_another_form_is_none(tmp_path, source, text):
    stage, make, calls = make_stage(tmp_path / "out", source)
    stage.ensure(make)
    (stage.folder / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"E_(JSON|MANIFEST) .*run.json"):
        stage.check_outputs()
    assert stage.ensure(make) and len(calls) == 2


def test_inputs_can_be_named_by_what_they_are(tmp_path, source):
    Stage("test", tmp_path / "out", {}, {"t1w": source}).ensure(list)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["inputs"] == {"t1w": sha256(source)}
