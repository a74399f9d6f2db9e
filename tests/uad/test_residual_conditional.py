"""The smoothed residual less what the expected PET and the mirror side tell: as by hand, and nothing is lost."""

import numpy as np
import pytest

from synthpet.command.main import compose
from synthpet.errors import UsageError
from synthpet.statistics.single_case import crawford_howell_z
from synthpet.template.smoothing import smooth_within
from tests.uad.conftest import scan_of
from tests.uad.test_conditional import ridge_by_hand
from tests.uad.test_rivals import GRID, INDEX, MASK, SHAPE, expect, lesion, people, person  # noqa: F401
from uad.detectors.base import Assignment
from uad.detectors.latent.smoothed import SmoothedDetector, SmoothedEvidence
from uad.normative.sets import normative_set

NAME = "residual_conditional"
EVERYWHERE_MM = 1000.0  # nearly one set of slopes, one spread


def learned(cohort, synthetic, folder, **changed):
    options = SmoothedDetector._own({**compose("uad_evaluate", f"detector={NAME}").detector, **changed})
    found = SmoothedDetector(Assignment(folder, 0, cohort, "cpu", synthetic, synthetic), options, expect)
    return found.fit(normative_set(cohort, "real"), cohort)


@pytest.fixture(scope="module")
def trained(people, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp(NAME)
    return learned(*people, folder), folder


def columns_by_hand(t1w, pet):
    """Of every voxel of the brain, in the order of ``SmoothedEvidence``; the brain is its own mirror image."""
    expected = expect(scan_of(t1w, pet, MASK)).astype(np.float32)

    def smooth(image, fwhm_mm):
        return smooth_within(image, MASK, fwhm_mm, GRID.spacing_mm)

    lost, around = smooth(expected - pet, 6.0), smooth(expected - pet, 40.0)
    return np.stack([image[MASK] for image in (lost, smooth(expected, 6.0), lost[::-1], around[::-1])], axis=1)


def test_evidence_is_the_smoothed_images_and_their_mirror_image():
    t1w, pet = person(3)
    volume = np.stack([t1w * MASK, pet, expect(scan_of(t1w, pet, MASK)), MASK]).astype(np.float32)
    found = SmoothedEvidence(6.0, MASK, GRID.spacing_mm).of(volume)
    np.testing.assert_allclose(found, columns_by_hand(t1w, pet), atol=1e-5)
    volume[:, SHAPE[0] // 2 :] = 0
    one_side = SmoothedEvidence(6.0, MASK, GRID.spacing_mm).of(volume)
    inside, left = np.isfinite(one_side), (INDEX[0] < 0)[MASK]
    assert (inside[:, :2] == left[:, None]).all() and (inside[:, 2:] == ~left[:, None]).all()


def test_the_map_is_ridge_regression_and_crawford_and_howells_t(people, tmp_path):  # noqa: F811
    """With slopes and spread of nearly the whole brain, against numpy; each control by a refit without it."""
    cohort, synthetic = people
    found = learned(cohort, synthetic, tmp_path, slope_fwhm_mm=EVERYWHERE_MM, spread_fwhm_mm=EVERYWHERE_MM)
    own = [columns_by_hand(*person(k)).astype(np.float64) for k in range(10)]
    patient = columns_by_hand(*person(100)) - np.mean(own, axis=0)

    def by_hand(own, others, predictors):
        mean = np.mean(others, axis=0)
        stacked = np.concatenate([other - mean for other in others])
        slopes = ridge_by_hand(stacked[:, predictors], stacked[:, :1], np.ones(len(stacked)), 0.01)
        return ((own - mean)[:, :1] - (own - mean)[:, predictors] @ slopes)[:, 0]

    z = 0
    for share, predictors in ((0.25, slice(1, 2)), (0.75, slice(1, 4))):
        left = np.array([0.9 * by_hand(own[k], own[:k] + own[k + 1 :], predictors) for k in range(10)])  # about all
        spread = np.sqrt(np.mean(left.var(axis=0, ddof=1)))
        rest = by_hand(patient + np.mean(own, axis=0), own, predictors)
        z = z + share * crawford_howell_z(rest / spread, np.full(rest.shape, 10))
    maps = found.z_map(scan_of(*person(100), MASK))
    np.testing.assert_allclose(maps["z"][MASK], z, atol=0.02)


def test_a_lesion_on_one_side_and_one_on_both_sides_stand_out_and_more_uptake_does_not(people, trained):  # noqa: F811
    found, _ = trained
    t1w, pet = person(100)
    both = lesion() | lesion()[::-1]
    for where in (lesion(), both):
        less, more = (found.z_map(scan_of(t1w, np.where(where, f * pet, pet), MASK)) for f in (0.6, 1.4))
        assert less["z"][where].mean() > 2 + less["z"][MASK & ~both].mean()
        assert less["z_pet"][where].mean() < -1 < 1 < more["z_pet"][where].mean()
        assert more["z"][where].mean() < 0 and not less["z"][~MASK].any()


def test_saved_and_read_it_gives_the_same_maps(people, trained):  # noqa: F811
    found, folder = trained
    written = found.save(folder)
    assert all(path.is_file() for path in written) and not list(folder.glob("sub-*.npy"))
    again = SmoothedDetector(found.assignment, found.options, expect)
    again.restore(folder, people[0])
    scan = scan_of(*person(101), MASK)
    for name, values in found.z_map(scan).items():
        np.testing.assert_array_equal(again.z_map(scan)[name], values)


def test_controls_left_out_look_like_people_never_seen(trained):
    found, _ = trained
    left = [judged.less[MASK] for judged in found.left_out_[0]]
    new = [found.z_map(scan_of(*person(200 + k), MASK))["z_pet"][MASK] for k in range(10)]
    assert np.std(left) == pytest.approx(np.std(new), rel=0.2)


def test_it_has_no_options_of_an_autoencoder():
    with pytest.raises(UsageError, match="autoencoder"):
        SmoothedDetector.check({"name": NAME, "autoencoder": {}})
