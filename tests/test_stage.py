"""A stage runs once for a configuration and its inputs."""

import json
from contextlib import contextmanager

import pytest

from synthpet.stage import Stage


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
    import synthpet.stage as module

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
