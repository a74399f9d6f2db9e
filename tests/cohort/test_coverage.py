"""What of an image is padding, whatever made it."""

import nibabel as nib
import numpy as np
import pytest

from synthpet.cohort.coverage import FLOOR, unmeasured, without_padding
from synthpet.prepare.pet import read_pet

SHAPE = (20, 22, 24)
CUT = np.s_[:, :, 16:]  # beyond the field of view
HEAD = np.linalg.norm((np.indices(SHAPE).T - (9.5, 10.5, 11.5)).T, axis=0) < 9


def uptake():
    """``HEAD`` with noise around it, as filtered back-projection leaves it, (20, 22, 24)."""
    noise = np.random.default_rng(0).normal(0, 0.01, SHAPE)
    return (np.where(HEAD, 1.0, 0) + noise).astype(np.float32)


def padded(kind):
    data, rng = uptake(), np.random.default_rng(1)
    data[CUT] = {
        "zero": 0,
        "constant": 0.0012,
        "negative": -1000,
        "nearly zero": rng.normal(0, 1e-6, data[CUT].shape),
        "constant planes": rng.normal(0, 1, data[CUT].shape[2]),
        "repeated plane": data[:, :, 15:16],
    }[kind]
    return data


@pytest.mark.parametrize("kind", ["zero", "constant", "negative", "nearly zero", "constant planes", "repeated plane"])
def test_padding_of_any_kind_was_not_measured(kind):
    found = unmeasured(padded(kind))
    assert found[CUT].all()
    assert not (found & HEAD)[:, :, :16].any()
    assert found[:, :, :16].mean() < 0.005  # of the air, what is by chance as near to 0 as padding is


def test_a_whole_image_is_measured():
    assert not unmeasured(uptake()).any()


def test_missing_voxels_count_only_where_they_reach_the_border():
    missing = np.zeros(SHAPE, bool)
    missing[:2] = missing[10, 10, 10] = True
    found = unmeasured(np.where(missing, 0, uptake()), missing)
    assert found[:2].all()
    assert not found[10, 10, 10]


def test_a_wedge_that_a_turned_field_of_view_leaves_is_padding():
    data = uptake()
    wedge = np.indices(SHAPE)[2] + np.indices(SHAPE)[0] > 34
    data[wedge] = 0.0012
    np.testing.assert_array_equal(unmeasured(data) & (HEAD | wedge), wedge)


def test_what_was_measured_as_nothing_is_no_padding():
    data = np.maximum(uptake(), FLOOR).astype(np.float32)
    np.testing.assert_array_equal(without_padding(data), data)


def test_a_pet_of_integers_with_an_intercept_has_the_view_of_its_floats(tmp_path):
    views = []
    for kind in (np.float32, np.int16):
        image = nib.Nifti1Image(padded("zero"), np.diag([3.0, 3, 3, 1]))
        image.set_data_dtype(kind)
        image.set_sform(image.affine, 1)
        path = tmp_path / f"sub-01_desc-{np.dtype(kind).name}_pet.nii.gz"
        nib.save(image, path)
        assert (nib.load(path).get_fdata()[CUT] == 0).all() == (kind == np.float32)
        pet = read_pet(path, "sub-01")
        assert not pet.data[~pet.view].any()
        views.append(pet.view)
    np.testing.assert_array_equal(views[0][HEAD], views[1][HEAD])
    assert not views[1][CUT].any()
    assert views[1][:, :, :16][HEAD[:, :, :16]].all()


def test_a_frame_that_was_moved_leaves_no_plane_that_is_too_low(tmp_path):
    """Realigned frames are padded by 0 at different ends; one before the tracer comes is empty."""
    frames = np.stack([np.zeros(SHAPE, np.float32), uptake(), uptake(), uptake()], -1)
    frames[:, :, 20:, 1] = 0
    frames[:, :2, :, 2] = 0
    path = tmp_path / "sub-01_pet.nii.gz"
    image = nib.Nifti1Image(frames, np.diag([3.0, 3, 3, 1]))
    image.set_sform(image.affine, 1)
    nib.save(image, path)
    pet = read_pet(path, "sub-01")
    assert not pet.view[:, :, 20:].any() and not pet.view[:, :2].any()
    inside = HEAD & pet.view
    assert inside[:, 2:, :20].sum() == HEAD[:, 2:, :20].sum()
    assert pet.data[inside].min() > 0.7
