"""Rectified flow: a sample of the target given the sources, such as one of the FDG PETs that a T1 leaves possible.

With y the target, scaled to mean 0 and standard deviation 1 in the brains of the training set, e ~ N(0, 1), 0 < t < 1:

    x_t = (1 - t) y + t e,    v(x_t, t) = (x_t - D(x_t, sources, t)) / t,    L = mean over the brain of (v - (e - y))^2

D is the generator's network, given x_t, the sources and t. A sample begins as noise at t = 1 and follows dx/dt = v to
t = 0. The noise is one volume a person, of which patches are cut; overlapping patches are blended at every step, so
that neighbours belong to one sample. It depends on the person's images and the sample's number alone: all folds'
generators start from the same, so that the mean over them is no mean of independent samples.

Source: Liu 2023 (rectified flow); t from a logistic-normal distribution (Esser 2024).
Not in the papers: D predicts the target itself, which is smooth, not the velocity, which is as rough as the noise; the
smallest t of the loss; Heun's method on a grid with more steps at small t, without which the samples are too alike.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from synthpet.generators.conditional_gan import build_generator
from synthpet.generators.manual_training import ManualTraining, StepOptions
from synthpet.generators.options import SOURCES, GeneratorOptions
from synthpet.generators.patches.augment import augment
from synthpet.generators.patches.data import Batch
from synthpet.generators.patchwise import CoveredVolume
from synthpet.learning.options import TrainerOptions
from synthpet.learning.volumes import MASK, TARGET

SMALLEST_T = 0.05  # in the loss, whose weight of the error of D is 1 / t^2
TIMES = 4  # channels that tell t


def heun(velocity: Callable[[Tensor, float], Tensor], x: Tensor, n_steps: int, shift: float) -> Tensor:
    """Follow dx/dt = velocity(x, t) from t = 1 to t = 0 by Heun's method, the last step by Euler's.

    Args:
        velocity: of ``x`` at ``t``; called 2 n - 1 times, at t of at least the last grid point above 0.
        x: at t = 1, any shape.
        n_steps: n.
        shift: 1: even steps; below 1: more of them at small t, where the samples get their spread.
    """
    even = torch.linspace(1, 0, n_steps + 1, dtype=torch.float64)
    for t, following in pairwise((shift * even / (1 + (shift - 1) * even)).tolist()):
        slope = velocity(x, t)
        if following > 0:
            slope = (slope + velocity(x + (following - t) * slope, following)) / 2
        x = x + (following - t) * slope
    return x


class FlowNetwork(nn.Module):
    """What is kept of a training: D, the scale of the target, and the way from noise to a sample.

    Args:
        network: (B, 1 + S + 3 or 0 + ``TIMES``, I, J, K) x_t, sources, coordinates and t to the scaled target.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.denoiser = network
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("sd", torch.ones(()))

    def forward(self, x: Tensor, condition: Tensor, t: Tensor) -> Tensor:
        """D: (B, 1, I, J, K) x_t, (B, S or S + 3, I, J, K) sources (and coordinates) and (B,) t to (B, 1, I, J, K)."""
        waves = [t, *(torch.cos(torch.pi * 2**k * t) for k in range(TIMES - 1))]
        times = torch.stack(waves, dim=1)[..., None, None, None].expand(-1, -1, *x.shape[2:])
        return self.denoiser(torch.cat([x, condition, times.to(x)], dim=1))

    def sample(self, volume: CoveredVolume, *, n_samples: int, sampling_steps: int, shift: float) -> Tensor:
        """The mean of samples of one person, (1, I, J, K) in the target's unit.

        Args:
            volume: the person's sources.
            n_samples: of which the mean is taken.
            sampling_steps: of Heun's method.
            shift: of its grid.
        """
        velocity = partial(self._velocity, volume)
        noises = (noise_of(volume, k).to(volume.device) * volume.brain for k in range(n_samples))
        total = sum(heun(velocity, noise, sampling_steps, shift) for noise in noises)
        return total / n_samples * self.sd + self.mean

    def _velocity(self, volume: CoveredVolume, x: Tensor, t: float) -> Tensor:
        """That of a whole (1, I, J, K) x_t, blended of patches."""

        def denoise(patches: Tensor) -> Tensor:
            return self(patches[:, :1], patches[:, 1:], torch.full((len(patches),), t, device=patches.device))

        return (x - volume.blended(denoise, x)) / t * volume.brain


