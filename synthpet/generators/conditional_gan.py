"""The conditional GAN, such as T1 -> FDG PET: one LightningModule for slice triplets and for 3D patches.

Least-squares losses (Mao 2017), G the generator, D the discriminator, x the sources, y the target, m the brain mask:

    L_G = lambda_reconstruction * |m (G(x) - y)| / |m|  +  lambda_adversarial * (D(x, G(x)) - 1)^2
    L_D = ((D(x, y) - 1)^2 + D(x, G(x))^2) / 2

Source: form after Zotova et al. 2021 (least squares + MSE to the real PET; slice triplets, or patches of 32^3).
Not in the paper: networks, loss weights, the start on the reconstruction loss alone, the coordinates, the EMA.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Self

import torch
from torch import Tensor, nn

from synthpet.errors import TrainingError
from synthpet.generators.manual_training import ManualTraining, StepOptions
from synthpet.generators.networks import SlicesAsChannels, patch_discriminator
from synthpet.generators.options import SOURCES, GeneratorOptions
from synthpet.generators.patches.augment import augment
from synthpet.generators.patches.data import Batch
from synthpet.generators.registry import NETWORKS
from synthpet.learning.options import TrainerOptions

# set by studies, whatever the network: one that has no such option passes it over
SET_BY_STUDIES_OF_NETWORKS = {"channels", "blocks"}


def build_generator(
    spatial_dims: int,
    n_slices: int,
    coordinates: bool,
    generator: Mapping[str, Any],
    n_sources: int = 1,
    n_targets: int = 1,
) -> nn.Module:
    """The generator: (B, S or S + 3, I, J, K) -> (B, T, I, J, K), sources (and coordinates) to the target.

    Args:
        spatial_dims: 3, or 2 with slices as channels.
        n_slices: of a patch, for ``spatial_dims=2``.
        coordinates: whether it is given the template coordinates.
        generator: ``network``, a name of ``NETWORKS``, and its options.
        n_sources: S.
        n_targets: T.

    Raises:
        ValueError: a network that takes long to build.
        UsageError: no such network.
    """
    options = dict(generator)
    network = NETWORKS.load(options.pop("network", "residual_unet"))
    for name, most in getattr(network, "LARGEST", {}).items():
        if isinstance(options.get(name), int) and options[name] > most:
            raise ValueError(f"{name}={options[name]}: expected {most} at most")
    options = _without_others(options, network)
    channels = n_sources + 3 * coordinates
    if spatial_dims == 3:
        return network(3, channels, n_targets, **options)
    return SlicesAsChannels(network(2, channels * n_slices, n_targets * n_slices, **options), n_slices)


def _without_others(options: dict[str, Any], network: Callable[..., nn.Module]) -> dict[str, Any]:
    """The options without those that a study sets for other networks than this one."""
    own = signature(network).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in own.values()):
        return options
    return {name: value for name, value in options.items() if name in own or name not in SET_BY_STUDIES_OF_NETWORKS}


def build_discriminator(
    spatial_dims: int, n_slices: int, discriminator: Mapping[str, Any], n_sources: int = 1
) -> nn.Module:
    """The discriminator: (B, S + 1, I, J, K), sources and target, to a map of scores."""
    if spatial_dims == 3:
        return patch_discriminator(3, n_sources + 1, **discriminator)
    network = patch_discriminator(2, (n_sources + 1) * n_slices, **discriminator)
    return SlicesAsChannels(network, n_slices, unfold=False)


def mean_error(image: Tensor, expected: Tensor, mask: Tensor, kind: str = "l1") -> Tensor:
    """Mean over the brain of the absolute (``l1``) or squared (``mse``) difference of two (B, C, I, J, K) images."""
    error = image - expected
    error = error.abs() if kind == "l1" else error.square()
    return (error * mask).sum() / (mask.sum() * image.shape[1]).clamp_min(1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Least squares (Mao 2017) on maps of scores: ((real - 1)^2 + fake^2) / 2."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


class ConditionalGAN(ManualTraining):
    """Train a generator, with a discriminator from step ``n_warmup_steps`` on.

    Args:
        own: its own options.
        gan: those of every generator.
        trainer: of these ``compile`` and ``channels_last``: whether 3D (or 2D) weights are kept channels-last.
        seed: of weights and augmentation.
    """

    @dataclass(frozen=True)
    class Options(StepOptions):
        """What this generator has beside the options of every generator.

        Args:
            discriminator: options of ``patch_discriminator``.
            reconstruction: ``l1`` or ``mse``.
            lambda_reconstruction: weight of the reconstruction loss.
            lambda_adversarial: weight of the adversarial loss; 0 trains no discriminator.
            learning_rate_discriminator: constant.
            n_warmup_steps: steps on the reconstruction loss alone.
        """

        discriminator: Mapping[str, Any]
        reconstruction: str
        lambda_reconstruction: float
        lambda_adversarial: float
        learning_rate_discriminator: float
        n_warmup_steps: int

    own: Options

    def __init__(self, own: Options, gan: GeneratorOptions, trainer: TrainerOptions, seed: int) -> None:
        torch.manual_seed(seed)
        super().__init__(self.build(gan.values), own, gan, seed)
        shape = (own.spatial_dims, gan.patch_size[2])
        self.discriminator = (
            build_discriminator(*shape, own.discriminator, len(gan.sources)) if own.lambda_adversarial > 0 else None
        )
        self.lay_out(trainer, self.generator)

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

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step of the generator and, after the start, one of the discriminator."""
        step = int(self.step)
        sources = augment(batch.sources, strength=self.own.augmentation, generator=self._rng(step))
        adversarial = self.discriminator is not None and step >= self.own.n_warmup_steps
        losses, synthetic = self._generator_step(sources, batch, step, adversarial)
        if adversarial and synthetic is not None:
            real, fake = self._scores(sources, batch.target), self._scores(sources, synthetic)
            losses |= self.discriminator_step(discriminator_loss(real, fake))
        self.finish_step(losses)

    def _generator_step(
        self, sources: Tensor, batch: Batch, step: int, adversarial: bool
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        optimizer = self.begin_step(step)
        synthetic = self.generator(self.condition(sources, batch.position)) * batch.mask
        losses = {"loss_reconstruction": self._reconstruction(synthetic, batch.target, batch.mask)}
        loss = self.own.lambda_reconstruction * losses["loss_reconstruction"]
        if adversarial:
            losses["loss_adversarial"] = (self._scores(sources, synthetic) - 1).square().mean()
            loss = loss + self.own.lambda_adversarial * losses["loss_adversarial"]
        losses["loss_generator"] = loss
        usable = self.end_step(optimizer, loss, losses)
        return losses, synthetic.detach() if usable else None

    def _scores(self, sources: Tensor, target: Tensor) -> Tensor:
        if self.discriminator is None:
            raise TrainingError("this configuration has no discriminator (gan.lambda_adversarial is 0)")
        return self.discriminator(torch.cat([sources, target], dim=1))

    def _reconstruction(self, synthetic: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return mean_error(synthetic, target, mask, self.own.reconstruction)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the generator and, where there is one, for the discriminator."""
        betas = tuple(self.own.betas)
        optimizers = [torch.optim.Adam(self.generator.parameters(), self.own.learning_rate, betas)]
        if self.discriminator is not None:
            rate = self.own.learning_rate_discriminator
            optimizers.append(torch.optim.Adam(self.discriminator.parameters(), rate, betas))
        return optimizers
