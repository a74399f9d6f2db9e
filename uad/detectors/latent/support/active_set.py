"""The dual of many small one-class SVMs at once: primal-dual active sets, conjugate gradients on the free variables.

Solves, for every problem of a batch, with ``K`` a kernel matrix and ``s = nu n``,

    minimise 1/2 a' K a   subject to   0 <= a <= c,   sum(a) = s.

Source: Schölkopf et al., Neural Computation 13 (2001) 1443, in LIBSVM's scaling (c = 1, s = nu n); active sets after
Hintermüller, Ito and Kunisch, SIAM J. Optim. 13 (2002) 865: a variable is at its lower bound where
``a - lambda <= 0``, at its upper one where ``a - lambda >= c``, and free elsewhere, ``lambda = K a - rho``.
Not in the paper: the free variables are only approached, by a few conjugate-gradient steps that start from the last
solution, because all that a step costs is one product with K, which the batch shares.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from uad.detectors.latent.support.compiled import STEPS
from uad.detectors.latent.support.kernels import Kernels


class Dual(NamedTuple):
    """A solution: ``alpha`` (b, r, n), ``gradient`` K alpha (b, r, n), ``rho`` and ``violation`` (b, r, 1).

    ``violation`` is the largest component of ``alpha - clamp(alpha - lambda, 0, cap)``: zero at the optimum only.
    """

    alpha: Tensor
    gradient: Tensor
    rho: Tensor
    violation: Tensor


def solve(kernels: Kernels, cap: Tensor, total: Tensor, tolerance: Tensor, alpha: Tensor, gradient: Tensor) -> Dual:
    """Solve the duals of a batch; ``violation`` above ``tolerance`` says which of them were not.

    Args:
        kernels: of b rows of problems, symmetric and positive semidefinite.
        cap: (b, r, n), the upper bounds; zero leaves a sample out. There are r problems in a row.
        total: (b, r, 1), the sum of each solution, at most the sum of its bounds.
        tolerance: (b, r, 1), the violation at which a problem counts as solved.
        alpha: (b, r, n), a first guess of the right sum within the bounds.
        gradient: (b, r, n), its product with the kernel.
    """
    free = ((alpha > 0) & (alpha < cap)).to(alpha.dtype)
    none = alpha.new_full((*alpha.shape[:2], 1), torch.inf)
    result, waiting = Dual(alpha, gradient, none, none), None
    for turn, steps in enumerate(STEPS):
        if turn:
            gradient = kernels.times(alpha)
        dual, nearest = _descend(kernels, cap, total, alpha, gradient, free, steps)
        result = _put(result, dual, waiting)
        open_rows = (~(dual.violation <= tolerance)).any(1).flatten().nonzero().flatten()
        if len(open_rows) == 0:
            break
        alpha, free = _next_sets(dual, cap, total, nearest)
        if len(open_rows) <= 0.5 * len(cap):
            waiting = open_rows if waiting is None else waiting[open_rows]
            kernels = kernels.take(open_rows)
            cap, total, tolerance, alpha, free = (part[open_rows] for part in (cap, total, tolerance, alpha, free))
    return result


def _descend(
    kernels: Kernels, cap: Tensor, total: Tensor, alpha: Tensor, gradient: Tensor, free: Tensor, steps: int
) -> tuple[Dual, Tensor]:
    """Conjugate gradients over the free variables, their sum kept; and where ``alpha - lambda`` meets the bounds."""
    count = free.sum(-1, keepdim=True).clamp_(min=1)
    eps, tiny = torch.finfo(alpha.dtype).eps, torch.finfo(alpha.dtype).tiny
    rho = (free * gradient).sum(-1, keepdim=True).div_(count)
    residual = direction = (rho - gradient).mul_(free)
    norm = residual.square().sum(-1, keepdim=True)
    for step in range(steps):
        if step:
            residual = (rho - gradient).mul_(free)
            before, norm = norm, residual.square().sum(-1, keepdim=True)
            direction = torch.addcmul(residual, norm / before.clamp_(min=tiny), direction)
        image = kernels.times(direction)
        curvature = (direction * image).sum(-1, keepdim=True)
        length = norm / torch.maximum(curvature, eps * norm).clamp_(min=tiny)  # equal samples: a flat direction
        alpha = torch.addcmul(alpha, length, direction)
        gradient = torch.addcmul(gradient, length, image)
        rho = (free * gradient).sum(-1, keepdim=True).div_(count)
    nearest = torch.minimum((alpha - gradient).add_(rho).clamp_(min=0), cap)
    violation = (alpha - nearest).abs_().amax(-1, keepdim=True)
    missing = alpha.sum(-1, keepdim=True).sub_(total).abs_() / alpha.shape[-1]
    return Dual(alpha, gradient, rho, torch.maximum(violation, missing)), nearest


def _next_sets(dual: Dual, cap: Tensor, total: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor]:
    """Move to the bounds what lies beyond them; the free variables make up for it in equal parts."""
    free = ((nearest > 0) & (nearest < cap)).to(nearest.dtype)
    count = free.sum(-1, keepdim=True)
    alpha = torch.addcmul(nearest, free, dual.alpha - nearest)
    alpha = torch.addcmul(alpha, free, (total - alpha.sum(-1, keepdim=True)) / count.clamp(min=1))
    none_left = (count == 0).squeeze(-1)
    if none_left.any():
        some_cap = cap[none_left]
        alpha[none_left] = _project((dual.alpha - dual.gradient)[none_left], some_cap, total[none_left])
        free[none_left] = ((alpha[none_left] > 0) & (alpha[none_left] < some_cap)).to(free.dtype)
    return alpha, free


def _project(point: Tensor, cap: Tensor, total: Tensor) -> Tensor:
    """The nearest feasible point, by bisection over what is added to all variables: shapes (p, n), (p, n), (p, 1)."""
    low = -point.amax(-1, keepdim=True)
    high = (cap - point).amax(-1, keepdim=True)
    for _ in range(40):
        middle = (low + high) / 2
        too_much = torch.minimum((point + middle).clamp(min=0), cap).sum(-1, keepdim=True) > total
        low, high = torch.where(too_much, low, middle), torch.where(too_much, middle, high)
    return torch.minimum((point + high).clamp(min=0), cap)


def _put(result: Dual, dual: Dual, rows: Tensor | None) -> Dual:
    """Overwrite some rows of a result; all of them where none are named."""
    if rows is None:
        return dual
    for old, new in zip(result, dual, strict=True):
        old[rows] = new
    return result
