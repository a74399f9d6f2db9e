"""Values of the command line are held to the kind of those in the configuration files, no more."""

import pytest

from synthpet.command.main import compose
from synthpet.command.options import check_options
from synthpet.errors import UsageError

MACHINES = "detector=ocsvm_voxel"  # has options of every kind


def check(config, *overrides):
    keys = [text.partition("=")[0] for text in overrides]
    given = compose(config, MACHINES)
    check_options(compose(config, MACHINES, *overrides), given, keys)


@pytest.mark.parametrize(
    "override",
    [
        "gan.generator.channels=[4,8]", "gan.generator.channels=[8,16,32,64]", "detector.seeds=[0,1,2]",
        "gan.betas=[0,0.9]", "detector.gamma=scale", "detector.n_directions=null", "detector.nu=1",
        "cohort.resolution_mm=2", "gan.n_warmup_steps=0", "compare.columns=[real]", "trainer.devices=[0,1]",
        "normative.smooth_fwhm_mm=match", "complete.smooth_fwhm_mm=0", "cohort.n_unpaired=0",
    ],
)  # fmt: skip
def test_another_value_of_the_same_kind_is_accepted(override):
    check("uad_compare", override)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("gan.patch_size=[8,8]", "3 numbers"),
        ("gan.patch_size=[8,8,-8]", "each a whole number, 1 or more"),
        ("gan.generator.channels=[]", "not empty"),
        ("gan.generator.channels=[8,0]", "each a whole number, 1 or more"),
        ("gan.generator.channels=8", "a list"),
        ("gan.n_steps=many", "a whole number"),
        ("gan.n_steps=0.5", "a whole number"),
        ("trainer.steps_per_checkpoint=0", "1 or more"),
        ("compute.n_jobs=-1", "1 or more"),
        ("cohort.resolution_mm=0", "a number from 0.3 to 20"),
        ("detection.false_per_scan=0", "a number above 0"),
        ("trainer.compile=3", "true or false"),
        ("gan.generator=3", "names with values"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_it_has_to_be(override, expected):
    with pytest.raises(UsageError, match=f"expected .*{expected}"):
        check("uad_compare", override)
