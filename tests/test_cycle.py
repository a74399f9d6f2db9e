"""CycleGAN: what leads there and back, what the pool keeps, and whose images take part."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from synthpet.cohort import Cohort, read_folds
from synthpet.cohort.images import voxel_digest
from synthpet.cohort.manifest import Manifest
from synthpet.completion.write import ensure_completed
from synthpet.errors import DataLeakageError
from synthpet.generators import crossfit
from synthpet.generators.crossfit import ensure_generators, generator_folder
from synthpet.generators.cycle_gan import CycleGAN, ImagePool, everybody
from synthpet.generators.options import GeneratorOptions
from synthpet.generators.patches.data import Batch, PatchDataModule, Sampling
from synthpet.generators.patches.smoothing import smooth_patches
from synthpet.generators.trained import seen_voxels
from synthpet.learning import checkpoints
from synthpet.learning.options import TrainerOptions
from synthpet.learning.volumes import TARGET, cache_volumes
from synthpet.template.smoothing import smooth_within
from tests.test_gan import OPTIONS
from tests.test_training import configure, fold_folder
from uad.normative.sets import check_synthetic

CYCLE = {"lambda_cycle": 10.0, "pool_size": 4, "cycle_fwhm_mm": 6.0, "unpaired": True, "method": "cycle_gan"}
FEW = ("gan=cycle3d", "gan.pool_size=3", "gan.n_steps=8", "gan.n_warmup_steps=2")


def make(**options):
    gan = GeneratorOptions.of(OPTIONS | CYCLE | options)
    model = CycleGAN.of(gan, TrainerOptions(channels_last=False), seed=0)
    model.trainer = SimpleNamespace(datamodule=SimpleNamespace(affine=np.diag([2.0, 2.0, 2.0, 1.0])))
    return model


def people(n=2, n_sources=1, shape=(8, 8, 8)):
    image = torch.rand(n, n_sources + 1, *shape)
    return Batch(image[:, :-1], image[:, -1:], torch.ones(n, 1, *shape), torch.randn(n, 3, *shape))


@pytest.mark.parametrize("sources", [("t1w",), ("t1w", "flair")])
@pytest.mark.parametrize(("dims", "shape"), [(3, (8, 8, 8)), (2, (8, 8, 3))])
def test_it_leads_to_the_target_and_back_to_all_sources(dims, shape, sources):
    model = make(spatial_dims=dims, patch_size=list(shape), sources=sources)
    some = everybody(people(2, len(sources), shape)._replace(unpaired=people(2, len(sources), shape)))
    target = model.generator(model.condition(some.sources, some.position))
    assert target.shape == (4, 1, *shape)
    back = model.led_back(target, some)
    assert back.shape == some.sources.shape
    assert len({model.discriminators[name](x).shape for name, x in (("target", target), ("sources", back))}) == 1


def test_texture_that_no_pet_can_resolve_does_not_reach_the_way_back():
    model = make(patch_size=[16, 16, 16])
    for block in (*model.inverse.encoder, *model.inverse.decoder):  # new blocks are the identity
        torch.nn.init.normal_(block[0].body[-1].weight, std=0.05)
    some = people(1, shape=(16, 16, 16))
    i, j, k = torch.meshgrid(*(torch.arange(16),) * 3, indexing="ij")
    fades = torch.hann_window(16)  # towards the patch's border, beyond which nothing is known
    texture = (-1.0) ** (i + j + k) * torch.einsum("i,j,k->ijk", fades, fades, fades)
    with torch.no_grad():
        led = [model.led_back(some.target + a * texture, some) for a in (0, 0.5)]
        plain = [model.inverse(model.condition(some.target + a * texture, some.position)) for a in (0, 0.5)]
        coarse = model.led_back(some.target + 0.5 * texture.abs(), some)
    reached, unsmoothed, of_coarse = ((b - a).abs().max() for a, b in (led, plain, (led[0], coarse)))
    assert reached < 0.002 * unsmoothed
    assert reached < 0.01 * of_coarse


def test_patches_are_smoothed_as_images_are_and_let_gradients_through():
    rng = np.random.default_rng(0)
    image, mask = rng.random((20, 18, 16), np.float32), rng.random((20, 18, 16)) > 0.2
    expected = smooth_within(image, mask, 6.0, (2.0, 2.0, 3.0), mode="constant")
    given = torch.from_numpy(image)[None, None].requires_grad_()
    found = smooth_patches(given, torch.from_numpy(mask)[None, None], (3.0, 3.0, 2.0))
    np.testing.assert_allclose(found[0, 0].detach(), expected, atol=0.02)
    assert np.corrcoef(found[0, 0].detach()[mask], expected[mask])[0, 1] > 0.995
    found.sum().backward()
    assert given.grad.abs().sum() > 0 and not given.grad[0, 0][~mask].any()
    assert smooth_patches(given, torch.from_numpy(mask)[None, None], (0, 0, 0)) is given


def test_a_pool_fills_then_exchanges_half_of_what_comes():
    pool, rng = ImagePool(10), torch.Generator().manual_seed(0)
    numbered = torch.arange(2010.0).reshape(-1, 1, 1, 1, 1)
    assert torch.equal(pool.exchange(numbered[:10], rng), numbered[:10])
    given = pool.exchange(numbered[10:], rng).flatten()
    assert (given != numbered[10:].flatten()).float().mean() == pytest.approx(0.5, abs=0.04)
    out = [*given.tolist(), *(float(image) for image in pool.images)]
    assert sorted(out) == numbered.flatten().tolist()  # none lost, none twice
    assert torch.equal(ImagePool(0).exchange(numbered, rng), numbered)


@pytest.fixture(scope="module")
def trained(shared_cohort, tmp_path_factory):
    cfg = configure(shared_cohort, tmp_path_factory.mktemp("cycle"), *FEW, "complete.residual=none")
    ensure_completed(cfg)
    return cfg


def weights(cfg):
    return [load_file(fold_folder(cfg, k) / "generator.safetensors") for k in (0, 1)]


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        for name, tensor in other.items():
            torch.testing.assert_close(one[name], tensor, rtol=0, atol=0)


def test_interrupted_and_continued_equals_uninterrupted(trained, shared_cohort, tmp_path, monkeypatch):
    """With pools that were full when it stopped, and unpaired people."""
    cfg = configure(shared_cohort, tmp_path, *FEW)
    save = checkpoints.SaveCheckpoint.on_train_epoch_end

    def save_then_stop(self, trainer, module):
        save(self, trainer, module)
        if int(module.step) == 4:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.SaveCheckpoint, "on_train_epoch_end", save_then_stop)
        with pytest.raises(RuntimeError, match="power cut"):
            ensure_generators(cfg)
    stopped = torch.load(fold_folder(cfg) / "last.ckpt", weights_only=True)
    assert [len(images) for images in stopped["pools"].values()] == [3, 3]
    ensure_generators(cfg)
    assert_equal(weights(cfg), weights(trained))


def test_steps_that_are_not_finite_are_skipped_and_leave_no_trace(shared_cohort, tmp_path, monkeypatch):
    step_of = CycleGAN._generator_step

    def spoilt(self, batch, rng, step, adversarial):
        factor = float("inf") if step in (1, 3) else 1
        return step_of(self, batch._replace(sources=batch.sources * factor), rng, step, adversarial)

    monkeypatch.setattr(CycleGAN, "_generator_step", spoilt)
    ensure_generators(cfg := configure(shared_cohort, tmp_path, *FEW))
    state = torch.load(fold_folder(cfg) / "last.ckpt", weights_only=True)
    assert state["skipped_steps"] == 2
    assert all(torch.isfinite(tensor).all() for tensor in state["state_dict"].values())


def test_unpaired_people_give_their_sources_and_no_pet(trained, shared_cohort):
    unpaired = shared_cohort.select("unpaired")
    folder = fold_folder(trained)
    (fold, _) = read_folds(generator_folder(trained) / "folds.json")
    assert fold.unpaired == tuple(subject.participant_id for subject in unpaired)
    seen = seen_voxels(folder)
    for subject in unpaired:
        assert voxel_digest(shared_cohort.path(subject.participant_id, "t1w")) in seen
        assert voxel_digest(shared_cohort.path(subject.participant_id, "withheld_pet")) not in seen
        cached = np.load(trained.work_dir / "cache-unpaired" / f"{subject.participant_id}.npy")
        assert not cached[TARGET].any() and cached[0].any()
    assert not any("withheld" in path for path in Manifest.read(folder).inputs)
    assert "- 2 controls with T1 and without measured PET" in (folder / "MODEL_CARD.md").read_text()
    assert "generator of a CycleGAN" in (folder / "MODEL_CARD.md").read_text()


def test_what_is_made_for_them_comes_from_all_folds_and_may_be_used(trained, shared_cohort):
    folder = trained.paths.synthetic("cycle3d")
    wanted = [(subject, "synthetic_pet") for subject in shared_cohort.select("paired", "unpaired")]
    check_synthetic(shared_cohort, folder, wanted)
    for subject, _ in wanted:
        (about,) = (folder / subject.participant_id / "pet").glob("*desc-synthetic_pet.json")
        assert len(json.loads(about.read_text())["Fold"]) == (2 if subject.role == "unpaired" else 1)


@pytest.mark.parametrize(("who", "error"), [("sub-06", "heldout"), ("sub-07", "patient"), ("sub-00", "E_LEAK_FOLD")])
def test_nobody_else_takes_part(shared_cohort, tmp_path, monkeypatch, who, error):
    chosen = crossfit.unpaired_people
    monkeypatch.setattr(crossfit, "unpaired_people", lambda *given: (*chosen(*given), who))
    with pytest.raises(DataLeakageError, match=f"E_LEAK.*{who}") as raised:
        ensure_generators(cfg := configure(shared_cohort, tmp_path, *FEW))
    assert error in str(raised.value)
    assert not generator_folder(cfg).exists()


def test_patients_held_out_and_withheld_images_train_nothing_but_an_unpaired_t1_does(trained, shared_cohort, tmp_path):
    root = tmp_path / "cohort"
    shutil.copytree(shared_cohort.root, root)
    for subject in shared_cohort.select("heldout", "patient"):
        shutil.rmtree(root / subject.participant_id)
    for path in root.rglob("*withheld*"):
        path.unlink()
    cfg = configure(Cohort.open(root), tmp_path / "work", *FEW, "on_invalid=skip")
    ensure_generators(cfg)
    assert_equal(weights(cfg), weights(trained))
    shutil.copy(cfg.cohort.path / "sub-03/anat" / _t1w(root, "sub-03").name, _t1w(root, "sub-04"))
    ensure_generators(cfg)
    changed = weights(cfg)[0]
    assert any(not torch.equal(tensor, changed[name]) for name, tensor in weights(trained)[0].items())


def _t1w(root, who):
    return next((root / who / "anat").glob("*_T1w.nii.gz"))


def test_without_unpaired_people_it_learns_from_the_pairs_alone(shared_cohort, tmp_path):
    ensure_generators(cfg := configure(shared_cohort, tmp_path, *FEW, "gan.unpaired=false", "gan.n_steps=1"))
    folds = json.loads((generator_folder(cfg) / "folds.json").read_text())
    assert all(set(fold) == {"index", "train", "test"} for fold in folds)
    assert not (tmp_path / "cache-unpaired").exists()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_batch_carries_as_many_patches_of_unpaired_people(shared_cohort, tmp_path, num_workers):
    groups = {role: [s.participant_id for s in shared_cohort.select(role)] for role in ("paired", "unpaired")}
    paired = list(cache_volumes(shared_cohort, groups["paired"], tmp_path / "cache").values())
    unpaired = list(cache_volumes(shared_cohort, groups["unpaired"], tmp_path / "others", target=None).values())
    sampling = Sampling((8, 8, 8), batch_size=2, coordinates=True, seed=5)
    with_others, alone = (
        PatchDataModule(
            paired, shared_cohort.grid.matrix, sampling, unpaired=others, steps_per_epoch=2, num_workers=num_workers
        ).train_dataloader()
        for others in (unpaired, [])
    )
    for batch, without in zip(with_others, alone, strict=True):
        assert torch.equal(batch.sources, without.sources) and without.unpaired is None
        assert batch.unpaired.sources.shape == batch.sources.shape
        assert batch.unpaired.sources.any() and not batch.unpaired.target.any()
