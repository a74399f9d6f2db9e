"""CycleGAN between sources and target, such as T1 <-> FDG PET; unpaired people's sources take part in its cycle.

G makes the target y of the sources x, F the sources of the target, D_P and D_T judge targets and sources by themselves;
m the brain mask, S a smoothing to the resolution of a PET, all means over the brain:

    L_GF = lambda_adversarial * [(D_P(G x) - 1)^2 + (D_T(F y) - 1)^2]
         + lambda_cycle * [|F(S G x) - x| + |G(F y) - y|]  +  lambda_reconstruction * (G x - y)^2
    L_D  = ((D(real) - 1)^2 + D(fake)^2) / 2, for D_P and for D_T, fakes from a pool of earlier ones

x are patches of paired people and as many of unpaired ones; y and the last term of L_GF are of paired people.

Source: Zhu 2017 and its public code (least squares, L1 cycle, pool of 50, one Adam for both generators and one for both
discriminators); Zotova et al. 2025, arXiv 2505.07364, for the squared error on paired people.
Not in the papers: networks, weights, learning rates, the start without adversaries, S, the EMA, and that the cycle
leads back to the sources as they are, not as augmented. Without S, G would hide the T1's texture in the PET as a fine
pattern for F to read (Chu 2017); a PET has none. No identity loss: T1 and PET have no common scale.

Unpaired people's sources train every fold's generator. For the evaluation on paired people this is no leakage: of a
fold's test people neither image is seen. Of an unpaired person no target was seen, so that a synthetic one can be no
copy of it; but it is made of sources that the generator knows, and may look a little better than a new person's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from synthpet.generators.conditional_gan import (
    ConditionalGAN,
    build_discriminator,
    build_generator,
    discriminator_loss,
    mean_error,
)
from synthpet.generators.manual_training import ManualTraining
from synthpet.generators.options import GeneratorOptions
from synthpet.generators.patches.augment import augment
from synthpet.generators.patches.data import Batch
from synthpet.generators.patches.smoothing import smooth_patches
from synthpet.learning.options import TrainerOptions


class ImagePool:
    """The fakes that a discriminator learns from: half of them earlier ones (Shrivastava 2017), in half precision.

    Args:
        size: patches kept; 0: the fakes are those of the step.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, fakes: Tensor, generator: torch.Generator) -> Tensor:
        """Give some of (B, C, I, J, K) fakes to the pool for earlier ones, once it is full; otherwise fill it."""
        return torch.stack([self._exchange_one(fake, generator) for fake in fakes.detach()])

    def _exchange_one(self, fake: Tensor, generator: torch.Generator) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(fake.half())
        elif self.size and torch.rand((), generator=generator) < 0.5:
            k = int(torch.randint(self.size, (), generator=generator))
            earlier, self.images[k] = self.images[k], fake.half()
            return earlier.to(fake)
        return fake


