"""A training on two devices, two CPU processes here: what happens to one of them stops the other, or is agreed on."""

import json
import os
import signal
import threading

import pytest
import torch
from safetensors.torch import load_file

from synthpet.errors import TrainingError, UsageError
from synthpet.generators import fit as fitting
from synthpet.generators.crossfit import ensure_generators
from synthpet.learning.several_devices import n_devices
from tests.conftest import study
from tests.faults.conftest import folds, leftovers, training
from tests.faults.test_signals import children_of, wait_until_gone

TWO = ("trainer.devices=2",)


def train_with_bad_losses(*arguments) -> None:
    """In the process of a device: at the steps of BAD the second one's loss is no number, the first one's is."""
    from synthpet.generators.conditional_gan import ConditionalGAN

    bad = {int(step) for step in os.environ["BAD"].split()}
    reconstruction = ConditionalGAN._reconstruction

    def spoilt(self, *images):
        wrong = self.global_rank == 1 and int(self.step) in bad
        return reconstruction(self, *images) * (float("nan") if wrong else 1)

    ConditionalGAN._reconstruction = spoilt
    late = threading.Timer(90, os._exit, (3,))  # in place of a hang
    late.daemon = True
    late.start()
    fitting._train(*arguments)


@pytest.fixture
def spoilt(shared_cohort, tmp_path, monkeypatch):
    def configure(bad, *options):
        monkeypatch.setattr(fitting, "_train", train_with_bad_losses)
        monkeypatch.setenv("BAD", " ".join(map(str, bad)))
        return study("train", *training(shared_cohort.root, tmp_path, *TWO, *options)[1:])

    return configure


@pytest.mark.slow
def test_b08_a_loss_that_is_bad_on_one_device_is_skipped_on_both(spoilt, tmp_path):
    ensure_generators(spoilt([2, 8]))
    for fold in folds(tmp_path):
        (row,) = [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]
        assert row["train/skipped_steps"] == 2
        assert all(torch.isfinite(tensor).all() for tensor in load_file(fold / "generator.safetensors").values())


@pytest.mark.slow
def test_b08_bad_losses_of_one_device_without_end_stop_both(spoilt, tmp_path):
    with pytest.raises(TrainingError, match="20 steps in a row"):
        ensure_generators(spoilt(range(8, 40), "gan.n_steps=40"))
    assert not (folds(tmp_path)[0] / "generator.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_b01_b03_a_stopped_command_leaves_no_process_and_goes_on(forge, shared_cohort, tmp_path, number, code):
    command = training(shared_cohort.root, tmp_path, *TWO, "gan.n_steps=60", "trainer.steps_per_checkpoint=10")
    child = forge.start(tmp_path / "log", *command)
    child.wait_for((folds(tmp_path)[0] / "previous.ckpt").exists, timeout=120)
    descendants = children_of(child.pid)
    child.send(number)
    assert child.wait() == code, child.text
    assert len(descendants) >= 2  # the devices
    wait_until_gone(descendants)
    result, text = forge.run(tmp_path / "log", *command)
    assert result == 0, text
    assert "continuing from" in text
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("options", [["trainer.devices=9x"], ["trainer.accelerator=tpu"]], ids=["word", "tpu"])
def test_a22_a_device_that_is_not_there_is_refused(options):
    with pytest.raises(UsageError, match=r"trainer\.devices"):
        n_devices(study("train", "trainer.accelerator=cpu", *options).trainer)
