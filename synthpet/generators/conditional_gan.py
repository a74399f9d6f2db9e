"""The conditional GAN, such as T1 -> FDG PET: one LightningModule for slice triplets and for 3D patches.

Least-squares losses (Mao 2017), G the generator, D the discriminator, x the sources, y the target, m the brain mask:

    L_G = lambda_reconstruction * |m (G(x) - y)| / |m|  +  lambda_adversarial * (D(x, G(x)) - 1)^2
    L_D = ((D(x, y) - 1)^2 + D(x, G(x))^2) / 2

Source: form after Zotova et al. 2021 (least squares + MSE to the real PET; slice triplets, or patches of 32^3).
Not in the paper: networks, loss weights, the start on the reconstruction loss alone, the coordinates, the EMA.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from synthpet.errors import TrainingError
from synthpet.generators.networks import SlicesAsChannels, patch_discriminator
from synthpet.generators.options import SOURCES, GeneratorOptions
from synthpet.generators.patches.augment import augment
from synthpet.generators.patches.data import Batch
from synthpet.generators.registry import NETWORKS
from synthpet.learning.options import TrainerOptions
from synthpet.learning.schedule import cosine_schedule, gradient_norm, moving_average

MAX_BAD_STEPS = 20  # consecutive steps with a loss or gradient that is not finite, before training gives up


def build_generator(
    spatial_dims: int, n_slices: int, coordinates: bool, generator: Mapping[str, Any], n_sources: int = 1
) -> nn.Module:
    """The generator: (B, S or S + 3, I, J, K) -> (B, 1, I, J, K), sources (and coordinates) to the target.

    Args:
        spatial_dims: 3, or 2 with slices as channels.
        n_slices: of a patch, for ``spatial_dims=2``.
        coordinates: whether it is given the template coordinates.
        generator: ``network``, a name of ``NETWORKS``, and its options.
        n_sources: S.

    Raises:
        ValueError: a network that takes long to build.
        UsageError: no such network.
    """
    options = dict(generator)
    network = NETWORKS.load(options.pop("network", "residual_unet"))
    for name, most in getattr(network, "LARGEST", {}).items():
        if isinstance(options.get(name), int) and options[name] > most:
            raise ValueError(f"{name}={options[name]}: expected {most} at most")
    channels = n_sources + 3 * coordinates
    if spatial_dims == 3:
        return network(3, channels, 1, **options)
    return SlicesAsChannels(network(2, channels * n_slices, n_slices, **options), n_slices)


def build_discriminator(
    spatial_dims: int, n_slices: int, discriminator: Mapping[str, Any], n_sources: int = 1
) -> nn.Module:
    """The discriminator: (B, S + 1, I, J, K), sources and target, to a map of scores."""
    if spatial_dims == 3:
        return patch_discriminator(3, n_sources + 1, **discriminator)
    network = patch_discriminator(2, (n_sources + 1) * n_slices, **discriminator)
    return SlicesAsChannels(network, n_slices, unfold=False)


class ConditionalGAN(pl.LightningModule):
    """Train a generator, with a discriminator from step ``n_warmup_steps`` on.

    Args:
        own: its own options.
        gan: those of every generator.
        trainer: of these ``compile`` and ``channels_last``: whether 3D (or 2D) weights are kept channels-last.
        seed: of weights and augmentation.
    """

    @dataclass(frozen=True)
    class Options:
        """What this generator has beside the options of every generator.

        Args:
            spatial_dims: 3 (patches) or 2 (slices as channels).
            generator: see ``build_generator``.
            discriminator: options of ``patch_discriminator``.
            reconstruction: ``l1`` or ``mse``.
            lambda_reconstruction: weight of the reconstruction loss.
            lambda_adversarial: weight of the adversarial loss; 0 trains no discriminator.
            learning_rate: of the generator; cosine decay to 2 % after a short linear rise.
            learning_rate_discriminator: constant.
            betas: of both Adam optimisers.
            gradient_clip: largest norm of the generator's gradient.
            n_warmup_steps: steps on the reconstruction loss alone.
            ema_decay: of the averaged generator, the one that is used afterwards.
            augmentation: strength of ``augment``.
        """

        spatial_dims: int
        generator: Mapping[str, Any]
        discriminator: Mapping[str, Any]
        reconstruction: str
        lambda_reconstruction: float
        lambda_adversarial: float
        learning_rate: float
        learning_rate_discriminator: float
        betas: Sequence[float]
        gradient_clip: float
        n_warmup_steps: int
        ema_decay: float
        augmentation: float

    def __init__(self, own: Options, gan: GeneratorOptions, trainer: TrainerOptions, seed: int) -> None:
        super().__init__()
        self.save_hyperparameters({**gan.of_training(), "seed": seed})
        self.own, self.gan, self.seed = own, gan, seed
        self.automatic_optimization = False
        torch.manual_seed(seed)
        self.generator = self.build(gan.values)
        self.ema = AveragedModel(self.generator, use_buffers=True)  # by moving_average; its own takes twice as long
        shape = (own.spatial_dims, gan.patch_size[2])
        self.discriminator = (
            build_discriminator(*shape, own.discriminator, len(gan.sources)) if own.lambda_adversarial > 0 else None
        )
        if trainer.channels_last:
            layout = torch.channels_last_3d if own.spatial_dims == 3 else torch.channels_last
            self.to(memory_format=layout)
        if trainer.compile:
            self.generator.compile()
        self.register_buffer("step", torch.zeros((), dtype=torch.long))  # batches seen; Lightning counts optimisers
        self.bad_steps = 0  # in a row
        self.skipped_steps = 0  # in all

    @classmethod
    def of(cls, options: GeneratorOptions, trainer: TrainerOptions, seed: int) -> Self:
        """See ``Generator.of``."""
        return cls(options.own(cls.Options), options, trainer, seed)

    @classmethod
    def build(cls, gan: Mapping[str, Any]) -> nn.Module:
        """See ``Generator.build``."""
        n_sources = len(gan.get("sources", SOURCES))
        return build_generator(
            gan["spatial_dims"], gan["patch_size"][2], gan["coordinates"], gan["generator"], n_sources
        )

    @property
    def network(self) -> nn.Module:
        """The averaged generator."""
        return self.ema.module

    def on_train_start(self) -> None:
        """Find once what each step needs: the averaged tensors, and those that a forward pass changes.

        The latter are the statistics of batch normalisation and the vectors of spectral norms. To walk through the
        modules in every step takes longer than to work on the tensors.
        """
        self.averaging = [[*network.parameters(), *network.buffers()] for network in (self.ema.module, self.generator)]
        networks = [self.generator] if self.discriminator is None else [self.generator, self.discriminator]
        self.statistics = [buffer for network in networks for buffer in network.buffers()]
        self.statistics_before = [buffer.clone() for buffer in self.statistics]

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step of the generator and, after the start, one of the discriminator."""
        step = int(self.step)
        sources = augment(batch.sources, strength=self.own.augmentation, generator=self._rng(step))
        adversarial = self.discriminator is not None and step >= self.own.n_warmup_steps
        losses, synthetic = self._generator_step(sources, batch, step, adversarial)
        if adversarial and synthetic is not None:
            losses |= self._discriminator_step(sources, batch.target, synthetic)
        self.step += 1
        if (step + 1) % self.trainer.log_every_n_steps == 0:  # Lightning writes these steps and drops all others
            self.log_dict({f"train/{name}": value for name, value in losses.items()})

    def _generator_step(
        self, sources: Tensor, batch: Batch, step: int, adversarial: bool
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        optimizer = self._optimizers()[0]
        for group in optimizer.param_groups:
            group["lr"] = self.own.learning_rate * cosine_schedule(step, self.gan.n_steps)
        self.toggle_optimizer(optimizer)
        self._copy(self.statistics, self.statistics_before)
        synthetic = self.generator(self.condition(sources, batch.position)) * batch.mask
        losses = {"loss_reconstruction": self._reconstruction(synthetic, batch.target, batch.mask)}
        loss = self.own.lambda_reconstruction * losses["loss_reconstruction"]
        if adversarial:
            losses["loss_adversarial"] = (self._scores(sources, synthetic) - 1).square().mean()
            loss = loss + self.own.lambda_adversarial * losses["loss_adversarial"]
        losses["loss_generator"] = loss
        usable = self._is_finite(loss)
        if usable:
            optimizer.zero_grad()
            self.manual_backward(loss)
            norm = nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], self.own.gradient_clip)
            losses["gradient_norm"] = norm
            usable = self._is_usable(norm)
        if usable:
            optimizer.step()
            moving_average(self.own.ema_decay, *self.averaging, int(self.ema.n_averaged))
            self.ema.n_averaged += 1
        else:  # batch normalisation has averaged this batch already
            self._copy(self.statistics_before, self.statistics)
        self._count_bad(usable)
        losses["skipped_steps"] = torch.tensor(float(self.skipped_steps))
        self.untoggle_optimizer(optimizer)
        losses["learning_rate"] = torch.tensor(optimizer.param_groups[0]["lr"])
        return {name: value.detach() for name, value in losses.items()}, synthetic.detach() if usable else None

    def _copy(self, these: Sequence[Tensor], to: Sequence[Tensor]) -> None:
        if these:  # of no tensors Torch makes an error
            torch._foreach_copy_(to, these)

    def _discriminator_step(self, sources: Tensor, target: Tensor, synthetic: Tensor) -> dict[str, Tensor]:
        optimizer = self._optimizers()[1]
        real, fake = self._scores(sources, target), self._scores(sources, synthetic)
        loss = ((real - 1).square().mean() + fake.square().mean()) / 2
        losses = {"loss_discriminator": loss.detach()}
        if self._is_finite(loss):
            optimizer.zero_grad()
            self.manual_backward(loss)
            norm = gradient_norm(optimizer.param_groups[0]["params"])  # not clipped
            losses["gradient_norm_discriminator"] = norm
            if self._is_usable(norm):
                optimizer.step()
        losses["learning_rate_discriminator"] = torch.tensor(optimizer.param_groups[0]["lr"])
        return losses

    def condition(self, sources: Tensor, position: Tensor) -> Tensor:
        """What the generator is given: (B, S, I, J, K) sources, with (B, 3, I, J, K) coordinates if used."""
        return torch.cat([sources, position], dim=1) if self.gan.coordinates else sources

    def _scores(self, sources: Tensor, target: Tensor) -> Tensor:
        if self.discriminator is None:
            raise TrainingError("this configuration has no discriminator (gan.lambda_adversarial is 0)")
        return self.discriminator(torch.cat([sources, target], dim=1))

    def _reconstruction(self, synthetic: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        error = synthetic - target
        error = error.abs() if self.own.reconstruction == "l1" else error.square()
        return (error * mask).sum() / mask.sum().clamp_min(1)

    def _is_finite(self, loss: Tensor) -> bool:
        """Whether a loss is finite on every device: had one alone skipped, the others would wait for its gradients."""
        finite = math.isfinite(loss.item())
        return finite if self.trainer.world_size == 1 else self.trainer.strategy.reduce_boolean_decision(finite)

    def _is_usable(self, norm: Tensor) -> bool:
        """Whether a step may be taken with gradients of this norm; the scaler of 16-bit floats judges by itself."""
        return math.isfinite(norm.item()) or self.trainer.scaler is not None

    def _count_bad(self, usable: bool) -> None:
        """Count a skipped step, its loss or gradient not finite; give up when it stays so."""
        self.bad_steps = 0 if usable else self.bad_steps + 1
        self.skipped_steps += not usable
        if self.bad_steps >= MAX_BAD_STEPS:
            raise TrainingError(
                f"E_NONFINITE the loss or its gradient was not finite for {MAX_BAD_STEPS} steps in a row, until step "
                f"{int(self.step)}; expected numbers. Lower gan.learning_rate or use trainer.precision=32-true. "
                "The last checkpoint is kept."
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the count of skipped steps."""
        checkpoint["skipped_steps"] = self.skipped_steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting."""
        self.skipped_steps = int(checkpoint.get("skipped_steps", 0))

    def _rng(self, step: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1_000_003 + step * 1009 + self.global_rank)

    def _optimizers(self) -> list[Any]:
        found = self.optimizers()
        return found if isinstance(found, list) else [found]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the generator and, where there is one, for the discriminator."""
        betas = tuple(self.own.betas)
        optimizers = [torch.optim.Adam(self.generator.parameters(), self.own.learning_rate, betas)]
        if self.discriminator is not None:
            rate = self.own.learning_rate_discriminator
            optimizers.append(torch.optim.Adam(self.discriminator.parameters(), rate, betas))
        return optimizers
