"""Packages that are installed add detectors, generators and their configurations; a configuration adds no code."""

import subprocess
import sys
from pathlib import Path

import pytest

from synthpet.command.allowed import METHODS
from synthpet.command.main import compose
from synthpet.errors import UsageError
from synthpet.runtime.registry import installed
from uad.detectors.registry import DETECTORS

FILES = {
    "toy-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 0.1\n",
    "toy-0.1.dist-info/entry_points.txt": """[synthpet.configs]
toy = toy.configs

[uad.detectors]
toy = toy.detector:Toy
zmap = toy.detector:Toy

[synthpet.generators]
toy = toy.generator:Toy
""",
    "toy/__init__.py": "",
    "toy/detector.py": "class Toy: pass\n",
    "toy/configs/__init__.py": "",
    "toy/configs/detector/toy.yaml": "# A toy.\nname: toy\nmethod: toy\nseeds: [0]\nnu: wide # as a toy has it\n",
    "toy/configs/detector/zmap.yaml": "name: not ours\n",
    "toy/configs/gan/toy.yaml": "name: toy\nmethod: toy\nn_folds: 3\ndepth: 2\npatch_size: [7, 7, 7]\n",
    "toy/configs/gan/evil.yaml": "name: evil\n_target_: os.system\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package on the module path, as if it were installed."""
    write(tmp_path, FILES)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy"]:
        del sys.modules[name]


def test_our_own_methods_are_those_of_the_registry():
    assert set(METHODS["detector"].words) == set(DETECTORS.own)


def test_a_package_adds_a_detector_with_options_of_its_own(toy):
    assert installed("uad.detectors")["toy"] == "toy.detector:Toy"
    cfg = compose("uad_train", "detector=toy", "+detector.size=4")
    assert (cfg.detector.method, cfg.detector.size, cfg.detector.nu) == ("toy", 4, "wide")
    assert DETECTORS.load("toy").__name__ == "Toy"


def test_a_package_adds_a_generator_with_options_of_its_own(toy):
    cfg = compose("train", "gan=toy")
    assert (cfg.gan.method, cfg.gan.depth) == ("toy", 2)


def test_what_every_method_has_is_still_judged(toy):
    with pytest.raises(UsageError, match=r"gan\.n_folds=1: expected a whole number, 2 or more"):
        compose("train", "gan=toy", "gan.n_folds=1")
    with pytest.raises(UsageError, match=r"detector\.seeds=\[\]: expected a list, not empty"):
        compose("uad_train", "detector=toy", "detector.seeds=[]")
    with pytest.raises(UsageError, match=r"detector\.size: no such option"):
        compose("uad_train", "detector=toy", "detector.method=zmap", "+detector.size=4", "detector.nu=0.1")


def test_a_package_replaces_nothing_of_ours(toy):
    assert compose("uad_train", "detector=zmap").detector.name == "zmap"
    assert DETECTORS.load("zmap").__module__ == "uad.detectors.zmap"


def test_a_configuration_of_a_package_calls_nothing_either(toy):
    with pytest.raises(UsageError, match="E_TARGET"):
        compose("train", "gan=evil")


def test_a_configuration_still_names_no_package(toy):
    with pytest.raises(UsageError, match="E_SEARCHPATH"):
        compose("train", "hydra.searchpath=['pkg://toy.configs']")


def test_without_the_package_its_method_is_refused_with_those_that_are_there():
    with pytest.raises(UsageError, match=r"detector\.method='toy': expected one of zmap, asymmetry"):
        compose("uad_train", "detector.method=toy")
    with pytest.raises(UsageError, match=r"gan\.method='toy': expected one of conditional_gan"):
        compose("train", "+gan.method=toy")
    assert compose("train", "+gan.method=conditional_gan").gan.method == "conditional_gan"


def run(*arguments: str, places: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(places), "PATH": "/usr/bin:/bin", "HOME": str(places)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_help_shows_what_a_package_adds(tmp_path):
    write(tmp_path, FILES)
    shown = run("uad.train", "--help", "detector=toy", places=tmp_path)
    assert shown.returncode == 0 and "* toy " in shown.stdout and "A toy." in shown.stdout
    assert "as a toy has it" in shown.stdout


def test_a_package_that_cannot_be_imported_is_left_out_with_a_word(tmp_path):
    write(tmp_path, FILES | {"toy/__init__.py": "1 / 0\n"})
    shown = run("uad.train", "--help", places=tmp_path)
    assert shown.returncode == 0 and "OPTIONS" in shown.stdout
    assert "toy.configs (toy) cannot be read and are left out: division by zero" in shown.stderr
