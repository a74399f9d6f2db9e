"""One person examined: clusters where the lesion is, nothing where nobody looked."""

import threading

import numpy as np
import pytest
from scipy import ndimage

from tests.conftest import GRID, ellipsoid
from tests.uad.conftest import scan_of
from uad.detectors.control_statistics import ControlStatistics
from uad.detectors.zmap import ZMap
from uad.findings.clusters import strongest
from uad.findings.examine import covered, examine, side_by_side
from uad.findings.options import DetectionOptions
from uad.findings.records import CalibratedDetector, HeldOut
from uad.findings.threshold import calibrate_threshold

MASK = ellipsoid(0.9)
OPTIONS = DetectionOptions(false_per_scan=1.0, min_volume_mm3=500.0, max_clusters=10, rank_by="mass", healthy_share=0.2)
LESION = ((np.argwhere(np.ones(GRID.shape)) - (6, 12, 10)) ** 2).sum(1).reshape(GRID.shape) <= 6


def person(seed):
    rng = np.random.default_rng(seed)
    t1w, pet = (ndimage.gaussian_filter(rng.normal(size=GRID.shape), 1) for _ in range(2))
    return ((0.5 + t1w) * MASK).astype(np.float32), ((1 + 0.3 * pet) * MASK).astype(np.float32)


def learn(image):
    detector = ZMap(image=image, direction="both")
    detector.spacing_mm_ = GRID.spacing_mm
    maps = (detector.measure(scan_of(*person(seed), MASK)) for seed in range(12))
    detector.statistics_ = ControlStatistics.of(maps, GRID.spacing_mm, spread_fwhm_mm=10)
    return detector


@pytest.fixture(scope="module", params=["pet", "t1w"])
def calibrated(request):
    detector = learn(request.param)
    maps = [detector.z_map(scan_of(*person(seed), MASK))["z"] for seed in range(20, 24)]
    calibration = calibrate_threshold(maps, [MASK] * 4, GRID, min_volume_mm3=500.0, false_per_scan=1.0)
    empty = np.zeros(GRID.shape, np.float32)
    scores = {str(k): strongest(z, MASK, GRID, calibration.threshold, 500.0) for k, z in enumerate(maps)}
    heldout = HeldOut({}, {}, scores, empty, empty, {})
    return CalibratedDetector(detector, learn("t1w"), GRID, OPTIONS, calibration, heldout, {})


def test_a_lesion_of_the_image_that_is_measured_ranks_first(calibrated):
    t1w, pet = person(50)
    (t1w if calibrated.detector.image == "t1w" else pet)[LESION] -= 0.5
    found = examine(scan_of(t1w, pet, MASK), calibrated)
    assert (found.labels[LESION] == 1).mean() > 0.3
    first = found.clusters[0]
    assert first.side == "left"
    if calibrated.detector.image == "pet":
        assert (first.pet_direction, first.mean_pet_z < -2) == ("hypo", True)
        assert abs(first.mean_t1w_z) < 2
    else:
        assert first.mean_t1w_z < -2
        assert first.mean_pet_z is None


def test_a_detector_of_the_t1_needs_no_pet(calibrated):
    t1w, pet = person(51)
    if calibrated.detector.image == "t1w":
        without, with_pet = examine(scan_of(t1w, mask=MASK), calibrated), examine(scan_of(t1w, pet, MASK), calibrated)
        assert (without.z == with_pet.z).all()
        assert all(cluster.asymmetry_percent is None for cluster in without.clusters)


def test_what_the_field_of_view_leaves_out_is_untested_not_abnormal(calibrated):
    t1w, pet = person(52)
    pet[:, :, :7] = 0
    found = examine(scan_of(t1w, pet, MASK), calibrated)
    outside = MASK & (np.indices(GRID.shape)[2] < 7)
    assert found.untested[outside].all()
    assert not found.labels[outside].any()
    assert found.untested.sum() == outside.sum()
    assert (covered(scan_of(t1w, pet, MASK)) == MASK & ~outside).all()
    assert (covered(scan_of(t1w, mask=MASK)) == MASK).all()


def test_work_is_done_side_by_side_and_comes_back_in_order():
    meet = threading.Barrier(2, timeout=60)

    def work(number):
        meet.wait()  # goes on only when two work at once
        return number**2

    assert list(side_by_side(work, range(6), 2)) == [0, 1, 4, 9, 16, 25]


def test_an_error_of_one_person_reaches_the_caller():
    def work(number):
        if number == 3:
            raise ValueError("sub-03")
        return number

    with pytest.raises(ValueError, match="sub-03"):
        list(side_by_side(work, range(6), 2))
