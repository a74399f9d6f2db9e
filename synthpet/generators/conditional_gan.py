"""The conditional GAN T1 -> FDG PET: one LightningModule for slice triplets and for 3D patches.

Least-squares losses (Mao 2017), G the generator, D the discriminator, x the T1, y the PET, m the brain mask:

    L_G = lambda_reconstruction * |m (G(x) - y)| / |m|  +  lambda_adversarial * (D(x, G(x)) - 1)^2
    L_D = ((D(x, y) - 1)^2 + D(x, G(x))^2) / 2

Source: form after Zotova et al. 2021 (least squares + MSE to the real PET; slice triplets, or patches of 32^3).
Not in the paper: networks, loss weights, the start on the reconstruction loss alone, the coordinates, the EMA.
"""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from synthpet.errors import TrainingError
from synthpet.generators.networks import ResidualUNet, SlicesAsChannels, patch_discriminator
from synthpet.generators.patches.augment import augment_t1w
from synthpet.generators.patches.data import Batch
from synthpet.learning.schedule import cosine_schedule, gradient_norm, moving_average

MAX_BAD_STEPS = 20  # consecutive steps with a loss or gradient that is not finite, before training gives up


def build_generator(spatial_dims: int, n_slices: int, coordinates: bool, generator: dict[str, Any]) -> nn.Module:
    """The generator: (B, 1 or 4, I, J, K) -> (B, 1, I, J, K), T1 (and coordinates) to SUVR."""
    channels = 4 if coordinates else 1
    if spatial_dims == 3:
        return ResidualUNet(3, channels, 1, **generator)
    return SlicesAsChannels(ResidualUNet(2, channels * n_slices, n_slices, **generator), n_slices)


def build_discriminator(spatial_dims: int, n_slices: int, discriminator: dict[str, Any]) -> nn.Module:
    """The discriminator: (B, 2, I, J, K), T1 and PET, to a map of scores."""
    if spatial_dims == 3:
        return patch_discriminator(3, 2, **discriminator)
    return SlicesAsChannels(patch_discriminator(2, 2 * n_slices, **discriminator), n_slices, unfold=False)


