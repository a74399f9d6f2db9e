"""Raw scans of simulated people: geometry, units, noise and truth; and the data set that holds them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from synthpet.cohort.files import read_tsv, sha256
from synthpet.cohort.images import Grid
from synthpet.errors import UsageError
from synthpet.phantom import raw_dataset
from synthpet.phantom.cohort import plan_subjects
from synthpet.phantom.person import make_person
from synthpet.phantom.raw_dataset import ensure_raw
from synthpet.phantom.raw_protocol import ORIENTATIONS, Frames, draw_protocol
from synthpet.phantom.raw_scan import RawImage, Visit, scan_lesion, scan_pet, scan_t1w, stored, uptake_of_frames
from tests.conftest import study

PEOPLE = study(
    "phantom", "cohort.anatomy=affine", "cohort.n_paired=1", "cohort.n_unpaired=1", "cohort.n_heldout=0",
    "cohort.n_patients=1", "cohort.lesion_depth=[0.3,0.4]", "cohort.lesion_radius_mm=[12.0,16.0]",
).people  # fmt: skip


@pytest.fixture(scope="module")
def patient(template) -> Visit:
    plan = plan_subjects(PEOPLE)[-1]
    return Visit(plan, make_person(plan, template, PEOPLE), draw_protocol(plan))


@pytest.fixture(scope="module")
def clean_pet(patient) -> RawImage:
    return scan_pet(patient, noise=False)


def world(image: RawImage, index: np.ndarray) -> np.ndarray:
    """Voxel indices (n, 3) as RAS+ mm, (3, n)."""
    return image.affine[:3, :3] @ index.T + image.affine[:3, 3:]


def values_at(image: RawImage, points: np.ndarray) -> np.ndarray:
    """The image (its mean frame) at points (3, n) in RAS+ mm."""
    data = image.data.mean(axis=3) if image.data.ndim == 4 else image.data
    index = np.linalg.inv(image.affine)[:3] @ np.vstack([points, np.ones(points.shape[1])])
    return map_coordinates(data.astype(np.float32), index, order=1)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_storing_in_another_orientation_moves_no_voxel(orientation):
    data = np.random.default_rng(0).normal(size=(3, 4, 5))
    grid = Grid.of(data.shape, np.array([[2.0, 0.1, 0, 7], [-0.1, 1, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]]))
    image = stored(data, grid, orientation)
    back = nib.as_closest_canonical(nib.Nifti1Image(image.data, image.affine))
    assert "".join(nib.aff2axcodes(image.affine)) == orientation
    assert np.array_equal(back.get_fdata(), data)
    assert np.allclose(back.affine, grid.matrix)


def test_the_true_pose_brings_the_persons_brain_onto_the_t1(patient):
    t1w, lattice = scan_t1w(patient), patient.person.anatomy.lattice
    points = lattice.points_mm()[:, patient.person.anatomy.depth > 5]
    pose = patient.protocol.t1w_pose
    assert (values_at(t1w, pose[:3, :3] @ points + pose[:3, 3:]) > 0).mean() > 0.99
    assert (values_at(t1w, points) > 0).mean() < 0.95
    assert t1w.data.dtype == np.int16
    edges = [t1w.data.take(side, axis).any() for axis in range(3) for side in (0, -1)]
    assert not any(edges)


def test_the_true_pose_brings_the_pet_onto_the_t1(patient, clean_pet):
    t1w, to_t1w = scan_t1w(patient), patient.protocol.pet_to_t1w
    bright = world(clean_pet, np.argwhere(clean_pet.data[..., 0] > 0.6 * patient.protocol.bq_per_ml))
    assert (values_at(t1w, to_t1w[:3, :3] @ bright + to_t1w[:3, 3:]) > 0).mean() > 0.97
    assert (values_at(t1w, bright) > 0).mean() < 0.9


def test_poses_stay_within_the_stated_limits_and_differ(patient):
    for pose in (patient.protocol.t1w_pose, patient.protocol.pet_to_t1w):
        assert np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3))
        degrees = np.rad2deg(np.arccos((np.trace(pose[:3, :3]) - 1) / 2))
        assert 1 < degrees < 15 * np.sqrt(3)


def test_the_duration_weighted_mean_has_the_noise_of_the_cohorts_pet(patient, clean_pet):
    weights = patient.protocol.frames.weights
    noisy, clean = (image.data @ weights / patient.protocol.bq_per_ml for image in (scan_pet(patient), clean_pet))
    brain = clean > 0.5
    share = ((noisy - clean) / np.sqrt(np.maximum(clean, 1e-6)))[brain].std()
    assert share == pytest.approx(patient.plan.scanner.pet_noise, rel=0.12)
    frames = [(scan_pet(patient).data[..., f] / patient.protocol.bq_per_ml - clean)[brain].std() for f in (0, -1)]
    assert frames[0] > 1.2 * frames[1]  # the first frame is shorter


def test_uptake_rises_and_its_duration_weighted_mean_is_one():
    frames = Frames((1800.0, 1920.0, 2160.0), (120.0, 240.0, 900.0))
    factor = uptake_of_frames(frames)
    assert (np.diff(factor) > 0).all()
    assert factor @ frames.weights == pytest.approx(1)


def test_the_mask_lies_at_the_true_place_of_the_lesion(patient):
    mask = scan_lesion(patient)
    middle = world(mask, np.argwhere(mask.data)).mean(axis=1)
    weight = patient.person.lesion.weight
    inside = weight > 0.4
    true = patient.person.anatomy.lattice.points_mm()[:, inside].mean(axis=1)
    pose = patient.protocol.t1w_pose
    assert np.linalg.norm(pose[:3, :3] @ true + pose[:3, 3] - middle) < 3
    healthy = Visit(patient.plan, replace(patient.person, lesion=None), patient.protocol)
    with pytest.raises(ValueError, match="has no lesion"):
        scan_lesion(healthy)


@pytest.mark.parametrize("cut", ["top", "bottom"])
def test_a_cut_field_of_view_misses_a_quarter_of_the_brains_height(cut, patient, clean_pet):
    short = scan_pet(Visit(patient.plan, patient.person, replace(patient.protocol, cut=cut)), noise=False)
    heights = [world(image, np.argwhere(image.data[..., 0] > 0.6 * patient.protocol.bq_per_ml))[2]
               for image in (clean_pet, short)]  # fmt: skip
    whole = np.ptp(heights[0])
    assert np.ptp(heights[1]) == pytest.approx(0.75 * whole, abs=0.08 * whole)
    kept = {"top": np.min, "bottom": np.max}[cut]
    assert kept(heights[1]) == pytest.approx(kept(heights[0]), abs=0.1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "raw data"
    with pytest.MonkeyPatch.context() as coarse:
        coarse.setattr(raw_dataset, "ANATOMY_MM", 5.0)
        ensure_raw(configure(root))
    return root


def configure(root: Path, *overrides: str):
    counts = ("cohort.n_paired=1", "cohort.n_unpaired=1", "cohort.n_heldout=0", "cohort.n_patients=1")
    return study("phantom", f"raw='{root}'", "raw_flair_share=1", "compute.n_jobs=1", *counts, *overrides)


def test_the_official_validator_finds_no_error_in_the_raw_data(raw):
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.is_file():
        pytest.skip("bids-validator-deno is not installed")
    run = subprocess.run([validator, "--json", raw], capture_output=True, text=True, check=False)
    issues = json.loads(run.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue.get("severity") == "error"] == []


def test_the_data_set_says_that_it_is_simulated_and_no_role(raw):
    rows = read_tsv(raw / "participants.tsv")
    assert [row["group"] for row in rows] == ["control", "control", "patient"]
    assert "role" not in rows[0]
    assert (raw / "README").read_text().startswith("SIMULATED")
    sidecars = [path for path in raw.rglob("*.json") if path.name not in ("run.json", "participants.json")]
    assert len(sidecars) > 10
    assert all(json.loads(path.read_text())["Simulated"] is True for path in sidecars)


def test_unpaired_controls_have_no_pet_and_patients_have_a_lesion_on_the_t1s_grid(raw):
    pets = {path.parts[-3] for path in raw.glob("sub-*/pet/*_trc-18FFDG_pet.nii.gz")}
    assert pets == {"sub-c001", "sub-p001"}
    (mask,) = raw.glob("derivatives/lesions/sub-*/anat/*_label-lesion_mask.nii.gz")
    t1w = nib.load(raw / "sub-p001/anat/sub-p001_T1w.nii.gz")
    assert nib.load(mask).shape == t1w.shape
    assert np.array_equal(nib.load(mask).affine, t1w.affine)


def test_the_pet_is_4d_int16_in_bq_with_the_times_of_its_frames(raw):
    image = nib.load(raw / "sub-c001/pet/sub-c001_trc-18FFDG_pet.nii.gz")
    about = json.loads((raw / "sub-c001/pet/sub-c001_trc-18FFDG_pet.json").read_text())
    truth = json.loads((raw / "derivatives/truth/sub-c001_truth.json").read_text())
    assert image.get_data_dtype() == np.int16
    assert image.shape[3] == len(about["FrameTimesStart"]) == len(about["FrameDuration"])
    assert np.allclose(np.diff(about["FrameTimesStart"]), about["FrameDuration"][:-1])
    data = image.get_fdata().mean(axis=3)
    brain = data > 0.5 * data.max()
    assert data[brain].mean() == pytest.approx(truth["bq_per_ml"], rel=0.4)


def test_a_second_run_says_up_to_date_and_changes_no_byte(raw, capsys, monkeypatch):
    monkeypatch.setattr(raw_dataset, "ANATOMY_MM", 5.0)
    before = {path: sha256(path) for path in raw.rglob("*") if path.is_file()}
    ensure_raw(configure(raw))
    assert "up to date" in capsys.readouterr().out
    assert {path: sha256(path) for path in raw.rglob("*") if path.is_file()} == before


def test_somebodys_own_folder_is_not_written_into(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\nsub-01\n")
    with pytest.raises(UsageError, match=r"E_CLAIMED.*bids_dir="):
        ensure_raw(configure(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["participants.tsv"]


def test_raw_scans_of_real_anatomy_are_refused(tmp_path):
    with pytest.raises(UsageError, match="raw= and anatomy= together"):
        ensure_raw(configure(tmp_path / "raw", "anatomy=somewhere"))
