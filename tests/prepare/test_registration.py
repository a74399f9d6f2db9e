"""Registration brings a head whose place is known back to the template."""

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from synthpet.errors import DataError, UsageError
from synthpet.prepare.spaces import registration
from synthpet.prepare.spaces.itk import correct_bias
from synthpet.prepare.spaces.registration import choose_engine, describe_engine, register
from synthpet.prepare.spaces.transform import Transform
from synthpet.template.icbm import template_grid, template_images

LPS = np.array([-1.0, -1.0, 1.0])


def brain_points_mm() -> np.ndarray:
    """Points all over the template's brain, RAS+, (n, 3)."""
    grid = template_grid(12.0)
    voxels = np.argwhere(template_images(grid).brain_mask)
    return voxels @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]


def errors_mm(transform, scan) -> np.ndarray:
    """How far each point of the brain ends from where it truly lies in template space, (n,)."""
    truth = brain_points_mm()
    native = [np.array(transform.template_to_native.TransformPoint(p)) * LPS for p in truth * LPS]
    found = np.array(native) @ scan.to_template[:3, :3].T + scan.to_template[:3, 3]
    return np.linalg.norm(found - truth, axis=1)


def test_simpleitk_affine_brings_a_tilted_head_back(scan):
    found = register(scan.t1w, scan.grid, registration="affine", engine="simpleitk", seed=0, name="sub-01")
    error = errors_mm(found, scan)
    assert np.mean(error) < 1.0
    assert np.max(error) < 2.0


def test_ants_affine_brings_a_tilted_head_back_and_repeats_exactly(scan, tmp_path):
    pytest.importorskip("ants")
    arguments = {"registration": "affine", "engine": "ants", "name": "sub-01"}
    found = register(scan.t1w, scan.grid, seed=0, **arguments)
    error = errors_mm(found, scan)
    assert np.mean(error) < 1.0
    assert np.max(error) < 2.0
    again = register(scan.t1w, scan.grid, seed=0, **arguments)
    assert found.write(tmp_path / "a")[0].read_bytes() == again.write(tmp_path / "b")[0].read_bytes()


@pytest.mark.parametrize("engine", ["simpleitk", "ants"])
def test_rigid_turns_and_shifts_and_keeps_the_size(scan, engine):
    if engine == "ants":
        pytest.importorskip("ants")
    found = register(scan.t1w, scan.grid, registration="rigid", engine=engine, seed=0, name="sub-01")
    np.testing.assert_allclose(found.matrix @ found.matrix.T, np.eye(3), atol=1e-5)
    turn = scan.to_template[:3, :3] / np.linalg.norm(scan.to_template[:3, :3], axis=0)
    lps = np.diag([-1.0, -1.0, 1.0])
    difference = lps @ found.matrix @ lps @ turn
    assert np.degrees(np.arccos(np.clip((np.trace(difference) - 1) / 2, -1, 1))) < 2


@pytest.mark.slow
def test_syn_stays_within_two_millimetres_and_inverts_itself(scan):
    pytest.importorskip("ants")
    mask = scan.t1w > 0
    t1w = np.where(mask, correct_bias(scan.t1w, mask, scan.grid), 0)
    found = register(t1w, scan.grid, registration="syn", engine="ants", seed=0, name="sub-01")
    error = errors_mm(found, scan)
    assert np.mean(error) < 1.0
    assert np.percentile(error, 95) < 2.5
    for point in brain_points_mm() * LPS:
        there = found.template_to_native.TransformPoint(point)
        np.testing.assert_allclose(found.native_to_template.TransformPoint(there), point, atol=1.5)


def test_a_brain_of_impossible_size_is_a_failed_registration(scan, monkeypatch):
    doubled = sitk.AffineTransform(3)
    doubled.Scale(2.0)
    monkeypatch.setattr(registration, "_register_simpleitk", lambda *_, **__: Transform.of(doubled))
    with pytest.raises(DataError, match=r"E_REGISTRATION sub-01: .*by a factor of 0\.13; expected 0\.5 to 2"):
        register(scan.t1w, scan.grid, registration="affine", engine="simpleitk", seed=0, name="sub-01")


def test_without_ants_affine_falls_back_to_simpleitk_and_syn_says_what_to_install(monkeypatch):
    def absent(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(registration, "version", absent)
    assert choose_engine("affine") == "simpleitk"
    with pytest.raises(UsageError, match="pip install antspyx"):
        choose_engine("syn")


def test_an_unknown_registration_is_refused():
    with pytest.raises(UsageError, match="registration='bspline': expected syn, affine, rigid"):
        choose_engine("bspline")


def test_the_engine_is_named_with_its_version():
    assert describe_engine("simpleitk", "affine").startswith("SimpleITK 2.")