class ConditionalGAN(pl.LightningModule):
    """Train a generator, with a discriminator from step ``n_warmup_steps`` on.

    Args:
        spatial_dims: 3 (patches) or 2 (slices as channels).
        n_slices: adjacent slices of a patch, for ``spatial_dims=2``.
        coordinates: whether the generator is given the template coordinates.
        generator: options of ``ResidualUNet``.
        discriminator: options of ``patch_discriminator``.
        reconstruction: ``l1`` or ``mse``.
        lambda_reconstruction: weight of the reconstruction loss.
        lambda_adversarial: weight of the adversarial loss; 0 trains no discriminator.
        learning_rate: of the generator; cosine decay to 2 % after a short linear rise.
        learning_rate_discriminator: constant.
        betas: of both Adam optimisers.
        gradient_clip: largest norm of the generator's gradient.
        n_steps: training steps in all.
        n_warmup_steps: steps on the reconstruction loss alone.
        ema_decay: of the averaged generator, the one that is used afterwards.
        augmentation: strength of ``augment_t1w``.
        compile: whether ``torch.compile`` is used.
        channels_last: whether 3D (or 2D) weights are kept channels-last.
        seed: of weights and augmentation.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        n_slices: int,
        coordinates: bool,
        generator: dict[str, Any],
        discriminator: dict[str, Any],
        reconstruction: str,
        lambda_reconstruction: float,
        lambda_adversarial: float,
        learning_rate: float,
        learning_rate_discriminator: float,
        betas: tuple[float, float],
        gradient_clip: float,
        n_steps: int,
        n_warmup_steps: int,
        ema_decay: float,
        augmentation: float,
        compile: bool,
        channels_last: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        torch.manual_seed(seed)
        self.generator = build_generator(spatial_dims, n_slices, coordinates, generator)
        self.ema = AveragedModel(self.generator, use_buffers=True)  # by moving_average; its own takes twice as long
        self.discriminator = (
            build_discriminator(spatial_dims, n_slices, discriminator) if lambda_adversarial > 0 else None
        )
        if channels_last:
            layout = torch.channels_last_3d if spatial_dims == 3 else torch.channels_last
            self.to(memory_format=layout)
        if compile:
            self.generator.compile()
        self.register_buffer("step", torch.zeros((), dtype=torch.long))  # batches seen; Lightning counts optimisers
        self.bad_steps = 0  # in a row
        self.skipped_steps = 0  # in all

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
        t1w = augment_t1w(batch.t1w, strength=self.hparams["augmentation"], generator=self._rng(step))
        adversarial = self.discriminator is not None and step >= self.hparams["n_warmup_steps"]
        losses, synthetic = self._generator_step(t1w, batch, step, adversarial)
        if adversarial and synthetic is not None:
            losses |= self._discriminator_step(t1w, batch.pet, synthetic)
        self.step += 1
        if (step + 1) % self.trainer.log_every_n_steps == 0:  # Lightning writes these steps and drops all others
            self.log_dict({f"train/{name}": value for name, value in losses.items()})

    def _generator_step(
        self, t1w: Tensor, batch: Batch, step: int, adversarial: bool
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        optimizer = self._optimizers()[0]
        for group in optimizer.param_groups:
            group["lr"] = self.hparams["learning_rate"] * cosine_schedule(step, self.hparams["n_steps"])
        self.toggle_optimizer(optimizer)
        torch._foreach_copy_(self.statistics_before, self.statistics)
        synthetic = self.generator(self.condition(t1w, batch.position)) * batch.mask
        losses = {"loss_reconstruction": self._reconstruction(synthetic, batch.pet, batch.mask)}
        loss = self.hparams["lambda_reconstruction"] * losses["loss_reconstruction"]
        if adversarial:
            losses["loss_adversarial"] = (self._scores(t1w, synthetic) - 1).square().mean()
            loss = loss + self.hparams["lambda_adversarial"] * losses["loss_adversarial"]
        losses["loss_generator"] = loss
        usable = self._is_finite(loss)
        if usable:
            optimizer.zero_grad()
            self.manual_backward(loss)
            norm = nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], self.hparams["gradient_clip"])
            losses["gradient_norm"] = norm
            usable = self._is_usable(norm)
        if usable:
            optimizer.step()
            moving_average(self.hparams["ema_decay"], *self.averaging, int(self.ema.n_averaged))
            self.ema.n_averaged += 1
        else:  # batch normalisation has averaged this batch already
            torch._foreach_copy_(self.statistics, self.statistics_before)
        self._count_bad(usable)
        losses["skipped_steps"] = torch.tensor(float(self.skipped_steps))
        self.untoggle_optimizer(optimizer)
        losses["learning_rate"] = torch.tensor(optimizer.param_groups[0]["lr"])
        return {name: value.detach() for name, value in losses.items()}, synthetic.detach() if usable else None

    def _discriminator_step(self, t1w: Tensor, pet: Tensor, synthetic: Tensor) -> dict[str, Tensor]:
        optimizer = self._optimizers()[1]
        real, fake = self._scores(t1w, pet), self._scores(t1w, synthetic)
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

    def condition(self, t1w: Tensor, position: Tensor) -> Tensor:
        """What the generator is given: (B, 1, I, J, K) T1, with (B, 3, I, J, K) coordinates where they are used."""
        return torch.cat([t1w, position], dim=1) if self.hparams["coordinates"] else t1w

    def _scores(self, t1w: Tensor, pet: Tensor) -> Tensor:
        if self.discriminator is None:
            raise TrainingError("this configuration has no discriminator (gan.lambda_adversarial is 0)")
        return self.discriminator(torch.cat([t1w, pet], dim=1))

    def _reconstruction(self, synthetic: Tensor, pet: Tensor, mask: Tensor) -> Tensor:
        error = synthetic - pet
        error = error.abs() if self.hparams["reconstruction"] == "l1" else error.square()
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
        return torch.Generator().manual_seed(self.hparams["seed"] * 1_000_003 + step * 1009 + self.global_rank)

    def _optimizers(self) -> list[Any]:
        found = self.optimizers()
        return found if isinstance(found, list) else [found]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the generator and, where there is one, for the discriminator."""
        betas = tuple(self.hparams["betas"])
        optimizers = [torch.optim.Adam(self.generator.parameters(), self.hparams["learning_rate"], betas)]
        if self.discriminator is not None:
            rate = self.hparams["learning_rate_discriminator"]
            optimizers.append(torch.optim.Adam(self.discriminator.parameters(), rate, betas))
        return optimizers
