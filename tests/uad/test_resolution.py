"""Finding the smoothing that was applied."""

from dataclasses import replace

import numpy as np
import pytest

from synthpet.cohort import write_image
from synthpet.errors import DataError, UsageError
from synthpet.template.smoothing import smooth_within
from uad.normative.resolution import WIDEST_MM, matching_fwhm_mm
from uad.normative.sets import normative_set


def rewrite(cohort, folder, change):
    """Make each paired control's synthetic PET from the real one."""
    for subject in cohort.select("paired"):
        who = subject.participant_id
        pet = change(cohort.load(who, "pet"), cohort.load_mask(who))
        write_image(replace(cohort, root=folder).path(who, "synthetic_pet"), pet.astype(np.float32), cohort.grid)


@pytest.mark.parametrize("fwhm_mm", [7.0, 12.0])
def test_the_smoothing_that_was_applied_is_found(cohort, synthetic_folder, fwhm_mm):
    rewrite(cohort, synthetic_folder, lambda pet, mask: smooth_within(pet, mask, fwhm_mm, cohort.grid.spacing_mm))
    assert matching_fwhm_mm(cohort, synthetic_folder) == pytest.approx(fwhm_mm, abs=0.1)
    normative = normative_set(cohort, "real", synthetic_folder, smooth_fwhm_mm="match")
    assert normative.smooth_fwhm_mm == matching_fwhm_mm(cohort, synthetic_folder)
    for member in normative.members:
        scan = normative.load(member)
        applied = smooth_within(
            cohort.load(member.participant_id, "pet"), scan.mask, normative.smooth_fwhm_mm, cohort.grid.spacing_mm
        )
        np.testing.assert_array_equal(scan["pet"], applied)


def test_a_synthetic_pet_that_is_rougher_asks_for_no_smoothing(cohort, synthetic_folder):
    noise = np.random.default_rng(0).normal(size=cohort.grid.shape)
    rewrite(cohort, synthetic_folder, lambda pet, mask: pet + noise * mask)
    assert matching_fwhm_mm(cohort, synthetic_folder) == 0


def test_what_cannot_be_matched_is_refused(cohort, synthetic_folder):
    rewrite(cohort, synthetic_folder, lambda pet, mask: mask * (1 + 1e-4 * pet))
    with pytest.raises(DataError, match=rf"E_SMOOTH .*{WIDEST_MM:g} mm"):
        matching_fwhm_mm(cohort, synthetic_folder)
    with pytest.raises(UsageError, match="needs the folder"):
        normative_set(cohort, "real", smooth_fwhm_mm="match")
    nobody = replace(cohort, subjects=cohort.select("unpaired"))
    with pytest.raises(DataError, match="no paired control"):
        matching_fwhm_mm(nobody, synthetic_folder)
