"""From latent vectors to solved duals, one batch at a time: Gaussian kernel, fast solver, sure solver, checked."""

import warnings

import torch
from torch import Tensor

from uad.support.active_set import Dual, solve
from uad.support.smo import offset, solve_pairwise

SINGLE_SPREAD = 0.02
"""Below this mean of 1 - k, single precision cannot tell the kernel's entries apart to the accuracy promised."""


def exponents(vectors: Tensor) -> Tensor:
    """Minus the squared distances between the vectors of each batch.

    Args:
        vectors: (b, n, d), best centred, so that no digits are lost.

    Returns:
        (b, n, n), at most zero.
    """
    gram = torch.bmm(vectors, vectors.transpose(1, 2))
    squares = gram.diagonal(dim1=1, dim2=2).clone()
    return gram.mul_(2).sub_(squares[:, :, None]).sub_(squares[:, None, :]).clamp_(max=0)


def scale_gamma(centred: Tensor, means: Tensor, present: Tensor) -> Tensor:
    """gamma = 1 / (d variance), over all components of a voxel's training vectors, as scikit-learn's "scale".

    Args:
        centred: (b, n, d), vectors less the mean over the present ones; zeros where absent.
        means: (b, d), what was taken off.
        present: (b, r, n), ones for the samples that count, in r choices of them.

    Returns:
        (b, r), one where the variance is zero.
    """
    d = centred.shape[2]
    level = (means - means.mean(1, keepdim=True))[:, :, None]
    own, cross = (centred * centred).sum(2), torch.bmm(centred, level)[:, :, 0]
    squares = own + 2 * cross + (level * level).sum(1)
    count = present.sum(2) * d
    first = (present * centred.sum(2)[:, None]).sum(2) / count
    variance = (present * squares[:, None]).sum(2) / count - first * first
    return torch.where(variance > 0, 1 / (d * variance.clamp(min=torch.finfo(variance.dtype).tiny)), 1.0)


def solve_dual(distances: Tensor, gamma: Tensor, cap: Tensor, total: Tensor, tol: float,
               start: Tensor | None = None) -> Dual:
    """Solve the one-class duals of a batch in single precision where that suffices, in double elsewhere.

    Args:
        distances: (b, n, n), ``exponents`` of the training vectors.
        gamma: (b,), the kernel's width.
        cap: (b, r, n), one for a sample that takes part, zero for one that is absent or left out.
        total: (b, r, 1), nu times the number of samples that take part.
        tol: violation of the optimality conditions allowed, as a share of the kernel's spread (mean of 1 - k).
        start: (b, r, n), a first guess.
    """
    kernel = (distances * gamma[:, None, None].to(distances.dtype)).exp_()
    spread = 1 - kernel.mean((1, 2), keepdim=True)
    single = solve(kernel, cap, total, tol * spread, start)
    doubtful = ~(single.violation <= tol * spread).all(1).flatten() | (spread.flatten() < SINGLE_SPREAD)
    rows = doubtful.nonzero().flatten()
    result = _settle_rho(single, cap)
    if len(rows) == 0:
        return result
    result = Dual(*(part.double() for part in result))
    parts = (distances[rows], gamma[rows], cap[rows], total[rows], single.alpha[rows])
    careful = _solve_double(*(part.double() for part in parts), tol)
    for old, new in zip(result, careful, strict=True):
        old[rows] = new
    return result


def _solve_double(
    distances: Tensor, gamma: Tensor, cap: Tensor, total: Tensor, start: Tensor, tol: float
) -> Dual:
    """Active sets in double precision, then pairwise steps for what is still open; warn where neither converged."""
    kernel = (distances * gamma[:, None, None]).exp_()
    tolerance = (0.01 * tol * -(distances * gamma[:, None, None]).expm1_().mean((1, 2), keepdim=True)).clamp(min=1e-14)
    result = _settle_rho(solve(kernel, cap, total, tolerance, start), cap)
    row, problem = (result.violation > tolerance).squeeze(-1).nonzero(as_tuple=True)
    if len(row) == 0:
        return result
    some_cap = cap[row, problem]
    feasible = _feasible(result.alpha[row, problem], some_cap, total[row, problem])
    sure = solve_pairwise(kernel[row], some_cap, feasible, tolerance[row, 0])
    for old, new in zip(result, sure, strict=True):
        old[row, problem] = new[:, 0]
    unsolved = int((sure.violation.flatten() > 100 * tolerance[row].flatten()).sum())
    if unsolved:
        warnings.warn(
            f"{unsolved} one-class SVMs did not converge: their vectors are almost equal under this gamma; "
            "choose a larger gamma", stacklevel=2
        )
    return result


def _settle_rho(dual: Dual, cap: Tensor, at_bound: float = 1e-5) -> Dual:
    """Clamp the weights; take LIBSVM's rho where none is free, as when nu n is a whole number of far apart samples."""
    alpha = torch.minimum(dual.alpha.clamp(min=0), cap)
    none_free = ((alpha <= at_bound) | (alpha >= cap - at_bound)).all(-1)
    rho = dual.rho
    if none_free.any():
        some = alpha[none_free], dual.gradient[none_free], cap[none_free]
        rho = rho.clone()
        rho[none_free] = offset(some[0].round(), some[1], some[2])[:, None]
    return Dual(alpha, dual.gradient, rho, dual.violation)


def _feasible(alpha: Tensor, cap: Tensor, total: Tensor) -> Tensor:
    """Bring a guess within the bounds and to the sum asked for: shapes (p, n), (p, n), (p, 1)."""
    alpha = torch.minimum(alpha.clamp(min=0), cap)
    alpha = alpha * (total / alpha.sum(1, keepdim=True).clamp(min=1e-300)).clamp(max=1)
    room = cap - alpha
    return alpha + room * ((total - alpha.sum(1, keepdim=True)) / room.sum(1, keepdim=True).clamp(min=1e-300))


def decision(alpha: Tensor, scaled: Tensor, total: Tensor, rho: Tensor, log: bool, dim: int) -> Tensor:
    """Decision value sum(alpha k) - rho, or log(sum(alpha k) / rho), without loss of digits near or far.

    Args:
        alpha: weights; along ``dim`` the training vectors, otherwise shaped as the result.
        scaled: -gamma |x - x_i|^2, shaped like ``alpha``.
        total: sum of the weights, so that sum(alpha k) = sum(alpha (k - 1)) + total also where all k are near one.
        rho: offset.
        log: the logarithm of the ratio, which goes on falling where the difference saturates.
        dim: axis of the training vectors.
    """
    difference = (alpha * scaled.expm1()).sum(dim).double() + (total.double() - rho.double())
    if not log:
        return difference
    near = torch.log1p((difference / rho).clamp(min=-0.5))
    far = torch.logsumexp(alpha.log() + scaled, dim).double() - rho.double().log()
    return torch.where(difference.abs() < rho / 2, near, far)
