"""Reference regions of SUVR."""

import numpy as np
import pytest

from synthpet.cohort.images import write_image
from synthpet.errors import DataError, UsageError
from synthpet.prepare.reference import check_reference, reference_region, reference_uptake
from synthpet.template.icbm import template_grid, template_images

GRID = template_grid(3.0)
BRAIN = template_images(GRID).brain_mask


def volume_ml(mask):
    return mask.sum() * 0.027


def uptake(pet, seen=None, region="brain"):
    seen = np.ones(GRID.shape, bool) if seen is None else seen
    return reference_uptake(pet, seen, BRAIN, GRID, suvr_reference=region, name="sub-01 (pet.nii)")


def test_pons_and_cerebellum_lie_where_they_should_and_mirror():
    pons, cerebellum = (reference_region(name, GRID) for name in ("pons", "cerebellum"))
    template = template_images(GRID)
    assert 2 < volume_ml(pons & BRAIN) < 6
    assert (template.wm[pons] + template.gm[pons]).mean() > 0.9
    assert 30 < volume_ml(cerebellum) < 90
    for region in (pons, cerebellum):
        np.testing.assert_array_equal(region, region[::-1])


def test_the_mean_is_taken_where_the_pet_reaches():
    pet = np.full(GRID.shape, 2.0, np.float32)
    seen = np.ones(GRID.shape, bool)
    seen[:, :, 40:] = False
    pet[~seen] = 0
    found = uptake(pet, seen)
    assert found.mean == 2.0
    assert 0.5 < found.seen < 1
    assert found.words == "whole brain (mean within the brain mask)"


def test_a_region_outside_the_field_of_view_is_refused():
    seen = np.ones(GRID.shape, bool)
    seen[:, :, : GRID.shape[2] // 3] = False
    with pytest.raises(DataError, match=r"E_REF_REGION sub-01 \(pet\.nii\): 0% of .*pons.*suvr_reference"):
        uptake(np.ones(GRID.shape, np.float32), seen, "pons")


def test_a_mean_that_is_not_positive_is_refused():
    with pytest.raises(DataError, match=r"E_REF_REGION .*mean uptake -1 .*more than 0"):
        uptake(-np.ones(GRID.shape, np.float32), region="cerebellum")


def test_a_mask_of_the_user_may_lie_on_another_grid_of_the_template(tmp_path):
    fine = template_grid(2.0)
    mask = write_image(tmp_path / "mask.nii.gz", reference_region("cerebellum", fine), fine)
    found = reference_region(str(mask), GRID)
    both = (found & reference_region("cerebellum", GRID)).sum()
    assert 2 * both / (found.sum() + reference_region("cerebellum", GRID).sum()) > 0.8
    assert uptake(np.ones(GRID.shape, np.float32), region=str(mask)).words == "mask given by the user (mask.nii.gz)"


def test_a_mask_outside_the_brain_and_an_unknown_region_are_refused(tmp_path):
    empty = write_image(tmp_path / "mask.nii.gz", np.zeros(GRID.shape, bool), GRID)
    with pytest.raises(DataError, match=r"E_REF_REGION .*mask\.nii\.gz: no voxel in the template's brain"):
        reference_region(str(empty), GRID)
    with pytest.raises(UsageError, match="suvr_reference='thalamus': expected brain, pons, cerebellum, or"):
        check_reference("thalamus")
