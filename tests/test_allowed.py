"""The one table of what options may be: refused with what is allowed, whoever set them, before any work starts."""

from dataclasses import fields

import pytest
import torch
from omegaconf import OmegaConf

from synthpet.command.allowed import ALLOWED, GAN_OPTIONAL, GANS, check_values
from synthpet.command.main import compose
from synthpet.errors import UsageError
from synthpet.generators.conditional_gan import build_discriminator, build_generator
from synthpet.generators.options import SHARED, GeneratorOptions
from synthpet.generators.registry import GENERATORS
from tests.test_readme import ROOT

REFUSED = [
    ("gan.spatial_dims=4", "a whole number from 2 to 3"),
    ("gan.betas=[2,2]", "2 numbers, each a number from 0 to less than 1"),
    ("gan.reconstruction=l3", "one of l1, mse"),
    ("gan.generator.norm=bach", "one of batch, instance, group, none"),
    ("gan.ema_decay=3", "a number from 0 to less than 1"),
    ("gan.learning_rate=0", "a number above 0 to 1"),
    ("gan.learning_rate=.nan", "a number above 0"),
    ("gan.n_folds=1", "a whole number, 2 or more"),
    ("gan.reconstruction=null", "one of l1, mse"),
    ("trainer.precision=foo", "one of auto, 32-true"),
    ("compare.detectors=[]", "a list of words"),
    ("compare.columns=[real,5]", "a list of words"),
    ("compare.reference=null", "a word"),
    ("cohort.path=null", "a word"),
    ("logger.project=[1]", "a word"),
    ("detection.rank_by={a:1}", "one of mass"),
    ("trainer.devices=0", "a number of devices"),
    ("trainer.devices=[0,0]", "a number of devices"),
    ("cohort.scan.attenuation=100", "a number from 0 to 1"),
    ("cohort.n_paired=0 cohort.n_unpaired=0 cohort.n_heldout=0 cohort.n_patients=0", "somebody"),
    ("trainer.strategy=foo", "one of auto, ddp"),
    ("detector=ocsvm_voxel detector.nu=5", "a number above 0 to 1"),
    ("detector=ocsvm_voxel detector.gamma=wide", "a number above 0 or scale"),
    ("detector.direction=down", "one of hypo, hyper, both"),
    ("detector=zmap_conditional detector.autoencoder.patch_size=[4,5,5]", "each an odd number, 1 or more"),
    ("detection.rank_by=x", "one of mass, size, mean"),
    ("normative.smooth_fwhm_mm=fit", "a number, 0 or more or match"),
    ("cohort.lesion_depth=[0.5,0.1]", "not falling"),
    ("cohort.lesion_shapes=[star]", "a list, not empty, each one of focal"),
    ("seed=-1", "a whole number from 0 to"),
    ("logger.mode=maybe", "one of offline, online, off"),
    ("complete.residual=yes", "one of resampled, none"),
    ("+gan.learning_rat=1", r"no such option; .*gan\.learning_rate"),
    ("+gan.generator.depth=3", "no such option"),
    ("+gan.pool_size=3", "no option of gan.method=conditional_gan"),
    ("gan=cycle3d ~gan.pool_size", "was not given"),
    ("~gan.stride", "was not given"),
    ("gan.stride=[16,33,16]", r"at most gan\.patch_size=\[32, 32, 32\]"),
    ("gan.patch_size=[31,32,36]", "multiples of 8, each"),
    ("gan.patch_size=[8,8,8] gan.stride=[8,8,8]", "12 or more for gan.discriminator.layers=2"),
    ("gan.generator.norm=group gan.generator.channels=[12,24]", "multiples of 8"),
    ("gan=swin3d gan.patch_size=[48,32,32]", "multiples of 32, each"),
    ("gan=swin3d gan.generator.feature_size=20", "a multiple of 12"),
    ("detector=zmap_conditional detector.autoencoder.latent_dim=7", "a multiple of 2"),
    ("detector=zmap_conditional detector.method=latent_zmap detector.n_directions=null", "expected 1 with"),
]


REFUSED_BY_PREPARE = [
    ("participant_label=01", "a list of words"), ("participant_label=[[1]]", "a list of words"),
    ("session=[a]", "a word, or null"), ("columns.group=[1]", "a word, or null"),
    ("heldout_share=x", "a number from 0"),
    ("+columns.foo=x", "no such option"), ("registration=bspline", "one of syn, affine, rigid"),
    ("registration={a: 1}", "one of syn, affine, rigid"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "expected"), REFUSED_BY_PREPARE)
