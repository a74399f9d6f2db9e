"""The locked install: the same versions as constraints.txt, hashes for all, nothing missing that the others need."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = ("dask", "dev", "registration")  # jupyterlab (the extra notebooks) is no part of it: SECURITY.md


def entries() -> dict[str, tuple[str, list[str]]]:
    """Version and hashes by package."""
    text = (ROOT / "requirements-lock.txt").read_text().replace("\\\n", " ")
    lines = [line.split("#")[0] for line in text.splitlines() if line.split("#")[0].strip()]
    found = [(Requirement(line.partition("--hash")[0].strip()), re.findall(r"--hash=(\S+)", line)) for line in lines]
    return {canonicalize_name(r.name): (str(r.specifier).removeprefix("=="), hashes) for r, hashes in found}


LOCK = entries()
PINS = {
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    if version
}


def needed() -> list[Requirement]:
    """What pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in {*project["dependencies"], *extras}]


def test_every_package_has_one_version_and_hashes():
    for name, (version, hashes) in LOCK.items():
        assert re.fullmatch(r"[\w.+!]+", version), name
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", found) for found in hashes), name


@pytest.mark.parametrize("requirement", sorted(needed(), key=str), ids=str)
def test_what_the_project_needs_is_locked_as_it_is_pinned(requirement):
    name = canonicalize_name(requirement.name)
    version, _ = LOCK[name]
    assert version in requirement.specifier
    assert PINS[name] == version


def test_no_version_differs_from_its_pin():
    assert {name: version for name, (version, _) in LOCK.items() if PINS.get(name, version) != version} == {}


def test_nothing_is_missing_that_a_locked_package_needs():
    """It is installed with --no-deps. Asked of the packages that are installed here."""
    missing = set()
    for name in LOCK:
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # of another system
            continue
        for requirement in map(Requirement, lines):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and canonicalize_name(requirement.name) not in LOCK:
                missing.add(f"{requirement.name} (for {name})")
    assert missing == set()
