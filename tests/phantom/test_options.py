"""The phantom's options: typed, and the same in manifests as in the configuration files."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from synthpet.command.main import compose, typed
from synthpet.errors import UsageError
from synthpet.phantom.cohort import ensure_phantom
from synthpet.phantom.options import PhantomStudy
from synthpet.runtime.options import Study
from tests.conftest import study


def test_a_manifest_holds_the_configuration_so_that_finished_cohorts_stay_up_to_date():
    for options in ((), ("cohort.resolution_mm=4", "cohort.age=[30,31.5]", "cohort.scan.motion_mm=2")):
        group = OmegaConf.to_container(compose("phantom", *options).cohort, resolve=True)
        del group["path"], group["modalities"]  # which one could not ask for before
        assert study("phantom", *options).people.manifest() == group


def test_every_command_makes_the_same_cohort(tmp_path):
    few = [
        "study=tiny",
        "cohort.resolution_mm=9",
        *(f"cohort.n_{role}=1" for role in ("paired", "unpaired", "heldout")),
    ]
    roots = [
        ensure_phantom(typed(kind, compose(name, f"work_dir={tmp_path / name}", "compute.n_jobs=1", *few)))
        for name, kind in (("phantom", PhantomStudy), ("train", Study))
    ]
    first, second = (json.loads((root / "run.json").read_text()) for root in roots)
    assert first["config"] == second["config"]
    assert first["outputs"] == second["outputs"]


def test_a_registration_is_no_folder_and_a_folder_no_registration():
    affine, real = (study("phantom", f"anatomy={value}") for value in ("affine", "outputs/mine/cohort"))
    assert (affine.people.anatomy, affine.real_anatomy) == ("affine", None)
    assert (real.people.anatomy, real.real_anatomy) == ("syn", Path("outputs/mine/cohort"))


def test_a_cohort_that_is_not_simulated_has_no_people_to_simulate(tmp_path):
    asked = study("phantom", "cohort=folder", f"cohort.path={tmp_path}", "cohort.name=mine")
    with pytest.raises(UsageError, match="was not given"):
        _ = asked.people
