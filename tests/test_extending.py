"""What docs/extending.md shows: a generator from a package of one's own, without a change of this project."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from synthpet.generators.options import SET_BY_STUDIES, SHARED
from tests.test_readme import ROOT
from tests.uad.test_extending import write_package

pytestmark = pytest.mark.slow  # whole stages, a minute


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extending")
    write_package(folder / "site")
    command = [
        sys.executable, "-m", "synthpet.evaluate", "study=tiny", "gan=linear", "logger=local", "compute.n_jobs=1",
        "cohort.resolution_mm=8", "trainer.accelerator=cpu", "complete.residual=none",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "outputs/phantom-tiny"


def test_a_generator_of_a_package_is_trained_completes_and_is_evaluated(evaluated):
    quality = json.loads((evaluated / "synthetic-linear/quality.json").read_text())
    assert quality
    assert (evaluated / "synthetic-linear/report.html").is_file()
    fold = evaluated / "gan-linear/fold-0"
    assert "generator (linear)" in (fold / "MODEL_CARD.md").read_text()
    assert yaml.safe_load((fold / "config.yaml").read_text())["gan"]["method"] == "linear"


def test_an_option_that_it_does_not_have_is_refused(evaluated, tmp_path):
    command = [sys.executable, "-m", "synthpet.train", "study=tiny", "gan=linear", "+gan.depth=3", "logger=local"]
    environment = os.environ | {"PYTHONPATH": str(evaluated.parents[1] / "site")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 64 and "gan.depth: no option of gan=linear" in done.stderr, done.stderr
    assert not list(tmp_path.rglob("*.nii.gz"))


def test_studies_set_nothing_of_a_generator_but_what_every_method_reads_or_passes_over():
    for path in (ROOT / "configs/study").glob("*.yaml"):
        gan = yaml.safe_load(path.read_text()).get("gan", {})
        assert set(gan) <= {*SHARED, *SET_BY_STUDIES}, path
