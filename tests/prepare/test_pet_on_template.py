"""SUVR on the template: scale, resolution, field of view."""

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from synthpet.prepare.pet import RawPet
from synthpet.prepare.pet_on_template import alignment, normalised_mutual_information, pet_on_template
from synthpet.prepare.spaces.itk import IDENTITY
from synthpet.template.icbm import template_grid, template_images

GRID = template_grid(3.0)
TEMPLATE = template_images(GRID)
BRAIN = TEMPLATE.brain_mask
CSF = np.clip(BRAIN - TEMPLATE.gm - TEMPLATE.wm, 0, 1)
TISSUES = {"gm": TEMPLATE.gm, "wm": TEMPLATE.wm, "csf": CSF}


def raw(data, view=None, grid=GRID):
    view = np.ones(data.shape, bool) if view is None else view
    return RawPet(np.where(view, data, 0).astype(np.float32), view, grid, {"Units": "Bq/mL"}, {}, ())


def bring(pet, own=None, wanted=None, region="brain"):
    return pet_on_template(
        pet, IDENTITY, BRAIN, GRID, suvr_reference=region, own_fwhm_mm=own, smooth_to_fwhm_mm=wanted, name="sub-01 (p)"
    )


def box():
    """Voxels that the small image of the resolution test reaches."""
    inside = np.zeros(GRID.shape, bool)
    inside[15:40, 15:40, 15:40] = True
    return inside


def uptake():
    return 8000 * (1.24 * TEMPLATE.gm + 0.55 * TEMPLATE.wm + 0.36 * CSF + 0.05)


def test_the_mean_of_the_reference_is_one_whatever_the_unit():
    one, thousand = bring(raw(uptake())), bring(raw(1000 * uptake()))
    assert one.suvr[BRAIN].mean() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(one.suvr, thousand.suvr, rtol=1e-5)
    assert one.about["SUVRReferenceRegion"] == "whole brain (mean within the brain mask)"
    assert one.about["ReferenceMean"] == pytest.approx(uptake()[BRAIN].mean(), rel=1e-3)
    assert one.about["SourceUnits"] == "Bq/mL"
    assert bring(raw(uptake()), region="cerebellum").suvr[BRAIN].mean() < 1


def test_what_the_field_of_view_leaves_out_is_exactly_zero_and_does_not_darken_its_edge():
    view = np.ones(GRID.shape, bool)
    view[:, :, 42:] = False
    found = bring(raw(np.full(GRID.shape, 500.0), view), own=5, wanted=9)
    assert (found.suvr[~view] == 0).all()
    np.testing.assert_allclose(found.suvr[view], 1, rtol=1e-4)
    assert found.measures["pet_coverage"] == pytest.approx((BRAIN & view).sum() / BRAIN.sum())
    assert "the rest is not tested" in found.notes[0]


def test_a_field_of_view_of_less_than_half_the_brain_is_refused():
    view = np.ones(GRID.shape, bool)
    view[:, :, 25:] = False
    with pytest.raises(DataError, match=r"E_COVERAGE sub-01 \(p\): .*reaches \d+% of the brain; expected at least 50%"):
        bring(raw(uptake(), view))


def test_a_pet_is_smoothed_to_the_common_resolution_before_it_is_resampled():
    grid = Grid.of((61, 61, 61), np.diag([2.0, 2.0, 2.0, 1.0]) + np.pad([[-60], [-80], [-50]], ((0, 1), (3, 0))))
    data = np.zeros(grid.shape, np.float32)
    data[30, 30, 30] = 1
    data = ndimage.gaussian_filter(data, 5 / 2.3548 / 2) + 1e-6
    fwhm = {}
    for wanted in (None, 8.0):
        target = pet_on_template(
            RawPet(data, np.ones(data.shape, bool), grid, {}, {}, ()), IDENTITY, box(), GRID,
            suvr_reference="brain", own_fwhm_mm=5.0, smooth_to_fwhm_mm=wanted, name="sub-01",
        )  # fmt: skip
        profile = target.suvr.sum((1, 2)) - target.suvr.sum((1, 2)).min()
        x = 3.0 * np.arange(profile.size)
        mean = (profile * x).sum() / profile.sum()
        fwhm[wanted] = 2.3548 * np.sqrt((profile * (x - mean) ** 2).sum() / profile.sum())
        assert target.about["PointSpreadFunctionFWHM"] == (wanted or 5.0)
    assert fwhm[8.0] ** 2 - fwhm[None] ** 2 == pytest.approx(39, rel=0.25)
    (note,) = bring(raw(uptake()), own=7, wanted=6).notes
    assert "7 mm is coarser than smooth_to_fwhm_mm=6" in note


def test_a_few_negative_voxels_are_measured_and_many_are_no_pet():
    data = uptake()
    data[28, 30:32, 30:32] = -50
    found = bring(raw(data))
    assert (found.suvr > 0).all()
    assert "negative uptake" in found.notes[0]
    with pytest.raises(DataError, match=r"E_RANGE sub-01 \(p\): \d+% of the brain has negative uptake"):
        bring(raw(uptake() - 6000))


def test_a_shifted_pet_is_less_alike():
    images = [np.roll(ndimage.gaussian_filter(uptake(), 0.8), shift, 1) for shift in (0, 2, 4)]
    found = [alignment(image, TEMPLATE.t1w, TISSUES, BRAIN, GRID) for image in images]
    for key in ("pet_mutual_information", "pet_gm_correlation"):
        values = [f[key] for f in found]
        assert values[0] > values[1] > values[2]
    assert found[0]["pet_gm_correlation"] > 0.9


def test_mutual_information_is_two_for_equal_and_one_for_unrelated_values():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 200_000))
    assert normalised_mutual_information(a, -3 * a + 1) > 1.9
    assert normalised_mutual_information(a, b) < 1.01
