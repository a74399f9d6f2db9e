"""Transforms in files and in both directions."""

import numpy as np
import SimpleITK as sitk  # noqa: N813

from synthpet.prepare.spaces.transform import Transform


def shift(x_mm: float) -> sitk.Image:
    """A displacement field of one shift along x, over a box of 100 mm about the origin."""
    field = np.zeros((11, 11, 11, 3), np.float32)
    field[..., 0] = x_mm
    image = sitk.GetImageFromArray(field, isVector=True)
    image.SetSpacing([10.0] * 3)
    image.SetOrigin([-50.0] * 3)
    return image


def scaled() -> sitk.AffineTransform:
    affine = sitk.AffineTransform(3)
    affine.Scale(2.0)
    return affine


def test_a_point_of_the_template_goes_through_the_warp_and_then_the_affine():
    transform = Transform.of(scaled(), shift(3.0), shift(-3.0))
    assert transform.template_to_native.TransformPoint((1.0, 0.0, 0.0)) == (8.0, 0.0, 0.0)
    assert transform.native_to_template.TransformPoint((8.0, 0.0, 0.0)) == (1.0, 0.0, 0.0)


def test_the_matrix_is_the_linear_part():
    np.testing.assert_allclose(Transform.of(scaled()).matrix, 2 * np.eye(3))


def test_a_written_transform_reads_back_and_equal_ones_have_equal_bytes(tmp_path):
    transform = Transform.of(scaled(), shift(3.0), shift(-3.0))
    first, second = transform.write(tmp_path / "a"), transform.write(tmp_path / "b")
    assert [p.name for p in first] == ["affine.tfm", "warp.nii.gz", "inverse_warp.nii.gz"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    again = Transform.read(tmp_path / "a")
    for point in np.random.default_rng(0).uniform(-15, 15, (20, 3)):
        place = again.template_to_native.TransformPoint(point)
        np.testing.assert_allclose(place, transform.template_to_native.TransformPoint(point), atol=1e-5)
        np.testing.assert_allclose(again.native_to_template.TransformPoint(place), point, atol=1e-5)


def test_an_affine_alone_writes_one_file(tmp_path):
    assert [p.name for p in Transform.of(scaled()).write(tmp_path)] == ["affine.tfm"]
    assert Transform.read(tmp_path).warp is None


def test_a_folder_whose_name_is_no_utf8_is_read_and_written(tmp_path):
    """ITK takes a path as UTF-8 and cannot open one of other bytes by itself."""
    folder = tmp_path / "Donn\udce9es \u2461"
    Transform.of(scaled(), shift(3.0), shift(-3.0)).write(folder)
    again = Transform.read(folder)
    assert again.template_to_native.TransformPoint((1.0, 0.0, 0.0)) == (8.0, 0.0, 0.0)
