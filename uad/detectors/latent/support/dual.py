"""From latent vectors to solved duals, one batch at a time: Gaussian kernel, fast solver, sure solver, checked."""

import warnings

import torch
from torch import Tensor

from uad.detectors.latent.support.active_set import Dual, solve
from uad.detectors.latent.support.compiled import AT_BOUND, SINGLE_SPREAD
from uad.detectors.latent.support.kernels import Kernels, gaussian_kernels
from uad.detectors.latent.support.smo import offset, solve_pairwise


def exponents(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Minus half the squared distances between the vectors of each batch, and half the squared lengths.

    Args:
        vectors: (b, n, d), best centred, so that no digits are lost.

    Returns:
        (b, n, n), at most zero but for rounding, and (b, n).
    """
    gram = torch.bmm(vectors, vectors.transpose(1, 2))
    halves = gram.diagonal(dim1=1, dim2=2) / 2
    return gram.sub_(halves[:, :, None]).sub_(halves[:, None, :]), halves


def scale_gamma(halves: Tensor, means: Tensor) -> Tensor:
    """The width 1 / (d variance), over all components of a voxel's training vectors, as scikit-learn's "scale".

    Args:
        halves: (b, n), half the squared lengths of the vectors less their mean.
        means: (b, d), what was taken off.

    Returns:
        (b,), one where the variance is zero.
    """
    return _inverse(2 * halves.mean(1) + means.var(1, correction=0) * means.shape[1])


def scale_gamma_of_choices(vectors: Tensor, means: Tensor, present: Tensor) -> Tensor:
    """As ``scale_gamma`` for r choices among the vectors of each batch.

    Args:
        vectors: (b, n, d), less a common mean.
        means: (b, d), what was taken off.
        present: (b, r, n), ones for the vectors that count.

    Returns:
        (b, r).
    """
    d = vectors.shape[2]
    level = (means - means.mean(1, keepdim=True))[:, :, None]
    sums = vectors.sum(2, keepdim=True)
    squares = (vectors + level.transpose(1, 2)).square().sum(2, keepdim=True)
    count = present.sum(2, keepdim=True)
    first, second = (torch.bmm(present, values) / count for values in (sums, squares))
    return _inverse((second - first * first / d).squeeze(2))


def _inverse(variance: Tensor) -> Tensor:
    """1 / x, but 1 where x is zero."""
    return torch.where(variance > 0, 1 / variance.clamp(min=torch.finfo(variance.dtype).tiny), 1.0)


def solve_dual(
    vectors: Tensor,
    distances: Tensor,
    gamma: Tensor,
    cap: Tensor,
    total: Tensor,
    tol: float,
    start: Tensor | None = None,
) -> Dual:
    """Solve the one-class duals of a batch in single precision where that suffices, in double elsewhere.

    Args:
        vectors: (b, n, d), the training vectors.
        distances: (b, n, n), their ``exponents``; overwritten.
        gamma: (b, 1), a kernel for all r problems on the same vectors, or (b, r), one for each.
        cap: (b, r, n), one for a sample that takes part, zero for one that is left out.
        total: (b, r, 1), nu times the number of samples that take part.
        tol: violation of the optimality conditions allowed, as a share of the kernel's spread (mean of 1 - k) times
            the total.
        start: (b, r, n), a first guess.

    Returns:
        The solutions, (b, r, n) and (b, r, 1).
    """
    b, r, n = cap.shape
    kernels = gaussian_kernels(distances, gamma)
    shape = len(kernels.stacked), -1, n
    cap, total = cap.reshape(shape), total.reshape(*shape[:2], 1)
    alpha = _feasible(cap if start is None else start.reshape(shape), cap, total)
    gradient = kernels.times(alpha)
    spread = 1 - (alpha * gradient).sum(-1, keepdim=True) / total.square()
    tolerance = tol * spread * total
    single = solve(kernels, cap, total, tolerance, alpha, gradient)
    g = gamma.shape[1]
    cap, total, spread, tolerance, *parts = (
        part.reshape(b * g, r // g, -1) for part in (cap, total, spread, tolerance, *single)
    )  # problems that have a width of their own stand alone from here on
    single = Dual(*parts)
    result = _settle_rho(single, cap)
    doubtful = ~((single.violation <= tolerance) & (spread >= SINGLE_SPREAD)).all(1)
    rows = doubtful.flatten().nonzero().flatten()
    if len(rows):
        careful = _solve_double(
            vectors[rows // g].double(), gamma.flatten()[rows].double(), cap[rows].double(), total[rows].double(), tol
        )
        result = Dual(*(part.double() for part in result))
        for old, new in zip(result, careful, strict=True):
            old[rows] = new
    return Dual(*(part.reshape(b, r, -1) for part in result))


def _solve_double(vectors: Tensor, gamma: Tensor, cap: Tensor, total: Tensor, tol: float) -> Dual:
    """Active sets in double precision, then pairwise steps for what is still open; warn where neither converged."""
    scaled = exponents(vectors)[0].mul_(2 * gamma[:, None, None])
    alpha = _feasible(cap, cap, total)
    spread = -(alpha * torch.bmm(alpha, scaled.expm1())).sum(-1, keepdim=True) / total.square()
    tolerance = (0.01 * tol * spread * total).clamp(min=1e-14)
    kernel = scaled.exp_()
    result = solve(Kernels(kernel), cap, total, tolerance, alpha, torch.bmm(alpha, kernel))
    row, problem = (~(result.violation <= tolerance)).squeeze(-1).nonzero(as_tuple=True)
    if len(row) == 0:
        return _settle_rho(result, cap)
    some_cap = cap[row, problem]
    feasible = _feasible(result.alpha[row, problem].nan_to_num(), some_cap, total[row, problem])
    sure = solve_pairwise(kernel[row], some_cap, feasible, tolerance[row, problem])
    for old, new in zip(result, sure, strict=True):
        old[row, problem] = new[:, 0]
    unsolved = int((sure.violation.flatten() > 100 * tolerance[row, problem].flatten()).sum())
    if unsolved:
        warnings.warn(
            f"{unsolved} one-class SVMs did not converge: their vectors are almost equal under this gamma; "
            "choose a larger gamma",
            stacklevel=2,
        )
    return _settle_rho(result, cap)


def _settle_rho(dual: Dual, cap: Tensor, at_bound: float = AT_BOUND) -> Dual:
    """Clamp the weights; take LIBSVM's rho where none is free, as when nu n is a whole number of far apart samples."""
    alpha = torch.minimum(dual.alpha.clamp(min=0), cap)
    none_free = ((alpha <= at_bound) | (alpha >= cap - at_bound)).all(-1)
    rho = dual.rho
    if none_free.any():
        some = alpha[none_free], dual.gradient[none_free], cap[none_free]
        rho, alpha[none_free] = rho.clone(), some[0].round()
        rho[none_free] = offset(some[0].round(), some[1], some[2])[:, None]
    return Dual(alpha, dual.gradient, rho, dual.violation)


def _feasible(guess: Tensor, cap: Tensor, total: Tensor) -> Tensor:
    """Bring a guess within the bounds and to the sum asked for: shapes (..., n), (..., n), (..., 1).

    What is zero stays so where that is possible: a guess may know which samples do not matter.
    """
    eps, tiny = torch.finfo(guess.dtype).eps, torch.finfo(guess.dtype).tiny
    alpha = torch.minimum(guess.clamp(min=0), cap)
    alpha = torch.minimum(alpha * (total / alpha.sum(-1, keepdim=True).clamp_(min=eps)), cap)
    room = cap - alpha
    return alpha + room * ((total - alpha.sum(-1, keepdim=True)) / room.sum(-1, keepdim=True).clamp_(min=tiny))


def decision(alpha: Tensor, scaled: Tensor, total: Tensor, rho: Tensor, dim: int) -> Tensor:
    """Decision value sum(alpha k) - rho, without loss of digits where all k are near one.

    Args:
        alpha: weights; along ``dim`` the training vectors, otherwise shaped as the result.
        scaled: -gamma |x - x_i|^2, shaped like ``alpha``.
        total: sum of the weights.
        rho: offset.
        dim: axis of the training vectors.
    """
    return (alpha * scaled.expm1()).sum(dim).double() + (total.double() - rho.double())


def kernel_distance(alpha: Tensor, scaled: Tensor, total: Tensor, dim: int) -> Tensor:
    """Square root of -log(sum(alpha k) / total), without loss of digits near or far; arguments as for ``decision``."""
    lost = (alpha * scaled.expm1()).sum(dim).double() / total.double()  # 0 at the support vectors, -1 far from all
    near = -torch.log1p(lost.clamp(min=-0.5, max=0))
    far = total.double().log() - torch.logsumexp(alpha.log() + scaled, dim).double()
    return torch.where(lost > -0.5, near, far).clamp_(min=0).sqrt_()
