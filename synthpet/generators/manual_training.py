"""Training with optimisers of one's own: averaged weights, and a step that is not finite leaves no trace."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from synthpet.errors import TrainingError
from synthpet.generators.options import GeneratorOptions
from synthpet.learning.options import TrainerOptions
from synthpet.learning.schedule import cosine_schedule, gradient_norm, moving_average

MAX_BAD_STEPS = 20  # consecutive steps with a loss or gradient that is not finite, before training gives up


@dataclass(frozen=True)
class StepOptions:
    """What a generator has that takes its steps by hand.

    Args:
        spatial_dims: 3 (patches) or 2 (slices as channels).
        generator: see ``build_generator``.
        learning_rate: of the generator; cosine decay to 2 % after a short linear rise.
        betas: of every Adam optimiser.
        gradient_clip: largest norm of the generator's gradient.
        ema_decay: of the averaged generator, the one that is used afterwards.
        augmentation: strength of ``augment``.
    """

    spatial_dims: int
    generator: Mapping[str, Any]
    learning_rate: float
    betas: Sequence[float]
    gradient_clip: float
    ema_decay: float
    augmentation: float


class ManualTraining(pl.LightningModule):
    """What generators share that take their steps by hand.

    A subclass adds its other networks, calls ``lay_out`` once all are there, and computes the generator's loss between
    ``begin_step`` and ``end_step``. Its first optimiser is the generator's.

    Args:
        generator: that learns.
        own: options of the method.
        gan: those of every generator.
        seed: of weights and augmentation.
    """

    def __init__(self, generator: nn.Module, own: StepOptions, gan: GeneratorOptions, seed: int) -> None:
        super().__init__()
        self.save_hyperparameters({**gan.of_training(), "seed": seed})
        self.own, self.gan, self.seed = own, gan, seed
        self.automatic_optimization = False
        self.generator = generator
        self.ema = AveragedModel(generator, use_buffers=True)  # by moving_average; its own takes twice as long
        self.register_buffer("step", torch.zeros((), dtype=torch.long))  # batches seen; Lightning counts optimisers
        self.bad_steps = 0  # in a row
        self.skipped_steps = 0  # in all

    def lay_out(self, trainer: TrainerOptions, *compiled: nn.Module) -> None:
        """Keep weights channels-last and compile these networks, where ``trainer`` says so."""
        if trainer.channels_last:
            layout = torch.channels_last_3d if self.own.spatial_dims == 3 else torch.channels_last
            self.to(memory_format=layout)
        if trainer.compile:
            for network in compiled:
                network.compile()

    @property
    def network(self) -> nn.Module:
        """The averaged generator."""
        return self.ema.module

    def condition(self, images: Tensor, position: Tensor) -> Tensor:
        """What a generator is given: (B, C, I, J, K) images, with (B, 3, I, J, K) coordinates if used."""
        return torch.cat([images, position], dim=1) if self.gan.coordinates else images

    def on_train_start(self) -> None:
        """Find once what each step needs: the averaged tensors, and those that a forward pass changes.

        The latter are the statistics of batch normalisation and the vectors of spectral norms. To walk through the
        modules in every step takes longer than to work on the tensors.
        """
        self.averaging = [[*network.parameters(), *network.buffers()] for network in (self.ema.module, self.generator)]
        networks = [network for name, network in self.named_children() if name != "ema"]
        self.statistics = [buffer for network in networks for buffer in network.buffers()]
        self.statistics_before = [buffer.clone() for buffer in self.statistics]

    def begin_step(self, step: int) -> Any:
        """Prepare the generator's optimiser for the step of this number; from now on only its networks learn."""
        optimizer = self._optimizers()[0]
        for group in optimizer.param_groups:
            group["lr"] = self.own.learning_rate * cosine_schedule(step, self.gan.n_steps)
        self.toggle_optimizer(optimizer)
        self._copy(self.statistics, self.statistics_before)
        return optimizer

    def end_step(self, optimizer: Any, loss: Tensor, losses: dict[str, Tensor]) -> bool:
        """Take the step, unless loss or gradient is not finite: then all is as before.

        Args:
            optimizer: of ``begin_step``.
            loss: to make smaller.
            losses: to be logged; what the step itself tells is added.

        Returns:
            Whether it was taken.

        Raises:
            TrainingError: ``MAX_BAD_STEPS`` were not, one after the other.
        """
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
        return usable

    def discriminator_step(self, loss: Tensor) -> dict[str, Tensor]:
        """Take a step of the second optimiser, unless loss or gradient is not finite; returns what is to be logged."""
        optimizer = self._optimizers()[1]
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

    def finish_step(self, losses: Mapping[str, Tensor]) -> None:
        """Count the batch and log what it told."""
        self.step += 1
        if int(self.step) % self.trainer.log_every_n_steps == 0:  # Lightning writes these steps and drops all others
            self.log_dict({f"train/{name}": value.detach() for name, value in losses.items()})

    def _copy(self, these: Sequence[Tensor], to: Sequence[Tensor]) -> None:
        if these:  # of no tensors Torch makes an error
            torch._foreach_copy_(to, these)

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
        """What a step draws depends on its number alone, so that a continued training draws the same."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + step * 1009 + self.global_rank)

    def _optimizers(self) -> list[Any]:
        found = self.optimizers()
        return found if isinstance(found, list) else [found]
