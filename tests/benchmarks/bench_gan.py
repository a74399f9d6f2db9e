"""How fast: a training step of the GAN, against the same networks and losses in a plain loop on tensors in memory.

Ours is what ``synthpet.train`` runs: patches cut out of memory maps and mirrored, the T1 augmented, Lightning with its
precision and metrics. The plain loop has the same layers, precision, augmentation, losses, clipping, Adam and averaging
of weights, and batches that are there already.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from steps import SHAPE, in_a_loop, under_lightning, write_controls
from table import Row, words
from torch import nn

from synthpet.command import compose
from synthpet.fitting import build_model
from synthpet.gan import ConditionalGAN
from synthpet.patches.augment import augment_t1w
from synthpet.patches.data import Batch, PatchBatches, PatchDataModule

N_CONTROLS = 8


def plain_step(model: ConditionalGAN) -> Callable[..., None]:
    """What a user would write: generator, then discriminator."""
    options = model.hparams
    generator, discriminator = model.generator, model.discriminator
    random = torch.Generator().manual_seed(0)
    for_generator, for_discriminator = model.configure_optimizers()

    def step(batch: Batch, autocast: torch.autocast) -> None:
        t1w, pet, mask = augment_t1w(batch.t1w, strength=1.0, generator=random), batch.pet, batch.mask
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
        model.ema.update_parameters(generator)
        discriminator.requires_grad_(True)
        with autocast:
            real = discriminator(torch.cat([t1w, pet], dim=1))
            fake = discriminator(torch.cat([t1w, synthetic.detach()], dim=1))
            loss = ((real - 1).square().mean() + fake.square().mean()) / 2
        for_discriminator.zero_grad()
        loss.backward()
        for_discriminator.step()

    return step


def rows(tiny: bool = False) -> Iterator[Row]:
    """The quick study's ``gan=patch3d`` with both networks training."""
    small = ["gan.patch_size=[16,16,16]", "gan.generator.channels=[8,16]"] if tiny else []
    cfg = compose("train", "gan=patch3d", "gan.n_warmup_steps=0", *small)
    n_steps, repeats = (6, 1) if tiny else (30, 5)
    sampling = {"patch_size": cfg.gan.patch_size, "batch_size": cfg.gan.batch_size, "seed": 0}
    with tempfile.TemporaryDirectory() as name:
        paths = write_controls(Path(name), (24, 24, 24) if tiny else SHAPE, N_CONTROLS)
        data = PatchDataModule(paths, np.eye(4), steps_per_epoch=n_steps, **sampling)
        in_memory = list(map(PatchBatches(paths, np.eye(4), n_batches=n_steps, **sampling).__getitem__, range(n_steps)))
        ours_model, plain_model = (build_model(cfg, seed=0) for _ in range(2))
        step = plain_step(plain_model)
        times = [
            (under_lightning(ours_model, data, n_steps, Path(name)), in_a_loop(step, in_memory, n_steps))
            for _ in range(repeats)
        ]
    ours, theirs = map(min, zip(*times, strict=True))
    slower = f"{100 * (ours / theirs - 1):+.1f} %"
    against = "plain torch loop, same networks and losses, batches in memory"
    yield Row("GAN training step, 4 patches of 32^3", against, words(ours), words(theirs), slower, "at most +5 %")
