"""The gate for images: what is read is whole, on its grid and finite; what is written is fresh and repeatable."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from synthpet.cohort import Grid, read_image, write_image
from synthpet.cohort.images import GridMismatchError
from synthpet.errors import DataError

GRID = Grid.of((4, 5, 6), np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.fixture
def image(tmp_path):
    data = np.random.default_rng(0).random(GRID.shape, dtype=np.float32)
    return write_image(tmp_path / "image.nii.gz", data, GRID), data


def test_what_is_written_is_read_back(image):
    path, data = image
    found, grid = read_image(path)
    np.testing.assert_array_equal(found, data)
    assert grid.matches(GRID)


def test_equal_input_gives_equal_bytes(image, tmp_path):
    path, data = image
    assert write_image(tmp_path / "again.nii.gz", data, GRID).read_bytes() == path.read_bytes()


def test_header_has_one_orientation_in_mm_and_no_leftovers(image):
    header = nib.load(image[0]).header
    assert header["sform_code"] == header["qform_code"] == 4
    assert header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(header.get_sform(), header.get_qform())


@pytest.mark.parametrize("keep", [0.5, 0.99, -8, -1])
def test_a_cut_file_is_reported(image, keep):
    raw = image[0].read_bytes()
    image[0].write_bytes(raw[: int(len(raw) * keep) if keep > 0 else keep])
    with pytest.raises(DataError, match="E_TRUNCATED"):
        read_image(image[0])


def test_every_flipped_byte_of_the_body_is_reported(image):
    raw = image[0].read_bytes()
    for position in np.random.default_rng(1).integers(10, len(raw), 100):
        damaged = bytearray(raw)
        damaged[position] ^= 0xFF
        image[0].write_bytes(damaged)
        with pytest.raises(DataError):
            read_image(image[0])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E_EMPTY"),
        (b"<!DOCTYPE html><html>", "E_NOT_NIFTI"),
        (b"version https://git-lfs.github.com/spec/v1\n", "E_POINTER"),
        (b"plain bytes, not compressed", "E_NOT_GZIP"),
        (gzip.compress(b"short", mtime=0), "E_NOT_NIFTI"),  # a test's name must not tell the time
    ],
)
def test_what_is_no_image_is_named_for_what_it_is(tmp_path, content, code):
    path = tmp_path / "image.nii.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=code):
        read_image(path)


def test_values_that_are_not_finite_are_counted(tmp_path):
    data = np.zeros(GRID.shape, np.float32)
    data[0, 0, :2] = np.nan, np.inf
    with pytest.raises(DataError, match="n=2"):
        read_image(write_image(tmp_path / "image.nii.gz", data, GRID))


def test_another_grid_is_refused_with_both_grids(image):
    other = Grid.of((4, 5, 6), np.diag([2.02, 2.0, 2.0, 1.0]))
    with pytest.raises(GridMismatchError, match=r"2\.0.*\n.*2\.02"):
        read_image(image[0], grid=other)


@pytest.mark.parametrize("codes", ["LAS", "PIR", "SLP", "AIL"])
def test_axis_order_and_flips_change_nothing(tmp_path, codes):
    data = np.random.default_rng(0).random(GRID.shape, dtype=np.float32)
    image = nib.Nifti1Image(data, GRID.matrix)
    image.set_sform(GRID.matrix, code=1)
    turn = nib.orientations.ornt_transform(nib.io_orientation(GRID.matrix), nib.orientations.axcodes2ornt(codes))
    nib.save(image.as_reoriented(turn), tmp_path / "turned.nii.gz")
    found, grid = read_image(tmp_path / "turned.nii.gz")
    np.testing.assert_array_equal(found, data)
    np.testing.assert_allclose(grid.matrix, GRID.matrix, atol=1e-5)


def test_an_image_without_orientation_is_refused(tmp_path):
    image = nib.Nifti1Image(np.ones((3, 3, 3), np.float32), None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "image.nii.gz")
    with pytest.raises(DataError, match="E_NO_ORIENTATION"):
        read_image(tmp_path / "image.nii.gz")


def test_one_frame_of_a_4d_file_is_a_volume_and_six_are_not(tmp_path):
    for frames, expected in ((1, (3, 3, 3)), (6, None)):
        image = nib.Nifti1Image(np.ones((3, 3, 3, frames), np.float32), np.eye(4))
        nib.save(image, tmp_path / "image.nii.gz")
        if expected:
            assert read_image(tmp_path / "image.nii.gz")[0].shape == expected
        else:
            with pytest.raises(DataError, match="E_DIM"):
                read_image(tmp_path / "image.nii.gz")
