"""One person with every image: T1, PET, FLAIR, lesion mask."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.images import Grid, read_image, write_image
from synthpet.cohort.index import Subject
from synthpet.cohort.names import image_path
from synthpet.errors import DataError
from synthpet.prepare.brain import stripped_brain_mask
from synthpet.prepare.pet import read_pet
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.settings import Settings
from synthpet.prepare.spaces.transform import Transform
from synthpet.prepare.subject import prepare_subject, write_subject
from synthpet.template.icbm import native_template, template_grid, template_images

SETTINGS = Settings(4.0, "affine", "simpleitk", 0.4, 0)
PET = Grid.of((80, 90, 60), np.array([[-2.4, 0, 0, 170], [0, 2.4, 0, 3], [0, 0, 3.2, -20], [0, 0, 0, 1]]))


def onto(image, to_template, grid):
    """An image of the 1 mm template as a scan on ``grid``, (I, J, K)."""
    voxels = np.linalg.inv(native_template()[1].matrix) @ to_template @ grid.matrix
    return ndimage.affine_transform(image, voxels[:3, :3], voxels[:3, 3], output_shape=grid.shape, order=1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory, scan):
    """T1 of ``scan``; PET of two frames on a flipped grid, FLAIR on thick slices, a lesion in the left frontal lobe."""
    root = tmp_path_factory.mktemp("raw") / "sub-01"
    t1w, gm, wm = native_template()[0]
    csf = np.clip((t1w > 0.2) - gm - wm, 0, 1)
    uptake = ndimage.gaussian_filter(1.24 * gm + 0.55 * wm + 0.36 * csf, 2.5)
    pet = 9000 * np.maximum(onto(uptake, scan.to_template, PET), 0) + 5
    lesion_mm = np.indices(t1w.shape).reshape(3, -1) + native_template()[1].matrix[:3, 3:]
    ball = (np.linalg.norm(lesion_mm - np.array([[-35.0], [30.0], [20.0]]), axis=0) < 10).reshape(t1w.shape)
    thick = Grid.of((96, 112, 44), scan.grid.matrix @ np.diag([1, 1, 76 / 44, 1]))
    flair = onto(np.where(t1w > 0.2, 1.2 * gm + 0.9 * wm + 0.1 * csf, 0), scan.to_template, thick)
    images = {"t1w": ("anat/sub-01_T1w", scan.t1w, scan.grid), "flair": ("anat/sub-01_FLAIR", 400 * flair, thick),
              "lesion_mask": ("anat/sub-01_lesion", onto(ball.astype(float), scan.to_template, scan.grid) > 0.5,
                              scan.grid)}  # fmt: skip
    paths = {k: write_image(root / f"{name}.nii.gz", data, grid) for k, (name, data, grid) in images.items()}
    paths["pet"] = root / "pet/sub-01_trc-18FFDG_pet.nii.gz"
    paths["pet"].parent.mkdir()
    frames = nib.Nifti1Image(np.stack([0.8 * pet, 1.1 * pet], -1).astype(np.float32), PET.matrix)
    frames.header["descrip"] = b"CANARY^NAME"
    frames.set_sform(PET.matrix, code="scanner")
    frames.to_filename(paths["pet"])
    about = {"FrameTimesStart": [1800, 2400], "FrameDuration": [600, 1200], "Units": "Bq/mL", "PatientID": "CANARY"}
    paths["pet"].with_name("sub-01_trc-18FFDG_pet.json").write_text(json.dumps(about))
    return RawSubject(Subject("sub-01", "patient", "patient", site="siteA"), **paths)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, raw):
    folder = tmp_path_factory.mktemp("cohort")
    write_subject(raw, folder, SETTINGS)
    return folder


def load(cohort, kind):
    return read_image(cohort / image_path("sub-01", kind, res="4mm"), grid=template_grid(4.0))[0]


def about_image(cohort, kind):
    return json.loads((cohort / image_path("sub-01", kind, res="4mm")).with_suffix("").with_suffix(".json").read_text())


def test_pet_and_flair_lie_on_the_template(cohort):
    template = template_images(template_grid(4.0))
    mask = load(cohort, "brain_mask") > 0.5
    expected = 1.24 * template.gm + 0.55 * template.wm + 0.36 * np.clip(1 - template.gm - template.wm, 0, 1)
    pet, flair = load(cohort, "pet"), load(cohort, "flair")
    assert pet[mask].mean() == pytest.approx(1, abs=1e-3)
    assert np.corrcoef(pet[mask], ndimage.gaussian_filter(expected, 0.7)[mask])[0, 1] > 0.9
    assert np.corrcoef(flair[mask], (1.2 * template.gm + 0.9 * template.wm)[mask])[0, 1] > 0.85
    assert not flair[~mask].any()


def test_the_lesion_keeps_side_and_volume(cohort):
    lesion = load(cohort, "lesion_mask") > 0.5
    centre = (template_grid(4.0).matrix @ [*np.argwhere(lesion).mean(0), 1])[:3]
    np.testing.assert_allclose(centre, [-35, 30, 20], atol=3)
    measures = about_image(cohort, "t1w")["Measures"]
    assert measures["lesion_ml"] == pytest.approx(lesion.sum() * 0.064)
    assert measures["lesion_native_ml"] == pytest.approx(4.19 / (1.05 * 1.08 * 1.03), rel=0.1)


def test_sidecars_say_how_the_pet_was_made_and_nothing_personal_is_left(cohort):
    about = about_image(cohort, "pet")
    assert about["RawSources"] == ["sub-01/pet/sub-01_trc-18FFDG_pet.nii.gz"]
    assert (about["FrameTimesStart"], about["FrameDuration"]) == ([1800], [1800])  # of the one frame that is left
    assert about["SourceFrameDuration"] == [600, 1200]
    assert about["SUVRReferenceRegion"].startswith("whole brain")
    assert about["RegistrationToT1w"].startswith("SimpleITK")
    measures = about_image(cohort, "t1w")["Measures"]
    assert measures["pet_coverage"] > 0.99
    assert measures["pet_gm_correlation"] > 0.8
    assert measures["pet_frames"] == 2
    (note,) = about_image(cohort, "t1w")["Notes"]  # the PET's background is 5 everywhere
    assert "empty in a frame: taken as outside the field of view" in note
    for path in cohort.rglob("*"):
        if path.is_file():
            content = path.read_bytes() if path.suffix != ".gz" else nib.load(path).header.binaryblock
            assert b"CANARY" not in content
            assert str(cohort).encode() not in content


def test_transforms_lead_from_the_template_into_the_pet(cohort, scan):
    transform = Transform.read(cohort / "sub-01/transforms")
    about = json.loads((cohort / "sub-01/transforms/about.json").read_text())
    assert about["native_grid"]["shape"] == list(scan.grid.shape)
    np.testing.assert_allclose(about["native_grid"]["affine"], scan.grid.matrix)
    assert {"affine.tfm", "pet.tfm", "flair.tfm"} <= set(about)
    for kind in ("pet", "flair"):
        turn = np.reshape(transform.rigid[kind].GetMatrix(), (3, 3))
        assert np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))) < 1
        assert np.linalg.norm(transform.rigid[kind].TransformPoint((-80.0, -100, 80)) - np.array([-80, -100, 80])) < 1.5


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(raw, cohort, tmp_path):
    written = write_subject(raw, tmp_path, SETTINGS)
    assert len(written) > 15
    for path in written:
        assert path.read_bytes() == (cohort / path.relative_to(tmp_path)).read_bytes()


def test_a_lesion_mask_on_another_grid_is_refused_with_both_files(raw, tmp_path):
    wrong = write_image(tmp_path / "lesion.nii.gz", np.ones((20, 20, 20), bool), template_grid(4.0))
    with pytest.raises(DataError, match=r"(?s)E_GRID sub-01: .*lesion\.nii\.gz: shape .*sub-01_T1w\.nii\.gz: shape"):
        write_subject(replace(raw, lesion_mask=wrong), tmp_path, SETTINGS)


@pytest.fixture(scope="module")
def on_flair(raw, tmp_path_factory):
    """The same person, whose lesion was drawn on a FLAIR that lies 12 mm off the T1; no PET."""
    root = tmp_path_factory.mktemp("flair") / "sub-01"
    (flair, grid), (lesion, drawn) = read_image(raw.flair), read_image(raw.lesion_mask)
    same_head = np.linalg.inv(drawn.matrix) @ grid.matrix
    thick = ndimage.affine_transform(lesion, same_head[:3, :3], same_head[:3, 3], output_shape=grid.shape, order=1)
    moved = grid.matrix
    moved[:3, 3] += [7.0, -6.0, 8.0]
    moved = Grid.of(grid.shape, moved)
    return replace(
        raw,
        flair=write_image(root / "anat/sub-01_FLAIR.nii.gz", flair, moved),
        lesion_mask=write_image(root / "anat/sub-01_FLAIR_roi.nii.gz", thick > 0.5, moved),
        pet=None,
    )


@pytest.mark.slow
def test_a_lesion_drawn_on_the_flair_goes_with_the_flair(on_flair, tmp_path):
    write_subject(on_flair, tmp_path, replace(SETTINGS, lesion_space="flair"))
    lesion = load(tmp_path, "lesion_mask") > 0.5
    centre = (template_grid(4.0).matrix @ [*np.argwhere(lesion).mean(0), 1])[:3]
    np.testing.assert_allclose(centre, [-35, 30, 20], atol=3)
    about = about_image(tmp_path, "lesion_mask")
    assert (about["DrawnOn"], about["RawSources"]) == ("FLAIR", ["sub-01/anat/sub-01_FLAIR_roi.nii.gz"])
    assert about["NativeVolumeMl"] == pytest.approx(4.19 / (1.05 * 1.08 * 1.03), rel=0.15)


def test_a_lesion_drawn_on_the_pet_goes_with_the_pet(raw, tmp_path):
    mean, (lesion, drawn) = read_pet(raw.pet, "sub-01"), read_image(raw.lesion_mask)
    pet, grid = mean.data, mean.grid
    same_head = np.linalg.inv(drawn.matrix) @ grid.matrix
    shown = ndimage.affine_transform(lesion, same_head[:3, :3], same_head[:3, 3], output_shape=grid.shape, order=1)
    moved = grid.matrix
    moved[:3, 3] += [5.0, -4.0, 6.0]
    moved = Grid.of(grid.shape, moved)
    person = replace(
        raw,
        pet=write_image(tmp_path / "raw/sub-01_pet.nii.gz", pet, moved),
        lesion_mask=write_image(tmp_path / "raw/sub-01_pet_roi.nii.gz", shown > 0.5, moved),
        flair=None,
    )
    settings = replace(SETTINGS, lesion_space="pet")
    write_subject(person, tmp_path, settings)
    found = load(tmp_path, "lesion_mask") > 0.5
    centre = (template_grid(4.0).matrix @ [*np.argwhere(found).mean(0), 1])[:3]
    np.testing.assert_allclose(centre, [-35, 30, 20], atol=3)
    assert about_image(tmp_path, "lesion_mask")["DrawnOn"] == "PET"
    with pytest.raises(DataError, match=r"E_LESION sub-01 .*drawn on a PET .*expected the PET \(pet=\)"):
        write_subject(replace(person, pet=None), tmp_path, settings)


def test_a_lesion_drawn_on_the_flair_needs_it_and_lies_in_the_brain(on_flair, raw, tmp_path):
    settings = replace(SETTINGS, lesion_space="flair")
    with pytest.raises(DataError, match=r"E_LESION sub-01 .*none of this person is used"):
        write_subject(replace(on_flair, flair=None), tmp_path, settings)
    with pytest.raises(DataError, match=r"(?s)E_GRID sub-01: .*lesion_space=t1w\|flair\|pet"):
        write_subject(on_flair, tmp_path, SETTINGS)
    _, grid = read_image(on_flair.flair)
    corner = np.zeros(grid.shape, bool)
    corner[:6, :6, :6] = True
    outside = replace(on_flair, lesion_mask=write_image(tmp_path / "outside_roi.nii.gz", corner, grid))
    with pytest.raises(DataError, match=r"E_LESION sub-01 .*0% of the lesion in the brain"):
        write_subject(outside, tmp_path, settings)


def with_nan(raw, path, voxels):
    """The same person with a T1 that is NaN at some voxels."""
    t1w, grid = read_image(raw.t1w)
    t1w[voxels] = np.nan
    return replace(raw, t1w=write_image(path, t1w, grid), pet=None, flair=None, lesion_mask=None)


def test_nan_within_the_brain_is_refused(raw, tmp_path):
    middle = tuple(slice(n // 2 - 2, n // 2 + 2) for n in read_image(raw.t1w)[0].shape)
    with pytest.raises(DataError, match=r"E_NONFINITE sub-01 .*n=64 voxels of the brain"):
        prepare_subject(with_nan(raw, tmp_path / "sub-01" / "within_T1w.nii.gz", middle), SETTINGS)


@pytest.mark.slow
def test_nan_around_the_brain_counts_as_nothing(raw, tmp_path):
    t1w, grid = read_image(raw.t1w)
    outside = ~stripped_brain_mask(t1w, grid, "sub-01") & (t1w == 0)
    around = with_nan(raw, tmp_path / "sub-01" / "around_T1w.nii.gz", outside)
    prepared = prepare_subject(around, SETTINGS)
    assert prepared.notes == (f"T1: {outside.sum()} voxels outside the brain are NaN or infinite, taken as 0",)
    plain = prepare_subject(replace(around, t1w=raw.t1w), SETTINGS)
    np.testing.assert_array_equal(prepared.images["t1w"], plain.images["t1w"])
