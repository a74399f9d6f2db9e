"""Options that cannot be used are refused before work starts."""

import pytest

from synthpet.errors import DataError, UsageError
from synthpet.prepare.settings import Settings
from tests.conftest import study


def read(*options):
    return study("prepare", "bids_dir=raw", "registration=affine", *options).settings


def test_the_defaults_of_the_code_are_those_of_the_file():
    assert study("prepare", "bids_dir=raw").settings == Settings.of({"resolution_mm": 3})


def test_defaults_smooth_nothing_and_take_the_whole_brain():
    settings = read()
    assert (settings.suvr_reference, settings.smooth_to_fwhm_mm, settings.pet_window_min) == ("brain", None, None)


@pytest.mark.parametrize(
    ("option", "message"),
    [("suvr_reference=moon", "suvr_reference='moon'"), ("pet_window_min=[60,30]", "pet_window_min="),
     ("pet_window_min=30", "pet_window_min="), ("smooth_to_fwhm_mm=8", "needs the scanners' own resolution"),
     ("pet_fwhm_mm=-1", "pet_fwhm_mm=-1"), ("pet_fwhm_mm={siteA: six}", "pet_fwhm_mm.siteA='six'"),
     ("brain_mask_command=bet", "brain_mask_command=")],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_named(option, message):
    with pytest.raises(UsageError, match=message):
        read(option)


def test_each_site_has_its_resolution_and_an_unknown_site_is_refused():
    settings = read("smooth_to_fwhm_mm=8", "pet_fwhm_mm={siteA: 5.5, siteB: 7}")
    assert settings.own_fwhm_mm("siteB", "sub-01") == 7
    with pytest.raises(DataError, match=r"E_SITE sub-01: site n/a; pet_fwhm_mm has siteA, siteB"):
        settings.own_fwhm_mm(None, "sub-01")
    assert read("pet_fwhm_mm={siteA: 5.5}").own_fwhm_mm("siteB", "sub-01") is None
    assert read("smooth_to_fwhm_mm=8", "pet_fwhm_mm=6").own_fwhm_mm(None, "sub-01") == 6
