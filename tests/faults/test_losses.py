"""Losses that are not finite: one is skipped and counted, many end the training; such weights are never saved."""

import json

import pytest
import torch
from safetensors.torch import load_file

from synthpet.errors import TrainingError
from synthpet.generators.conditional_gan import ConditionalGAN
from synthpet.generators.crossfit import ensure_generators
from synthpet.generators.manual_training import MAX_BAD_STEPS
from synthpet.generators.trained import save_generator
from synthpet.learning.checkpoints import newest_whole
from synthpet.learning.model_files import read_checkpoint
from tests.conftest import study
from tests.faults.conftest import folds, training


@pytest.fixture
def cfg(shared_cohort, tmp_path):
    return study("train", *training(shared_cohort.root, tmp_path, "gan.n_steps=40")[1:])


def spoil(monkeypatch, where, steps):
    """Make what the training sees at these steps infinite: the sources, or the gradient alone."""
    step_of = ConditionalGAN._generator_step

    def spoilt(self, sources, batch, step, adversarial):
        if step in steps and where == "image":
            sources = torch.full_like(sources, float("inf"))
        hook = None
        if step in steps and where == "gradient":
            weight = next(self.generator.parameters())
            hook = weight.register_hook(lambda gradient: gradient * float("nan"))
        try:
            return step_of(self, sources, batch, step, adversarial)
        finally:
            if hook is not None:
                hook.remove()

    monkeypatch.setattr(ConditionalGAN, "_generator_step", spoilt)


@pytest.mark.parametrize("where", ["image", "gradient"])
def test_single_bad_steps_are_skipped_and_counted_and_leave_no_trace(cfg, tmp_path, monkeypatch, where):
    spoil(monkeypatch, where, {4, 5, 11, 25})
    ensure_generators(cfg)
    for fold in folds(tmp_path):
        rows = [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]
        assert [row["train/skipped_steps"] for row in rows if "train/skipped_steps" in row][-1] == 4
        assert all(torch.isfinite(tensor).all() for tensor in load_file(fold / "generator.safetensors").values())
        state = read_checkpoint(fold / "last.ckpt")["state_dict"]
        assert all(torch.isfinite(tensor).all() for tensor in state.values())


@pytest.mark.parametrize("where", ["image", "gradient"])
def test_bad_steps_without_end_stop_it_and_the_checkpoint_before_is_kept(cfg, tmp_path, monkeypatch, where):
    spoil(monkeypatch, where, range(8, 1000))
    with pytest.raises(TrainingError, match=f"{MAX_BAD_STEPS} steps in a row") as error:
        ensure_generators(cfg)
    assert error.value.exit_code == 70
    fold = folds(tmp_path)[0]
    assert not (fold / "generator.safetensors").exists()
    state = read_checkpoint(newest_whole(fold))["state_dict"]
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_weights_that_are_no_numbers_are_never_saved(cfg, tmp_path, monkeypatch):
    """Should they become so in spite of all: neither a checkpoint nor a generator has them."""
    step_of = ConditionalGAN._generator_step

    def poison(self, sources, batch, step, adversarial):
        found = step_of(self, sources, batch, step, adversarial)
        if step == 4:
            next(self.generator.parameters()).data.fill_(float("nan"))
        return found

    monkeypatch.setattr(ConditionalGAN, "_generator_step", poison)
    with pytest.raises(TrainingError, match="E_NONFINITE step 6"):
        ensure_generators(cfg)
    fold = folds(tmp_path)[0]
    assert int(read_checkpoint(fold / "last.ckpt")["state_dict"]["step"]) == 3
    network = torch.nn.Linear(2, 2)
    network.weight.data[0, 0] = float("inf")
    with pytest.raises(TrainingError, match="E_NONFINITE"):
        save_generator(network, tmp_path)
    assert not (tmp_path / "generator.safetensors").exists()
