"""The template, and a few simulated people, shared by the tests of the phantom."""

from pathlib import Path

import pytest

from synthpet.cohort import Cohort
from synthpet.phantom.cohort import ensure_phantom
from synthpet.phantom.template import Template, load_template
from tests.conftest import study


@pytest.fixture(scope="session")
def template() -> Template:
    return load_template(5.0)


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory) -> Cohort:
    folder = tmp_path_factory.mktemp("phantom-tiny")
    return Cohort.open(ensure_phantom(study("phantom", "study=tiny", f"work_dir={folder}", "compute.n_jobs=1")))


@pytest.fixture
def small(tmp_path: Path):
    """Options of a cohort of very few subjects at 5 mm."""

    def configure(name: str, *overrides: str):
        counts = ("cohort.n_paired=2", "cohort.n_unpaired=0", "cohort.n_heldout=0", "cohort.n_patients=1")
        fast = ("compute.n_jobs=1", f"work_dir={tmp_path / name}")
        return study("phantom", "study=tiny", *counts, *fast, *overrides)

    return configure
