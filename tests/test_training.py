"""Training folds: exact resume, no leak, learning, reuse."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from synthpet.cohort import Fold
from synthpet.cohort.files import sha256
from synthpet.cohort.scan import load_scan
from synthpet.errors import DataError
from synthpet.generators import fit as fitting
from synthpet.generators.crossfit import ensure_generators
from synthpet.generators.trained import TrainedGenerator, load_generator
from synthpet.learning import checkpoints
from synthpet.learning.checkpoints import sealed
from tests.conftest import study

SMALL = [
    "logger=local", "gan.n_folds=2", "gan.n_steps=12", "gan.n_warmup_steps=6", "trainer.steps_per_checkpoint=4",
    "gan.patch_size=[8,8,8]", "gan.stride=[4,4,4]", "gan.generator.channels=[4,8]", "gan.batch_size=2",
    "gan.discriminator.channels=4", "gan.discriminator.layers=1", "compute.n_jobs=1", "trainer.accelerator=cpu",
]  # fmt: skip


def configure(cohort, work_dir, *overrides):
    return study("complete", f"cohort={cohort.root}", f"work_dir={work_dir}", *SMALL, *overrides)


@pytest.fixture(scope="module")
def trained(shared_cohort, tmp_path_factory):
    cfg = configure(shared_cohort, tmp_path_factory.mktemp("trained"))
    ensure_generators(cfg)
    return cfg


def fold_folder(cfg, k=0):
    from synthpet.generators.crossfit import generator_folder

    return generator_folder(cfg) / f"fold-{k}"


def test_each_fold_leaves_weights_configuration_metrics_and_a_manifest(trained):
    for k in (0, 1):
        names = {path.name for path in fold_folder(trained, k).iterdir()}
        assert {"generator.safetensors", "last.ckpt", "config.yaml", "metrics.jsonl", "run.json"} <= names


def test_a_stored_generator_says_what_completion_needs(trained):
    generator = TrainedGenerator(fold_folder(trained))
    assert (generator.name, generator.patch_size, generator.stride) == ("patch3d", (8, 8, 8), (4, 4, 4))
    assert (generator.sources, generator.target) == (("t1w",), "pet")
    assert "stride" not in generator.config["gan"]


def test_a_second_run_reuses_everything(trained, capsys):
    before = {k: fold_folder(trained, k).joinpath("generator.safetensors").stat().st_mtime_ns for k in (0, 1)}
    ensure_generators(trained)
    assert "up to date" in capsys.readouterr().out
    assert before == {k: fold_folder(trained, k).joinpath("generator.safetensors").stat().st_mtime_ns for k in (0, 1)}


def test_another_stride_of_inference_trains_nothing_again_and_starts_nothing_anew(
    trained, shared_cohort, tmp_path, monkeypatch, capsys
):
    other = configure(shared_cohort, trained.work_dir, "gan.stride=[8,8,8]")
    ensure_generators(other)
    assert "up to date" in capsys.readouterr().out
    monkeypatch.setattr(checkpoints, "newest_whole", lambda folder: folder / "last.ckpt")
    fold = Fold(0, ("sub-00",), ("sub-01",))
    asked = [fitting._checkpoint_to_continue(cfg, tmp_path, fold, {"sub-00": "sha"}) for cfg in (trained, other)]
    assert asked == [None, tmp_path / "last.ckpt"]


@pytest.mark.parametrize("fast", [True, False])
def test_a_machine_with_another_processor_trains_nothing_again_and_computes_as_suits_it(
    trained, monkeypatch, capsys, fast
):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: fast)
    ensure_generators(trained)
    assert "up to date" in capsys.readouterr().out
    generator = TrainedGenerator(fold_folder(trained))
    monkeypatch.setitem(generator.config, "precision", "bf16-mixed")
    assert generator.bf16_on("cpu") == fast


def test_metrics_are_rows_of_finite_losses(trained):
    rows = [json.loads(line) for line in (fold_folder(trained) / "metrics.jsonl").read_text().splitlines()]
    losses = [row["train/loss_reconstruction"] for row in rows if "train/loss_reconstruction" in row]
    assert losses
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("steps", [4, 8])
def test_interrupted_and_continued_equals_uninterrupted(trained, shared_cohort, tmp_path, monkeypatch, steps):
    """Stop after the first or second checkpoint (before and within the adversarial part), then run again."""
    cfg = configure(shared_cohort, tmp_path)
    interrupt_and_continue(cfg, steps, monkeypatch)
    same_weights(trained, cfg)


@pytest.mark.slow  # a minute: the smallest patch of a transformer has 32^3 voxels
def test_a_transformer_is_trained_continued_to_the_bit_stored_and_used(shared_cohort, tmp_path, monkeypatch):
    options = [
        "gan=swin3d",
        *(option for option in SMALL if not option.startswith(("gan.patch", "gan.stride", "gan.generator"))),
    ]
    options += ["gan.n_steps=4", "gan.n_warmup_steps=1", "gan.batch_size=1", "trainer.steps_per_checkpoint=2"]
    whole, parts = (
        study("complete", f"cohort={shared_cohort.root}", f"work_dir={tmp_path / name}", *options)
        for name in ("whole", "parts")
    )
    ensure_generators(whole)
    interrupt_and_continue(parts, 2, monkeypatch)
    same_weights(whole, parts)
    scan = load_scan(shared_cohort, "sub-07", ("t1w",))
    generator = TrainedGenerator(fold_folder(whole))
    made = generator.synthesise(scan, shared_cohort.grid.matrix, stride=(16, 16, 16), batch_size=4)
    assert np.isfinite(made).all() and made.any()


def interrupt_and_continue(cfg, steps, monkeypatch):
    """Stop behind the checkpoint of a step, then run again."""
    save = checkpoints.SaveCheckpoint.on_train_epoch_end

    def save_then_stop(self, trainer, module):
        save(self, trainer, module)
        if int(module.step) == steps:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.SaveCheckpoint, "on_train_epoch_end", save_then_stop)
        with pytest.raises(RuntimeError, match="power cut"):
            ensure_generators(cfg)
    ensure_generators(cfg)


def same_weights(one, other):
    expected, found = (load_file(fold_folder(c) / "generator.safetensors") for c in (one, other))
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize(
    "change",
    [{"callbacks": []}, {"callbacks": {"Other": {"a": 1}}, "loops": {}}, {"optimizer_states": []}, {"loops": None}],
)
def test_a_checkpoint_of_another_form_is_an_error_with_advice(trained, shared_cohort, tmp_path, change):
    """Whole, so that only Lightning finds that it does not belong here."""
    work = tmp_path / "work"
    shutil.copytree(trained.work_dir, work)
    cfg = configure(shared_cohort, work)
    for k in (0, 1):
        checkpoint = fold_folder(cfg, k) / "last.ckpt"
        content = io.BytesIO()
        torch.save(torch.load(checkpoint, weights_only=True) | change, content)
        checkpoint.write_bytes(sealed(content.getvalue()))
        for name in ("run.json", "previous.ckpt"):
            checkpoint.with_name(name).unlink()
    with pytest.raises(DataError, match=r"E_CHECKPOINT .*last.ckpt: cannot be continued .*Delete it to train anew"):
        ensure_generators(cfg)


def test_a_checkpoint_of_another_configuration_is_not_continued(trained, shared_cohort, tmp_path):
    work = tmp_path / "work"
    shutil.copytree(trained.work_dir, work)
    cfg = configure(shared_cohort, work, "gan.learning_rate=1e-4")
    fold = ensure_generators(cfg)[0]
    train = {name: sha256(work / "cache" / f"{name}.npy") for name in fold.train}
    assert fitting._checkpoint_to_continue(cfg, fold_folder(cfg), fold, train) is not None
    assert fitting._checkpoint_to_continue(cfg, fold_folder(cfg), fold, train | {fold.train[0]: "mended"}) is None
    metrics = (fold_folder(cfg) / "metrics.jsonl").read_text().splitlines()
    rates = [json.loads(row).get("train/learning_rate", 0) for row in metrics]
    assert max(rates) <= 1e-4


def test_patients_held_out_and_withheld_images_train_nothing(trained, shared_cohort, tmp_path):
    """The same weights come out when those images are not there at all."""
    from synthpet.cohort import Cohort

    root = tmp_path / "cohort"
    shutil.copytree(shared_cohort.root, root)
    for subject in shared_cohort.select("heldout", "patient", "unpaired"):
        shutil.rmtree(root / subject.participant_id)
    cfg = configure(Cohort.open(root), tmp_path / "work", "on_invalid=skip")
    ensure_generators(cfg)
    expected, found = (load_file(fold_folder(c) / "generator.safetensors") for c in (trained, cfg))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_a_checkpoint_holds_plain_values_and_tensors_only(trained):
    """So that it can be opened without running any code in it."""
    checkpoint = torch.load(fold_folder(trained) / "last.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"]["n_steps"] == 12


def test_weights_of_another_architecture_are_refused_with_both_files(trained, tmp_path):
    folder = tmp_path / "fold"
    shutil.copytree(fold_folder(trained), folder)
    config = OmegaConf.load(folder / "config.yaml")
    config.gan.generator.channels = [4, 12]
    OmegaConf.save(config, folder / "config.yaml")
    (folder / "run.json").unlink()  # which would say that the file was changed
    with pytest.raises(DataError, match="E_MODEL"):
        load_generator(TrainedGenerator(folder))


def test_a_cohort_without_pet_says_what_is_missing(cohort, tmp_path):
    table = cohort.root / "participants.tsv"
    table.write_text(table.read_text().replace("\tpaired", "\tunpaired"))
    with pytest.raises(DataError, match="0 paired controls"):
        ensure_generators(configure(cohort, tmp_path))


def test_wandb_offline_keeps_the_run_on_the_machine(shared_cohort, tmp_path):
    cfg = configure(shared_cohort, tmp_path, "logger=wandb", "gan.n_steps=4")
    ensure_generators(cfg)
    runs = list((tmp_path / "wandb").rglob("*.wandb"))
    assert len(runs) == 1  # of the generator, whose folds are sections
    assert all("offline-run" in run.parent.name for run in runs)
    files = [path for path in (tmp_path / "wandb").rglob("*") if path.is_file()]
    assert not [path for path in files if str(tmp_path).encode() in path.read_bytes()]  # may be handed on as it is