class CycleGAN(ManualTraining):
    """Train a generator and its inverse, with discriminators of both from step ``n_warmup_steps`` on.

    Args:
        own: its own options.
        gan: those of every generator.
        trainer: as ``ConditionalGAN`` has it.
        seed: of weights, augmentation and pools.
    """

    @dataclass(frozen=True)
    class Options(ConditionalGAN.Options):
        """What this generator has beside the options of the conditional GAN.

        Args:
            lambda_cycle: weight of the error after the way there and back, both ways.
            pool_size: synthetic patches kept for each discriminator.
            cycle_fwhm_mm: of the smoothing of a synthetic target before it is led back; 0: none.
            unpaired: whether people without a target take part.
        """

        lambda_cycle: float
        pool_size: int
        cycle_fwhm_mm: float
        unpaired: bool

    own: Options

    def __init__(self, own: Options, gan: GeneratorOptions, trainer: TrainerOptions, seed: int) -> None:
        torch.manual_seed(seed)
        super().__init__(self.build(gan.values), own, gan, seed)
        dims, n_slices, n_sources = own.spatial_dims, gan.patch_size[2], len(gan.sources)
        self.inverse = build_generator(dims, n_slices, gan.coordinates, own.generator, 1, n_sources)
        self.discriminators = nn.ModuleDict()
        if own.lambda_adversarial > 0:  # each is given one kind of image, as many channels as that has
            for name, n_channels in (("target", 1), ("sources", n_sources)):
                self.discriminators[name] = build_discriminator(dims, n_slices, own.discriminator, n_channels - 1)
        self.pools = {name: ImagePool(own.pool_size) for name in self.discriminators}
        self.lay_out(trainer, self.generator, self.inverse)

    @classmethod
    def of(cls, options: GeneratorOptions, trainer: TrainerOptions, seed: int) -> Self:
        """See ``Generator.of``."""
        return cls(options.own(cls.Options), options, trainer, seed)

    @classmethod
    def build(cls, gan: Mapping[str, Any]) -> nn.Module:
        """See ``Generator.build``: the generator alone, which is that of the conditional GAN."""
        return ConditionalGAN.build(gan)

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step of both generators and, after the start, one of both discriminators."""
        step = int(self.step)
        rng, adversarial = self._rng(step), bool(self.discriminators) and step >= self.own.n_warmup_steps
        losses, fakes = self._generator_step(batch, rng, step, adversarial)
        if adversarial and fakes:
            real = {"target": batch.target, "sources": everybody(batch).sources}
            pooled = {name: pool.exchange(fakes[name], rng) for name, pool in self.pools.items()}
            loss = [discriminator_loss(d(real[name]), d(pooled[name])) for name, d in self.discriminators.items()]
            losses |= self.discriminator_step(torch.stack(loss).sum())
        self.finish_step(losses)

    def _generator_step(
        self, batch: Batch, rng: torch.Generator, step: int, adversarial: bool
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What is to be logged, and the synthetic images; without them where the step was not taken."""
        people, n = everybody(batch), len(batch.target)  # the paired come first
        varied = augment(people.sources, strength=self.own.augmentation, generator=rng)
        optimizer = self.begin_step(step)
        target = self.generator(self.condition(varied, people.position)) * people.mask
        back = self.led_back(target, people)
        sources = self.inverse(self.condition(batch.target, batch.position)) * batch.mask
        again = self.generator(self.condition(sources, batch.position)) * batch.mask
        losses = {
            "loss_reconstruction": mean_error(target[:n], batch.target, batch.mask, self.own.reconstruction),
            "loss_cycle_sources": mean_error(back, people.sources, people.mask),
            "loss_cycle_target": mean_error(again, batch.target, batch.mask),
        }
        loss = self.own.lambda_reconstruction * losses["loss_reconstruction"]
        loss = loss + self.own.lambda_cycle * (losses["loss_cycle_sources"] + losses["loss_cycle_target"])
        if batch.unpaired is not None:
            of_unpaired = mean_error(back[n:], batch.unpaired.sources, batch.unpaired.mask)
            losses["loss_cycle_sources_unpaired"] = of_unpaired.detach()
        fakes = {"target": target, "sources": sources}
        if adversarial:
            scores = [(d(fakes[name]) - 1).square().mean() for name, d in self.discriminators.items()]
            losses["loss_adversarial"] = torch.stack(scores).sum()
            loss = loss + self.own.lambda_adversarial * losses["loss_adversarial"]
        losses["loss_generator"] = loss
        return losses, fakes if self.end_step(optimizer, loss, losses) else {}

    def led_back(self, target: Tensor, people: Batch) -> Tensor:
        """F(S y): the sources, (B, S, I, J, K), of the (B, 1, I, J, K) synthetic target at a PET's resolution."""
        smooth = smooth_patches(target, people.mask, self.fwhm_voxels)
        return self.inverse(self.condition(smooth, people.position)) * people.mask

    @property
    def fwhm_voxels(self) -> tuple[float, ...]:
        """Of the smoothing, on the grid of the patches."""
        affine = self.trainer.datamodule.affine  # type: ignore[attr-defined]
        return tuple(self.own.cycle_fwhm_mm / np.linalg.norm(affine[:3, :3], axis=0))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the pools, too; what is drawn from them depends on the number of the step alone."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["pools"] = {name: [image.cpu() for image in pool.images] for name, pool in self.pools.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the same pools."""
        super().on_load_checkpoint(checkpoint)
        for name, pool in self.pools.items():
            pool.images = list(checkpoint["pools"][name])

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """One Adam for both generators and, where there are any, one for both discriminators."""
        betas, rate = tuple(self.own.betas), self.own.learning_rate_discriminator
        generators = [*self.generator.parameters(), *self.inverse.parameters()]
        optimizers = [torch.optim.Adam(generators, self.own.learning_rate, betas)]
        if self.discriminators:
            optimizers.append(torch.optim.Adam(self.discriminators.parameters(), rate, betas))
        return optimizers


def everybody(batch: Batch) -> Batch:
    """Paired people's patches, then those of unpaired people."""
    if batch.unpaired is None:
        return batch
    parts = zip(batch[:4], batch.unpaired[:4], strict=True)
    return Batch(*(torch.cat(pair) for pair in parts))
