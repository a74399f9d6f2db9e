"""An image says that it is simulated or synthetic: in its name, sidecar or header."""

import json

import numpy as np

from synthpet.cohort import Grid, write_image
from synthpet.cohort.marks import is_simulated_dataset, is_simulated_image, is_synthetic_image
from synthpet.cohort.names import sidecar_path

GRID = Grid.of((4, 4, 4), np.eye(4))


def write(path, description="", **sidecar):
    write_image(path, np.ones(GRID.shape, np.float32), GRID, description=description)
    sidecar_path(path).write_text(json.dumps(sidecar))
    return path


def test_each_mark_of_a_synthetic_image_is_enough(tmp_path):
    assert not is_synthetic_image(write(tmp_path / "a_pet.nii.gz"))
    assert is_synthetic_image(write(tmp_path / "a_desc-synthetic_pet.nii.gz"))
    assert is_synthetic_image(write(tmp_path / "b_pet.nii.gz", Synthetic=True))
    assert is_synthetic_image(write(tmp_path / "c_pet.nii.gz", "SYNTHETIC FDG PET"))


def test_a_simulated_image_says_so_in_its_sidecar_and_a_data_set_in_its_description(tmp_path):
    assert is_simulated_image(write(tmp_path / "a_T1w.nii.gz", Simulated=True))
    assert not is_simulated_image(write(tmp_path / "b_T1w.nii.gz"))
    assert not is_simulated_dataset(tmp_path)
    (tmp_path / "dataset_description.json").write_text('{"Simulated": true}')
    assert is_simulated_dataset(tmp_path)


def test_files_that_cannot_be_read_carry_no_mark(tmp_path):
    (tmp_path / "a_pet.nii.gz").write_bytes(b"\n")
    (tmp_path / "a_pet.json").write_text("{")
    assert not is_synthetic_image(tmp_path / "a_pet.nii.gz")
    assert not is_simulated_image(tmp_path / "a_pet.nii.gz")
