"""The same command again: up to date; another option or a changed image: what depends on it is made again."""

import shutil

import numpy as np
import pytest

from synthpet.cohort import Cohort, write_image
from synthpet.cohort.names import image_path
from tests.conftest import GRID
from tests.faults.conftest import training


def made(text: str) -> set[str]:
    return {line.partition(": making")[0] for line in text.splitlines() if ": making " in line}


@pytest.fixture(scope="module")
def completed(forge, shared_cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("completed")
    shutil.copytree(shared_cohort.root, folder / "cohort")
    code, text = forge.run(folder / "log", *command(folder))
    assert code == 0, text
    assert len(made(text)) == 4
    return folder


def command(folder, *more):
    return ("synthpet.complete", *training(folder / "cohort", folder / "work", *more)[1:])


def test_the_same_command_makes_nothing(forge, completed):
    before = {path: path.stat().st_mtime_ns for path in (completed / "work").rglob("*.nii.gz")}
    code, text = forge.run(completed / "log", *command(completed))
    assert code == 0, text
    assert made(text) == set()
    assert before == {path: path.stat().st_mtime_ns for path in (completed / "work").rglob("*.nii.gz")}


def test_another_option_makes_what_depends_on_it(forge, completed, tmp_path):
    shutil.copytree(completed, tmp_path, dirs_exist_ok=True)
    code, text = forge.run(tmp_path / "log", *command(tmp_path, "complete.smooth_fwhm_mm=4"))
    assert code == 0, text
    assert made(text) == {"synthetic PET patch3d"}
    code, text = forge.run(tmp_path / "log", *command(tmp_path, "gan.learning_rate=0.0001"))
    assert code == 0, text
    assert made(text) == {"generator patch3d fold 0", "generator patch3d fold 1", "synthetic PET patch3d"}


@pytest.mark.parametrize(("role", "generators"), [("paired", 1), ("unpaired", 0)])
def test_a_changed_image_makes_what_has_seen_it(forge, completed, tmp_path, role, generators):
    """A paired control trains the generator of one of the two folds; an unpaired one none."""
    shutil.copytree(completed, tmp_path, dirs_exist_ok=True)
    cohort = Cohort.open(tmp_path / "cohort")
    who = cohort.select(role)[0].participant_id
    t1w = cohort.load_t1w(who) * np.float32(1.01)
    write_image(cohort.root / image_path(who, "t1w", res="5mm"), t1w, GRID)
    code, text = forge.run(tmp_path / "log", *command(tmp_path))
    assert code == 0, text
    assert sum(name.startswith("generator") for name in made(text)) == generators
    assert "synthetic PET patch3d" in made(text)
