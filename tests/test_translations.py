"""Any modality from any others: a channel each, the right people, and generators of other networks than ours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from synthpet.cohort.manifest import Manifest
from synthpet.cohort.scan import Scan, load_scan
from synthpet.command.main import compose
from synthpet.errors import DataError, UsageError
from synthpet.generators.base import Generator
from synthpet.generators.crossfit import ensure_cohort, ensure_generators
from synthpet.generators.options import GeneratorOptions
from synthpet.generators.patches.augment import augment
from synthpet.generators.registry import GENERATORS, NETWORKS
from synthpet.generators.trained import TrainedGenerator, load_generator
from synthpet.learning.volumes import cache_volumes
from tests.conftest import study
from tests.test_training import SMALL, configure, fold_folder

SIMULATED = [
    "study=tiny",
    "logger.images_every=2",
    "cohort.modalities=[t1w,flair,pet]",
    "cohort.resolution_mm=8",
    *SMALL,
]
FEW = ["gan.n_steps=4", "gan.n_warmup_steps=2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("translations")


def ask(root, *overrides):
    return study(
        "complete", *SIMULATED, *FEW, f"cohort.path={root / 'cohort'}", f"work_dir={root / 'work'}", *overrides
    )


@pytest.mark.parametrize(
    ("translation", "cache", "n_people"),
    [
        ("t1w -> pet", "cache", 4),
        ("t1w+flair -> pet", "cache-t1w+flair-pet", 4),
        ("t1w -> flair", "cache-t1w-flair", 6),  # also controls without a PET
    ],
)
def test_every_translation_is_trained_and_used(root, translation, cache, n_people):
    sources, target = translation.split(" -> ")
    names = sources.split("+")
    cfg = ask(root, f"gan.sources=[{','.join(names)}]", f"gan.target={target}", f"gan.name={target}-{len(names)}")
    folds = ensure_generators(cfg)
    cohort = ensure_cohort(cfg)
    assert cfg.gan.translation == translation
    assert len(folds[0].train) + len(folds[0].test) == n_people
    assert not {s.participant_id for s in cohort.select("heldout", "patient")} & {*folds[0].train, *folds[0].test}
    volume = np.load(root / "work" / cache / f"{folds[0].test[0]}.npy")
    assert volume.shape == (len(names) + 2, *cohort.grid.shape)

    generator = TrainedGenerator(fold_folder(cfg))
    generator.check()
    assert (generator.sources, generator.target) == (tuple(names), target)
    assert ("sources" in generator.config["gan"]) == (translation != "t1w -> pet")
    images = {path.rpartition("_")[2] for path in Manifest.read(generator.folder).inputs}
    assert ("FLAIR.nii.gz" in images) == ("flair" in translation)
    scan = load_scan(cohort, folds[0].test[0], names)
    made = generator.synthesise(scan, cohort.grid.matrix, stride=(4, 4, 4), batch_size=4)
    assert made.shape == scan.mask.shape
    assert made[scan.mask].std() > 0
    assert not made[~scan.mask].any()
    card = (generator.folder / "MODEL_CARD.md").read_text()
    assert f"from a {' and '.join({'t1w': 'T1', 'flair': 'FLAIR'}[name] for name in names)} MRI" in card


def test_a_person_without_a_source_is_named(root):
    ensure_generators(cfg := ask(root, "gan.sources=[t1w,flair]", "gan.name=pet-2", "gan.target=pet"))
    generator = TrainedGenerator(fold_folder(cfg))
    scan = Scan({"t1w": np.zeros((8, 8, 8), np.float32)}, np.ones((8, 8, 8), bool))
    with pytest.raises(DataError, match="E_MISSING flair"):
        generator.synthesise(scan, np.eye(4), stride=(4, 4, 4), batch_size=4)


def test_a_cohort_without_the_target_says_so(shared_cohort, tmp_path):
    with pytest.raises(DataError, match=r"0 paired controls \(T1-weighted MRI and FLAIR MRI\)"):
        ensure_generators(configure(shared_cohort, tmp_path, "gan.target=flair"))


def test_the_withheld_pet_of_an_unpaired_control_is_no_target(root):
    cohort = ensure_cohort(ask(root))
    (one, *_) = cohort.select("unpaired")
    assert cohort.has(one.participant_id, "withheld_pet")
    assert one not in cohort.pairs(("t1w",), "pet")


def test_the_usual_translation_changes_no_manifest_and_no_folder(shared_cohort, tmp_path):
    said, unsaid = (configure(shared_cohort, tmp_path, *more) for more in (("gan.sources=[t1w]", "gan.target=pet"), ()))
    assert said.gan.of_training() == unsaid.gan.of_training()
    ids = [subject.participant_id for subject in shared_cohort.select("paired")]
    cache_volumes(shared_cohort, ids, tmp_path / "cache")
    assert Manifest.read(tmp_path / "cache").config == {"participants": ids}


def test_sources_are_varied_each_by_itself():
    pair = torch.rand(2, 1, 4, 4, 4).repeat(1, 2, 1, 1, 1) + 0.1
    varied, one = (augment(x, strength=1.0, generator=torch.Generator().manual_seed(0)) for x in (pair, pair[:, :1]))
    torch.testing.assert_close(varied[:, :1], one, rtol=0, atol=0)
    assert not torch.allclose(varied[:, 1], varied[:, 0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["gan.sources=[pet]"], "expected each once"),
        (["gan.sources=[t1w,t1w]"], "expected each once"),
        (["gan.sources=[t2w]"], "one of flair, pet, t1w"),
        (["gan.sources=t1w"], "a list"),
        (["gan.sources=[]"], "a list, not empty"),
        (["gan.target=ct"], "one of flair, pet, t1w"),
        (["gan.target=t1w_acq-"], "one of flair, pet, t1w"),
        (["gan.generator.network=unet"], "one of residual_unet"),
    ],
)
def test_a_translation_that_cannot_be_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        compose("train", *options)


def test_a_scanner_is_a_modality_of_its_own():
    assert study("train", "gan.sources=[t1w_acq-B,flair]").gan.sources == ("t1w_acq-B", "flair")


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_a_network_without_buffers_is_trained(shared_cohort, tmp_path, norm):
    cfg = configure(shared_cohort, tmp_path, *FEW, f"gan.generator.norm={norm}", "gan.lambda_adversarial=0")
    ensure_generators(cfg)
    assert not list(load_generator(TrainedGenerator(fold_folder(cfg))).buffers())


class Plain(nn.Module):
    """Of another package: no norms, and options that mean something else than those of ``ResidualUNet``."""

    def __init__(self, spatial_dims, in_channels, out_channels, *, blocks):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv3d(in_channels, len(blocks), 3, padding=1), nn.ReLU())
        self.last = nn.Conv3d(len(blocks), out_channels, 1)

    def forward(self, x):
        return self.last(self.layers(x))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_network_of_a_package_is_trained_stored_and_used(shared_cohort, tmp_path, monkeypatch, precision):
    monkeypatch.setitem(NETWORKS.own, "plain", f"{__name__}:Plain")
    cfg = configure(shared_cohort, tmp_path, *FEW, f"trainer.precision={precision}")
    values = {**cfg.gan.values, "generator": {"network": "plain", "blocks": ["a", "b", 70]}}
    cfg = replace(cfg, gan=GeneratorOptions.of(values))
    ensure_generators(cfg)
    generator = TrainedGenerator(fold_folder(cfg))
    assert isinstance(load_generator(generator), Plain)
    scan = load_scan(shared_cohort, "sub-07", ("t1w",))
    monkeypatch.setattr(TrainedGenerator, "bf16_on", lambda self, device: precision.startswith("bf16"))
    made = generator.synthesise(scan, shared_cohort.grid.matrix, stride=(4, 4, 4), batch_size=4)
    assert np.isfinite(made).all()


@pytest.mark.parametrize("change", [{"method": "nowhere"}, {"method": ["x"]}, {"coordinates": None}])
def test_a_stored_generator_of_an_unknown_kind_is_refused(shared_cohort, tmp_path, change):
    cfg = configure(shared_cohort, tmp_path, *FEW)
    ensure_generators(cfg)
    folder = fold_folder(cfg)
    config = OmegaConf.load(folder / "config.yaml")
    config.gan.update(change)
    OmegaConf.save(config, folder / "config.yaml")
    (folder / "run.json").unlink()
    with pytest.raises(DataError, match="E_MODEL"):
        load_generator(TrainedGenerator(folder))


@pytest.mark.parametrize("method", list(GENERATORS.own))
def test_our_generators_follow_the_protocol(method):
    kind = GENERATORS.load(method)
    assert all(hasattr(kind, name) for name in ("Options", "of", "build", "network"))
    assert {name for name in vars(Generator) if name in ("of", "build", "network")} == {"of", "build", "network"}
