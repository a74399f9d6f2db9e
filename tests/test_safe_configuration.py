"""A configuration from a stranger, or what lies in the current folder, runs nothing, reads nothing and ends soon."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins

from synthpet.command.main import compose
from synthpet.command.plain_yaml import check_yaml_file, resolvers
from synthpet.errors import UsageError


def touching(canary: Path) -> str:
    return f"from pathlib import Path\nPath({str(canary)!r}).touch()\n"


@pytest.fixture
def canary(tmp_path):
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("option", ["--experimental-rerun", "--experimental-r"])
def test_a_former_run_is_never_unpickled(tmp_path, canary, option):
    (tmp_path / "config.pickle").write_bytes(pickle.dumps(Touch(canary)))
    command = [sys.executable, "-m", "synthpet.train", option, str(tmp_path / "config.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 64 and "would read a pickle" in done.stderr


def test_plugins_outside_the_installation_are_not_looked_for(tmp_path, canary, monkeypatch):
    compose("train")  # guards Hydra
    for name in ("__init__.py", "evil.py"):
        (tmp_path / "hydra_plugins").mkdir(exist_ok=True)
        (tmp_path / "hydra_plugins" / name).write_text(touching(canary))
    monkeypatch.syspath_prepend(tmp_path)
    plugins = object.__new__(Plugins)
    plugins._initialize()
    assert "hydra_plugins" not in sys.modules
    assert any("BasicLauncher" in name for name in plugins.class_name_to_class)
    assert sys.path[0] == str(tmp_path)  # as it was before


@pytest.mark.parametrize("place", ["pkg://stranger", "pkg://stranger.configs", "structured://stranger"])
def test_a_search_path_is_a_folder_not_a_package(tmp_path, canary, monkeypatch, place):
    (tmp_path / "stranger" / "configs").mkdir(parents=True)
    (tmp_path / "stranger" / "__init__.py").write_text(touching(canary))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"E_SEARCHPATH.*expected a folder"):
        compose("train", f"hydra.searchpath=['{place}']")


def test_a_folder_of_configurations_is_still_found(tmp_path):
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "mine.yaml").write_text("defaults: [patch3d]\nname: mine\nn_steps: 7\n")
    cfg = compose("train", f"hydra.searchpath=['{tmp_path}']", "gan=mine")
    assert (cfg.gan.name, cfg.gan.n_steps, cfg.gan.n_folds) == ("mine", 7, 4)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}, *a{k - 1}]\n" for k in range(1, 40))


@pytest.mark.parametrize(
    "text", [BOMB, "a: &a [*a]", "[" * 500, "a: 1\n" * 30_000, "".join(f"a{k}: $" + "{b}${c}\n" for k in range(40))]
)
def test_a_file_that_unfolds_without_end_is_refused_at_once(tmp_path, text):
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "theirs.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"E_YAML.*theirs.yaml.*expected"):
        compose("train", f"hydra.searchpath=['{tmp_path}']", "gan=theirs")


def test_a_pipe_is_no_configuration(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UsageError, match="no plain file"):
        check_yaml_file(tmp_path / "pipe.yaml")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("${oc.env:HOME}", ["oc.env"]), ("a/${ oc.env : HOME }", ["oc.env"]), ("${a.${oc.env:HOME}}", ["oc.env"]),
        ("${${x}:HOME}", ["${x}"]), ("${work_dir}/a:b", []), (r"\${oc.env:HOME}", []), ("${", []), (3, []),
    ],
)  # fmt: skip
def test_what_a_value_would_call_is_seen_however_it_is_written(value, found):
    assert list(resolvers(value)) == found


@pytest.mark.parametrize(
    "override",
    ["gan.name=${oc.env:SECRET}", "+x=[{y:'${oc.env:SECRET}'}]", "cohort.name='${oc.decode:${oc.env:SECRET}}'",
     "hydra.job.name=${oc.env:SECRET}", "+x=${oc.select:work_dir}"],
)  # fmt: skip
def test_the_environment_does_not_reach_a_configuration(monkeypatch, override):
    monkeypatch.setenv("SECRET", "canary-of-the-environment")
    with pytest.raises(UsageError, match="E_RESOLVER") as refused:
        compose("train", override)
    assert "canary" not in str(refused.value)


def test_a_default_of_a_file_does_not_reach_the_environment_either(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "canary-of-the-environment")
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "theirs.yaml").write_text("defaults:\n  - ${oc.env:SECRET}\n")
    with pytest.raises(UsageError, match="E_RESOLVER") as refused:
        compose("train", f"hydra.searchpath=['{tmp_path}']", "gan=theirs")
    assert "canary" not in str(refused.value)


def test_one_option_may_still_name_another():
    assert compose("train", "work_dir=/somewhere/${gan.name}").work_dir == "/somewhere/patch3d"


@pytest.mark.parametrize(
    "override",
    ["hydra.run.dir=/elsewhere", "hydra.sweep.subdir=../../x", "hydra.job.chdir=true", "hydra.job.name=../../x",
     "hydra.output_subdir=../x", "hydra.job_logging.handlers.file.filename=/elsewhere/.profile"],
)  # fmt: skip
def test_hydra_writes_nowhere_by_itself(override):
    with pytest.raises(UsageError, match=r"E_TARGET.*no folder or log"):
        compose("train", override)
