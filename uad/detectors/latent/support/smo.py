"""Sequential minimal optimisation over a batch: slow and sure, for the few problems that active sets leave open.

Source: Fan, Chen and Lin, JMLR 6 (2005) 1889 (second-order working sets), as in LIBSVM 3; here every problem of the
batch moves its own pair of variables at each step.
"""

import torch
from torch import Tensor

from uad.detectors.latent.support.active_set import Dual

MAX_STEPS = 20_000
LOOK_EVERY = 64


def solve_pairwise(kernel: Tensor, cap: Tensor, start: Tensor, tolerance: Tensor) -> Dual:
    """Solve the duals of a batch from a feasible start.

    Args:
        kernel: (b, n, n), double precision.
        cap: (b, n), the upper bounds.
        start: (b, n), within the bounds; its sum is kept.
        tolerance: (b, 1), the largest difference between two gradients that a pair could still level.

    Returns:
        The solutions with r = 1, shaped as ``active_set.solve`` does; rho is LIBSVM's: the mean gradient of the free
        variables, else the middle between those at the upper and those at the lower bound.
    """
    alpha, gradient = start.clone(), torch.bmm(start[:, None], kernel)[:, 0]
    rows = torch.arange(len(kernel), device=kernel.device)
    for step in range(MAX_STEPS):
        if step % LOOK_EVERY == 0:
            rows = rows[_gap(alpha[rows], gradient[rows], cap[rows]) > tolerance[rows, 0]]
            if len(rows) == 0:
                break
            part = kernel[rows]
            diagonal = part.diagonal(dim1=1, dim2=2)
        moved, change = _move_pair(part, diagonal, cap[rows], alpha[rows], gradient[rows])
        alpha[rows] = moved
        gradient[rows] += change
    gap = _gap(alpha, gradient, cap)[:, None]
    return Dual(alpha[:, None], gradient[:, None], offset(alpha, gradient, cap)[:, None, None], gap[:, None])


def _move_pair(kernel: Tensor, diagonal: Tensor, cap: Tensor, alpha: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Give the steepest variable that may grow what its best partner that may shrink loses."""
    infinity = torch.inf
    each = torch.arange(len(kernel), device=kernel.device)
    up = torch.where(alpha < cap, gradient, infinity).argmin(1)
    row = kernel[each, up]
    descent = torch.where(alpha > 0, gradient - gradient[each, up][:, None], -infinity)
    curvature = (diagonal + diagonal[each, up][:, None] - 2 * row).clamp(min=1e-12)
    gain = torch.where(descent > 0, descent.square() / curvature, -infinity)
    down = gain.argmax(1)
    step = (descent / curvature)[each, down].clamp(min=0)
    step = torch.minimum(torch.minimum(step, (cap - alpha)[each, up]), alpha[each, down])
    moved = alpha.clone()
    moved[each, up] += step
    moved[each, down] -= step
    return moved, step[:, None] * (row - kernel[each, down])


def _gap(alpha: Tensor, gradient: Tensor, cap: Tensor) -> Tensor:
    """How far the optimality condition max(gradient, alpha > 0) <= min(gradient, alpha < cap) is violated."""
    highest = torch.where(alpha > 0, gradient, -torch.inf).amax(1)
    lowest = torch.where(alpha < cap, gradient, torch.inf).amin(1)
    return (highest - lowest).clamp(min=0)


def offset(alpha: Tensor, gradient: Tensor, cap: Tensor) -> Tensor:
    """LIBSVM's rho (b,): mean gradient of the free variables, else the middle of those at the bounds."""
    free = (alpha > 0) & (alpha < cap)
    at_cap, at_zero = (alpha >= cap) & (cap > 0), (alpha <= 0) & (cap > 0)
    highest = torch.where(at_cap, gradient, -torch.inf).amax(1)
    lowest = torch.where(at_zero, gradient, torch.inf).amin(1)
    highest = torch.where(at_cap.any(1), highest, lowest)  # LIBSVM's is infinite where one side is empty
    lowest = torch.where(at_zero.any(1), lowest, highest)
    mean = (gradient * free).sum(1) / free.sum(1).clamp(min=1)
    return torch.where(free.any(1), mean, (highest + lowest) / 2)
