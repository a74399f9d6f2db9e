"""Frames of a dynamic PET: times, weights, mean, motion."""

import gzip
import json
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort import images
from synthpet.cohort.images import read_frames
from synthpet.errors import DataError
from synthpet.prepare.frames import frame_shift_mm, frame_timing, mean_frame
from synthpet.prepare.raw.inheritance import read_sidecar, sidecar_files


def write_4d(path, data, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(np.asarray(data, np.float32), np.diag([4.0, 4, 4, 1]) if affine is None else affine)
    image.set_sform(image.affine, code="scanner")
    image.to_filename(path)
    return read_frames(path)


def test_frames_are_weighted_by_their_duration(tmp_path):
    frames = write_4d(tmp_path / "pet.nii.gz", np.stack([np.full((3, 4, 5), v) for v in (1.0, 4.0)], -1))
    timing = frame_timing({"FrameDuration": [300, 600], "FrameTimesStart": [0, 300]}, frames.n, "sub-01")
    np.testing.assert_allclose(mean_frame(frames, timing.weights), 3.0)


def test_a_window_takes_the_frames_whose_middle_lies_in_it_after_injection():
    about = {"FrameTimesStart": [0, 600, 1200, 1800], "FrameDuration": [600] * 4, "InjectionStart": 300}
    timing = frame_timing(about, 4, "sub-01", (10, 22))
    np.testing.assert_allclose(timing.weights, [0, 0.5, 0.5, 0])
    assert timing.start_s == (600, 1200)
    with pytest.raises(DataError, match=r"E_FRAMES sub-01: no frame .* 40 to 60 min .* 0\.0, 10\.0, 20\.0, 30\.0 min"):
        frame_timing(about, 4, "sub-01", (40, 60))


def test_without_times_frames_count_alike_and_a_window_is_refused():
    timing = frame_timing({}, 3, "sub-01")
    np.testing.assert_allclose(timing.weights, 1 / 3)
    assert "count equally" in timing.notes[0]
    assert frame_timing({}, 1, "sub-01", (30, 60)).notes == ()
    with pytest.raises(DataError, match=r"pet_window_min=.*no sidecar gives FrameTimesStart"):
        frame_timing({}, 3, "sub-01", (30, 60))


@pytest.mark.parametrize(
    ("duration", "message"),
    [([60, 60], "3 frames, but FrameDuration .* has 2 values"), ([60, 0, 60], "more than 0 s"), ("abc", "numbers")],
)
def test_durations_that_do_not_fit_the_frames_are_refused(duration, message):
    with pytest.raises(DataError, match=rf"(?s)E_FRAMES sub-01 \(x\): .*{message}"):
        frame_timing({"FrameDuration": duration}, 3, "sub-01 (x)")


@pytest.mark.parametrize(
    "about",
    [
        {"FrameDuration": [300, 600], "FrameTimesStart": [0, 300]},
        {"FrameDuration": [600], "FrameTimesStart": [0, 600]},
        {"FrameDuration": [0]},
    ],
)
@pytest.mark.parametrize("window", [None, (30, 60)])
def test_a_single_frame_needs_no_times(about, window):
    timing = frame_timing(about, 1, "sub-01", window)
    assert (timing.weights.tolist(), timing.duration_s) == ([1.0], ())
    assert timing.notes[0].startswith("one frame, but its sidecar has frame times of several")
    assert ("pet_window_min=[30, 60] is not known" in timing.notes[0]) == bool(window)


def test_frame_ends_given_as_durations_are_noticed():
    timing = frame_timing({"FrameTimesStart": [0, 10, 20], "FrameDuration": [10, 20, 30]}, 3, "sub-01")
    assert timing.duration_s == (10, 10, 10)
    assert "overlaps" in timing.notes[0]


def test_sidecars_are_inherited_from_above_and_the_nearest_wins(tmp_path):
    image = tmp_path / "sub-01/ses-a/pet/sub-01_ses-a_trc-18FFDG_pet.nii.gz"
    image.parent.mkdir(parents=True)
    (tmp_path / "pet.json").write_text(json.dumps({"Units": "Bq/mL", "TracerName": "FDG"}))
    (tmp_path / "trc-DASB_pet.json").write_text(json.dumps({"TracerName": "DASB"}))
    (tmp_path / "sub-01/sub-01_trc-18FFDG_pet.json").write_text(json.dumps({"Units": "kBq/mL"}))
    beside = image.with_name("sub-01_ses-a_trc-18FFDG_pet.json")
    beside.write_text(json.dumps({"FrameDuration": [600]}))
    assert read_sidecar(image) == {"Units": "kBq/mL", "TracerName": "FDG", "FrameDuration": [600]}
    assert sidecar_files(image)[-1] == beside
    beside.write_text("{")
    with pytest.raises(DataError, match=r"E_JSON .*18FFDG_pet\.json"):
        read_sidecar(image)


def test_a_voxel_that_is_not_finite_in_a_frame_that_counts_is_nan(tmp_path):
    data = np.ones((3, 3, 3, 2))
    data[0, 0, 0, 1] = np.inf
    frames = write_4d(tmp_path / "pet.nii", data)
    assert np.isnan(mean_frame(frames, np.array([0.5, 0.5]))[0, 0, 0])
    assert np.isfinite(mean_frame(frames, np.array([1.0, 0.0]))).all()


def test_a_moved_frame_is_measured(tmp_path):
    ball = ndimage.gaussian_filter((np.linalg.norm(np.indices((24, 24, 24)) - 11, axis=0) < 6).astype(float), 1)
    still = np.stack([ball, 3 * ball, 2 * ball], -1)
    moved = np.stack([ball] * 5 + [ndimage.shift(ball, (0, 2, 0), order=1)], -1)
    weights = {n: np.full(n, 1 / n) for n in (3, 6)}
    frames = write_4d(tmp_path / "still.nii", still)
    assert frame_shift_mm(frames, weights[3], mean_frame(frames, weights[3])) < 0.5
    frames = write_4d(tmp_path / "moved.nii", moved)
    assert 5 < frame_shift_mm(frames, weights[6], mean_frame(frames, weights[6])) < 9


def test_frames_turn_to_ras_as_a_volume_does(tmp_path):
    data = np.random.default_rng(0).random((3, 4, 5, 2))
    affine = np.array([[0, 0, -4.0, 3], [2.0, 0, 0, 5], [0, -3.0, 0, 7], [0, 0, 0, 1]])
    frames = write_4d(tmp_path / "pet.nii.gz", data, affine)
    expected = nib.as_closest_canonical(nib.load(tmp_path / "pet.nii.gz"))
    np.testing.assert_array_equal(next(frames.each([1]))[1], expected.get_fdata(dtype=np.float32)[..., 1])
    np.testing.assert_allclose(frames.grid.matrix, expected.affine)
    assert frames.grid.shape == expected.shape[:3]


@pytest.fixture
def large(tmp_path, monkeypatch):
    """Frames that are held, and the same ones where files of 1 MB count as too large to hold."""

    def write(name="pet.nii.gz"):
        data = np.random.default_rng(0).uniform(0, 100, (24, 20, 22, 40)).astype(np.float32)
        turned = np.array([[-2.0, 0, 0, 40], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
        held = write_4d(tmp_path / name, data, turned)
        monkeypatch.setattr(images, "MAX_BYTES", 1_000_000)
        return held, read_frames(tmp_path / name)

    return write


@pytest.mark.parametrize("name", ["pet.nii.gz", "pet.nii"])
def test_frames_that_are_not_held_give_the_same_mean_and_motion(large, name):
    held, streamed = large(name)
    assert (held.stored is None, streamed.stored is None) == (False, True)
    assert (streamed.n, streamed.grid, streamed.scale_lost) == (held.n, held.grid, held.scale_lost)
    weights = np.zeros(40)
    weights[[3, 4, 17, 39]] = 0.25
    mean = mean_frame(held, weights)
    np.testing.assert_array_equal(mean_frame(streamed, weights), mean)
    assert frame_shift_mm(streamed, weights, mean) == frame_shift_mm(held, weights, mean)


def test_of_frames_that_are_not_held_few_are_in_memory(large):
    _, streamed = large()
    frame_bytes = 24 * 20 * 22 * 4
    tracemalloc.start()
    mean_frame(streamed, np.full(40, 1 / 40))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 14 * frame_bytes  # of 40; the sum has twice the bytes of a frame


def test_a_large_file_is_checked_to_its_end(large, tmp_path):
    large()
    path = tmp_path / "pet.nii.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5000])
    with pytest.raises(DataError, match="E_TRUNCATED"):
        read_frames(path)
    path.write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    with pytest.raises(DataError, match=r"E_TRUNCATED .*damaged"):
        read_frames(path)
    path.write_bytes(whole + gzip.compress(b"x", mtime=0))
    with pytest.raises(DataError, match="E_SIZE"):
        read_frames(path)
