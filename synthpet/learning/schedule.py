"""What a training needs from step to step: learning rates, averaged weights, norms of gradients."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def gradient_norm(weights: Sequence[Tensor]) -> Tensor:
    """Norm of the gradient of all weights together, as ``clip_grad_norm_`` gives it."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


@torch.no_grad()
def moving_average(decay: float, averaged: Sequence[Tensor], current: Sequence[Tensor], n: int) -> None:
    """Exponential moving average of weights, in place; a plain mean over the first steps, so the start is forgotten.

    Args:
        decay: share of the average that stays.
        averaged: what is changed.
        current: the weights of this step.
        n: steps averaged so far; 0 takes the weights as they are.
    """
    weight = 1 - min(decay, (1 + n) / (10 + n))
    for mean, value in zip(averaged, current, strict=True):
        if n > 0 and mean.is_floating_point():
            mean.add_((value - mean).mul_(weight))
        else:  # counts are cut to whole numbers
            mean.copy_(mean + weight * (value - mean) if n > 0 else value)


def cosine_schedule(step: int, n_steps: int, rise: float = 0.03, floor: float = 0.02) -> float:
    """Factor on the learning rate: a linear rise over the first 3 % of the steps, then half a cosine to 2 %."""
    start = rise * n_steps
    if step < start:
        return (step + 1) / (start + 1)
    done = (step - start) / max(1, n_steps - start)
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(1, done))) / 2