def noise_of(volume: CoveredVolume, k: int) -> Tensor:
    """Where a person's sample number ``k`` begins, (1, I, J, K): the same on every machine, for every generator."""
    content = hashlib.sha256(volume.channels.numpy().tobytes()).digest()
    rng = np.random.default_rng([int.from_bytes(content[:8], "little"), k])
    return torch.from_numpy(rng.standard_normal(volume.brain.shape, np.float32))


class RectifiedFlow(ManualTraining):
    """Train the denoiser of a rectified flow.

    Args:
        own: its own options.
        gan: those of every generator.
        trainer: as ``ConditionalGAN`` has it.
        seed: of weights, augmentation, noise and t.
    """

    @dataclass(frozen=True)
    class Options(StepOptions):
        """What this generator has beside the options of every generator; all of these are of inference.

        Args:
            n_samples: whose mean is the synthetic image; a mean of many is too smooth and too alike.
            sampling_steps: of Heun's method from noise to a sample.
            shift: of its grid, see ``heun``.
        """

        n_samples: int
        sampling_steps: int
        shift: float

    own: Options

    def __init__(self, own: Options, gan: GeneratorOptions, trainer: TrainerOptions, seed: int) -> None:
        torch.manual_seed(seed)
        super().__init__(self.build(gan.values), own, gan, seed)
        self.lay_out(trainer, self.generator)

    @classmethod
    def of(cls, options: GeneratorOptions, trainer: TrainerOptions, seed: int) -> Self:
        """See ``Generator.of``."""
        return cls(options.own(cls.Options), options, trainer, seed)

    @classmethod
    def build(cls, gan: Mapping[str, Any]) -> FlowNetwork:
        """See ``Generator.build``."""
        n_channels = 1 + len(gan.get("sources", SOURCES)) + TIMES
        shape = (gan["spatial_dims"], gan["patch_size"][2], gan["coordinates"])
        return FlowNetwork(build_generator(*shape, gan["generator"], n_channels))

    def on_train_start(self) -> None:
        """Take the scale of the target from the training set; it is kept beside the weights."""
        super().on_train_start()
        mean, sd = scale_of(self.trainer.datamodule.volumes)  # type: ignore[attr-defined]
        for network in (self.generator, self.network):
            network.mean.fill_(mean)
            network.sd.fill_(sd)

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step on the velocity at random times."""
        step = int(self.step)
        rng = self._rng(step)
        sources = augment(batch.sources, strength=self.own.augmentation, generator=rng)
        losses = self._generator_step(sources, batch, step, rng)
        self.finish_step(losses)

    def _generator_step(self, sources: Tensor, batch: Batch, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        b, like = len(sources), batch.target
        t = torch.sigmoid(torch.randn(b, generator=rng)).to(like).clamp_min(SMALLEST_T)
        noise = torch.randn(like.shape, generator=rng).to(like) * batch.mask
        optimizer = self.begin_step(step)
        target = (like - self.generator.mean) / self.generator.sd * batch.mask
        times = t[:, None, None, None, None]
        x = (1 - times) * target + times * noise
        denoised = self.generator(x, self.condition(sources, batch.position), t)
        error = ((x - denoised) / times - (noise - target)) * batch.mask
        loss = error.square().sum() / batch.mask.sum().clamp_min(1)
        losses = {"loss_velocity": loss}
        self.end_step(optimizer, loss, losses)
        return losses

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.generator.parameters(), self.own.learning_rate, tuple(self.own.betas))


def scale_of(volumes: Sequence[Path]) -> tuple[float, float]:
    """Mean and standard deviation over the brains of all targets of a training set.

    Args:
        volumes: cached files, see ``cache_volumes``.
    """
    sums = np.zeros(3)
    for path in volumes:
        image = np.load(path, mmap_mode="r", allow_pickle=False)
        values = np.asarray(image[TARGET][image[MASK] > 0], np.float64)
        sums += len(values), values.sum(), np.square(values).sum()
    mean = sums[1] / sums[0]
    return float(mean), float(np.sqrt(sums[2] / sums[0] - mean**2))
