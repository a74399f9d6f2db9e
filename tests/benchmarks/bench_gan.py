"""How fast: a training step of the GAN, against the same networks and losses in a plain loop on tensors in memory.

Ours is what ``synthpet.train`` runs: patches cut out of memory maps and mirrored, the T1 augmented, Lightning with its
precision and metrics, losses and gradients looked at. The plain loop has the same layers, precision, augmentation,
losses, clipping and Adam, Torch's own averaging of weights, and batches that are there already; it logs nothing.

Both run in turn, ten steps each, so that other work on the machine hits both alike; the ratio is the median of theirs.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from steps import SHAPE, under_lightning, write_controls
from table import Row, words
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from synthpet.generators.conditional_gan import ConditionalGAN
from synthpet.generators.patches.augment import augment
from synthpet.generators.patches.data import Batch, PatchBatches, PatchDataModule, Sampling
from synthpet.runtime.device import resolve_precision
from tests.conftest import study

N_CONTROLS = 8
BLOCK = 10  # steps; each of ours writes one row of metrics


def plain_step(model: ConditionalGAN) -> Callable[..., None]:
    """What a user would write: generator, then discriminator."""
    options = asdict(model.own)
    generator, discriminator = model.generator, model.discriminator
    random = torch.Generator().manual_seed(0)
    for_generator, for_discriminator = model.configure_optimizers()
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(options["ema_decay"]), use_buffers=True)

    def step(batch: Batch, autocast: torch.autocast) -> None:
        t1w, pet, mask = augment(batch.sources, strength=1.0, generator=random), batch.target, batch.mask
        discriminator.requires_grad_(False)
        with autocast:
            synthetic = generator(t1w) * mask
            error = ((synthetic - pet).abs() * mask).sum() / mask.sum()
            adversarial = (discriminator(torch.cat([t1w, synthetic], dim=1)) - 1).square().mean()
        for_generator.zero_grad()
        loss = options["lambda_reconstruction"] * error + options["lambda_adversarial"] * adversarial
        loss.backward()
        nn.utils.clip_grad_norm_(generator.parameters(), options["gradient_clip"])
        for_generator.step()
        average.update_parameters(generator)
        discriminator.requires_grad_(True)
        with autocast:
            real = discriminator(torch.cat([t1w, pet], dim=1))
            fake = discriminator(torch.cat([t1w, synthetic.detach()], dim=1))
            loss = ((real - 1).square().mean() + fake.square().mean()) / 2
        for_discriminator.zero_grad()
        loss.backward()
        for_discriminator.step()

    return step


class BlocksInTurn(pl.Callback):
    """After each ``BLOCK`` steps of a training, as many of a plain loop; seconds of both.

    What Lightning does after a step counts for the next block; only the last block's end is left out.
    """

    def __init__(self, step: Callable[..., None], batches: Sequence[Batch]) -> None:
        self.step, self.batches = step, batches
        self.seconds: list[tuple[float, float]] = []
        self.bf16 = resolve_precision("auto", "cpu").startswith("bf16")

    def on_train_start(self, *args: object) -> None:
        """The first block begins."""
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: object) -> None:
        """The plain loop's turn, where a block is full."""
        if int(module.step) % BLOCK:
            return
        between = time.perf_counter()
        for batch in self.batches:
            self.step(batch, torch.autocast("cpu", torch.bfloat16, enabled=self.bf16))
        end = time.perf_counter()
        self.seconds.append((between - self.start, end - between))
        self.start = end


def rows(tiny: bool = False) -> Iterator[Row]:
    """The quick study's ``gan=patch3d`` with both networks training."""
    small = ["gan.patch_size=[16,16,16]", "gan.generator.channels=[8,16]"] if tiny else []
    cfg = study("train", "gan=patch3d", "gan.n_warmup_steps=0", *small)
    n_steps = 3 * BLOCK if tiny else 25 * BLOCK
    sampling = {key: getattr(cfg.gan, key) for key in ("patch_size", "batch_size", "coordinates")} | {"seed": 0}
    with tempfile.TemporaryDirectory() as name:
        paths = write_controls(Path(name), (24, 24, 24) if tiny else SHAPE, N_CONTROLS)
        data = PatchDataModule(paths, np.eye(4), Sampling(**sampling), steps_per_epoch=n_steps)
        in_memory = [*map(PatchBatches(paths, np.eye(4), n_batches=BLOCK, **sampling).__getitem__, range(BLOCK))]
        ours_model, plain_model = (ConditionalGAN.of(cfg.gan, cfg.trainer, seed=0) for _ in range(2))
        blocks = BlocksInTurn(plain_step(plain_model), in_memory)
        under_lightning(ours_model, data, n_steps, Path(name), blocks)
    ours, theirs = np.array(blocks.seconds[1:]).T  # the first ones compile kernels and allocate
    low, median, high = (f"{100 * (ratio - 1):+.1f}" for ratio in np.quantile(ours / theirs, [0.25, 0.5, 0.75]))
    slower = f"{median} % (half of the blocks {low} to {high} %)"
    against = "plain torch loop, same networks and losses, batches in memory"
    steps = (words(float(np.median(found)) / BLOCK) for found in (ours, theirs))
    yield Row("GAN training step, 4 patches of 32^3", against, *steps, slower, "at most +5 %")