def test_what_prepare_cannot_read_is_refused(override, expected):
    with pytest.raises(UsageError, match=f"(expected|:) {expected}"):
        compose("prepare", "bids_dir=x", override)
    compose("prepare", "bids_dir=x", "session={t1w: a, pet: b}", "participant_label=[01,02]", "columns.role=null")


@pytest.mark.parametrize(("overrides", "expected"), REFUSED)
def test_a_value_that_cannot_work_is_refused_with_what_is_allowed(overrides, expected):
    with pytest.raises(UsageError, match=rf"(?s)(: |, ){expected}|expected.* {expected}|: {expected}"):
        compose("uad_compare", *overrides.split())


def test_all_problems_are_said_at_once():
    with pytest.raises(UsageError, match=r"(?s)detector\.nu=.*expected.*\n  gan\.betas=.*expected"):
        compose("uad_compare", "gan.betas=[2,2]", "detector=ocsvm_voxel", "detector.nu=5")


def test_a_value_of_a_file_is_held_to_the_same_table(tmp_path):
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "mine.yaml").write_text("defaults: [patch3d]\nname: mine\nn_steps: many\n")
    with pytest.raises(UsageError, match=r"gan\.n_steps='many': expected a whole number"):
        compose("train", f"hydra.searchpath=['{tmp_path}']", "gan=mine")


@pytest.mark.parametrize("command", ["prepare", "phantom", "validate", "uad_detect", "uad_compare", "compare"])
def test_what_the_files_have_is_allowed(command):
    check_values(compose(command, *(["bids_dir=x", "cohort.name=x"] if command == "prepare" else [])))


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "configs/gan").glob("*.yaml")])
def test_the_table_has_every_option_that_a_generator_is_trained_with(name):
    gan = compose("train", f"gan={name}").gan
    named = {f"{key}.{inner}" if hasattr(gan[key], "keys") else key for key in gan for inner in
             (gan[key] if hasattr(gan[key], "keys") else [""])}  # fmt: skip
    method = gan.get("method", "conditional_gan")
    rules = {key for key in GANS[method] if not (key.startswith("generator.") and "network" in gan.generator)}
    assert named - {"name", "method", *GAN_OPTIONAL} == rules  # another network has options of its own
    options = {field.name for field in fields(GENERATORS.load(method).Options)}
    assert {key.partition(".")[0] for key in GANS[method]} - set(SHARED) == options
    assert all(key.count(".") <= 2 and str(rule) for key, rule in ALLOWED.items())


@pytest.mark.parametrize("name", ["patch3d", "cycle3d", "flow3d"])
@pytest.mark.parametrize("study", [path.stem for path in (ROOT / "configs/study").glob("*.yaml")])
def test_every_study_goes_with_every_method_which_passes_over_what_it_has_not(study, name):
    gan = GeneratorOptions.of(OmegaConf.to_container(compose("train", f"study={study}", f"gan={name}").gan))
    gan.own(GENERATORS.load(gan.method).Options)


SIZES = [[n, n, n] for n in (2, 4, 6, 8, 10, 12, 16, 20, 24, 31)] + [[32, 32, 1], [16, 24, 40], [32, 32, 3]]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dims", [2, 3])
def test_patches_are_refused_exactly_where_the_networks_cannot_take_them(size, dims):
    options = [f"gan.spatial_dims={dims}", f"gan.patch_size={size}", f"gan.stride={size}".replace(" ", ""),
               "gan.batch_size=1", "gan.generator.channels=[4,8]", "gan.discriminator.channels=2"]  # fmt: skip
    try:
        gan = compose("train", *(text.replace(" ", "") for text in options)).gan
        refused = None
    except UsageError as error:
        refused = str(error)
        gan = compose("train").gan
    generator = build_generator(dims, size[2], False, dict(gan.generator) | {"channels": [4, 8]})
    discriminator = build_discriminator(dims, size[2], dict(gan.discriminator) | {"channels": 2})
    x = torch.zeros(1, 1, *size)
    try:
        fits = generator(x).shape == x.shape and discriminator(torch.cat([x, x], 1)).numel() > 0
    except (RuntimeError, ValueError):
        fits = False
    assert fits == (refused is None), refused
