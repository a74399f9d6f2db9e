"""A small cohort on disk that any test can use: simple shapes, real writers."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthpet.cohort import Cohort, Grid, Subject, write_image
from synthpet.cohort.index import write_participants
from synthpet.cohort.names import image_path

GRID = Grid.of((20, 24, 20), np.array([[5.0, 0, 0, -47.5], [0, 5.0, 0, -60], [0, 0, 5.0, -45], [0, 0, 0, 1]]))
STUDIES = {
    "phantom": "synthpet.phantom.options:PhantomStudy",
    "prepare": "synthpet.prepare.options:PrepareStudy",
    "train": "synthpet.generators.options:TrainingStudy",
    "complete": "synthpet.completion.options:CompletionStudy",
    "evaluate": "synthpet.quality.options:QualityStudy",
    "validate": "synthpet.checks.options:ValidationStudy",
    "uad_train": "uad.detectors.options:DetectorStudy",
    "uad_evaluate": "uad.findings.options:EvaluationStudy",
}
BY_COMMAND = {
    "compare": "synthpet.compare:generators_study",
    "uad_compare": "uad.compare:comparison_study",
    "uad_detect": "uad.detect:detection_study",
}
ROLES = ("paired",) * 4 + ("unpaired",) * 2 + ("heldout", "patient")


def ellipsoid(scale: float) -> np.ndarray:
    """A mask in the middle of the grid, (20, 24, 20)."""
    index = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij"))
    return (index**2).sum(axis=0) < scale**2


def write_subject(root: Path, subject: Subject, seed: int) -> None:
    """T1 with a bright core of individual size, PET that is its inverse, brain mask."""
    rng = np.random.default_rng(seed)
    mask, core = ellipsoid(0.9), ellipsoid(0.4 + 0.3 * rng.random())
    t1w = np.where(mask, 0.3 + 0.7 * core + 0.02 * rng.standard_normal(GRID.shape), 0).astype(np.float32)
    pet = np.where(mask, 1.2 - 0.6 * core + 0.02 * rng.standard_normal(GRID.shape), 0).astype(np.float32)
    images = {"t1w": t1w, "brain_mask": mask}
    images["withheld_pet" if subject.role == "unpaired" else "pet"] = pet
    for kind, data in images.items():
        write_image(root / image_path(subject.participant_id, kind, res="5mm"), data, GRID)


def write_cohort(root: Path, first_seed: int = 0) -> Cohort:
    """Four paired, two unpaired, one held-out control and one patient."""
    subjects = [
        Subject(f"sub-{k:02d}", "patient" if role == "patient" else "control", role, 30.0 + k, "F", "siteA")
        for k, role in enumerate(ROLES)
    ]
    for seed, subject in enumerate(subjects, start=first_seed):
        write_subject(root, subject, seed)
    write_participants(root, subjects, name="test cohort", simulated=True)
    return Cohort.open(root)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """A fresh small cohort."""
    return write_cohort(tmp_path / "cohort")


@pytest.fixture(scope="session")
def shared_cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """The same small cohort, for tests that do not change it."""
    return write_cohort(tmp_path_factory.mktemp("shared") / "cohort")


@pytest.fixture
def real_data() -> Path:
    """The folder of real images beside the checkout; the test is skipped where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no folder of real images (../shared/data) beside this checkout")
    return folder


def study(config_name: str, *overrides: str) -> Any:
    """The typed options that a command would run with: ``study("train", "study=tiny", "gan.n_steps=4")``."""
    from synthpet.command.main import compose, typed

    cfg = compose(config_name, *overrides)
    if config_name in BY_COMMAND:
        module, _, name = BY_COMMAND[config_name].partition(":")
        return getattr(import_module(module), name)(cfg, overrides)
    module, _, name = STUDIES[config_name].partition(":")
    return typed(getattr(import_module(module), name), cfg)
