"""Reading a raw PET: what was measured, what is refused."""

import gzip
import json

import nibabel as nib
import numpy as np
import pytest

from synthpet.errors import DataError
from synthpet.prepare.pet import measured_box, read_pet


def head():
    """Uptake in a box of 12 voxels, noise around, (16, 16, 16)."""
    data = np.random.default_rng(0).uniform(10, 50, (16, 16, 16)).astype(np.float32)
    data[2:14, 2:14, 2:14] = 5000
    return data


def write(folder, data, about=None):
    path = folder / "sub-01_trc-18FFDG_pet.nii.gz"
    image = nib.Nifti1Image(np.asarray(data, np.float32), np.diag([3.0, 3, 3, 1]))
    image.set_sform(image.affine, code="scanner")
    image.to_filename(path)
    if about is not None:
        path.with_name("sub-01_trc-18FFDG_pet.json").write_text(json.dumps(about))
    return path


def test_nothing_personal_is_copied_from_the_sidecar(tmp_path):
    about = {"Units": "Bq/mL", "TracerName": "FDG", "TracerRadionuclide": "F18", "FrameDuration": [600],
             "FrameTimesStart": [1800], "PatientName": "CANARY", "TimeZero": "13:04:42", "InstitutionName": "CANARY",
             "InjectedRadioactivity": 200, "ReconMethodName": {"x": "CANARY"}}  # fmt: skip
    pet = read_pet(write(tmp_path, head(), about), "sub-01")
    assert pet.about["Units"] == "Bq/mL"
    assert pet.about["FrameDuration"] == [600]
    assert pet.about["MotionCorrection"] == "none between frames"
    assert not {"CANARY", "13:04:42"} & set(map(str, pet.about.values()))
    assert pet.notes == ()


def test_what_is_padded_with_zeros_or_nan_was_not_measured(tmp_path):
    data = head()
    data[:, :, 12:] = 0
    data[:, :2] = np.nan
    data[8, 8, 8] = 0  # enclosed: measured
    pet = read_pet(write(tmp_path, data), "sub-01")
    expected = np.ones(data.shape, bool)
    expected[:, :, 12:] = expected[:, :2] = False
    np.testing.assert_array_equal(pet.view, expected)
    assert np.isfinite(pet.data).all()
    assert any("at the border are NaN" in note for note in pet.notes)
    box, grid = measured_box(pet)
    assert box.shape == grid.shape == (16, 14, 12)
    np.testing.assert_allclose(grid.matrix[:3, 3], [0, 6, 0])


def test_a_pet_far_longer_than_a_head_without_one_is_refused_and_padding_does_not_count(tmp_path):
    data = np.random.default_rng(0).uniform(10, 50, (4, 4, 260)).astype(np.float32)
    with pytest.raises(
        DataError, match=r"E_BODY sub-01 .*the PET is 780 mm long from head to foot, .*no head .*cut it to"
    ):
        read_pet(write(tmp_path, data), "sub-01")
    data[:, :, :110] = 0
    assert read_pet(write(tmp_path, data), "sub-01").view.sum() == 4 * 4 * 150


def test_a_pet_whose_sidecar_says_that_nothing_was_corrected_is_noted_wherever_it_is_read(tmp_path):
    pet = read_pet(write(tmp_path, head(), {"Units": "Bq/mL", "AttenuationCorrection": "none"}), "sub-01")
    assert pet.notes == ("PET: not corrected for attenuation (AttenuationCorrection: none)",)


def test_nan_inside_is_refused_with_its_number(tmp_path):
    data = head()
    data[8, 8, 7:9] = np.nan
    with pytest.raises(DataError, match=r"E_NONFINITE sub-01 .*n=2 voxels inside"):
        read_pet(write(tmp_path, data), "sub-01")


@pytest.mark.parametrize(
    ("data", "message"),
    [(np.zeros((8, 8, 8)), "E_CONSTANT sub-01 .*every voxel is 0"), (np.full((8, 8, 8), np.nan), "no voxel is finite"),
     (2e9 * head(), "E_RANGE sub-01"), (np.ones((8, 8)), "E_DIM"), (np.ones((8, 8, 8, 2, 3)), "E_DIM")],
)  # fmt: skip
def test_what_is_no_pet_is_refused(data, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read_pet(write(tmp_path, data), "sub-01")


def test_complex_voxels_are_refused(tmp_path):
    path = tmp_path / "pet.nii"
    image = nib.Nifti1Image(np.ones((4, 4, 4), np.complex64), np.eye(4))
    image.set_sform(np.eye(4), code="scanner")
    image.to_filename(path)
    with pytest.raises(DataError, match=r"E_DTYPE .*complex64"):
        read_pet(path, "sub-01")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "E_EMPTY"),
        (b"\0", "E_NOT_GZIP"),
        (b"\n<!DOCTYPE html>", "web page"),
        (gzip.compress(b"x", mtime=0), "E_NOT_NIFTI"),
    ],
)
def test_files_that_are_no_images_are_refused_by_name(content, message, tmp_path):
    path = tmp_path / "sub-01_pet.nii.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{message}(?s:.*)|.*sub-01_pet.*{message}") as error:
        read_pet(path, "sub-01")
    assert "sub-01_pet.nii.gz" in str(error.value)


def test_the_real_broken_examples_are_each_refused(real_data):
    images = sorted((real_data / "bids-pet-examples").rglob("*_pet.nii*"))
    assert len(images) >= 9
    for path in images:
        with pytest.raises(DataError, match=r"E_\w+ .*_pet\.nii"):
            read_pet(path, "sub-01")
