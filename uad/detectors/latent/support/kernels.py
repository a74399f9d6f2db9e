"""Gaussian kernels of many small problems, shared between problems on the same vectors whose widths are close.

Leaving out one control after another changes the width (``gamma="scale"``) a little each time. Between a few nodes,
exp(-gamma D) is a polynomial in gamma to within rounding, so the products of all those problems with their own kernels
are weighted sums of products with the nodes' kernels.
"""

from math import e, factorial
from typing import NamedTuple

import torch
from torch import Tensor

MAX_NODES = 8
INTERPOLATION_ERROR = 1e-6  # of a kernel's entries, which are at most one


class Kernels(NamedTuple):
    """Kernels to multiply with: (b, m n, n), the m nodes' below each other; the weights (b, r, m), None where m = 1."""

    stacked: Tensor
    weights: Tensor | None = None

    def times(self, vectors: Tensor) -> Tensor:
        """Each of the r vectors (b, r, n) times its problem's kernel."""
        if self.weights is not None:
            vectors = (self.weights[..., None] * vectors[:, :, None]).flatten(2)
        return torch.bmm(vectors, self.stacked)

    def take(self, rows: Tensor) -> "Kernels":
        """Those of some rows of the batch."""
        return Kernels(self.stacked[rows], None if self.weights is None else self.weights[rows])


def gaussian_kernels(exponents: Tensor, gamma: Tensor) -> Kernels:
    """Kernels for problems that share vectors.

    Args:
        exponents: (b, n, n), minus half the squared distances; overwritten.
        gamma: (b, 1), a width for all problems on the same vectors, or (b, r), one for each.

    Returns:
        One kernel for all problems of a row, or the nodes' kernels where these are fewer than the problems: b rows.
        Otherwise one for each problem: b r rows.
    """
    b, n, _ = exponents.shape
    nodes, weights = gamma, None
    if gamma.shape[1] > 1 and (m := _nodes_needed(gamma)) < min(MAX_NODES + 1, gamma.shape[1]):
        nodes, weights = _interpolate(gamma, m)
    twice = 2 * nodes[:, :, None, None]
    scaled = exponents[:, None].mul_(twice) if nodes.shape[1] == 1 else exponents[:, None] * twice
    return Kernels(scaled.exp_().view((-1, n, n) if weights is None else (b, -1, n)), weights)


def _nodes_needed(gamma: Tensor) -> int:
    """How many nodes keep the error of exp(-gamma D) below the accepted one for every D.

    With half the range of gamma a share s of its middle, the error of m Chebyshev nodes is about
    2 (s u / 2)^m / m! exp(-u) at u = (middle of gamma) D, which is largest at u = m.
    """
    low, high = gamma.amin(1), gamma.amax(1)
    share = float(((high - low) / (high + low)).max())
    for m in range(2, MAX_NODES + 1):
        if 2 * (share * m / (2 * e)) ** m / factorial(m) <= INTERPOLATION_ERROR:
            return m
    return MAX_NODES + 1


def _interpolate(gamma: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """Chebyshev nodes over the range of each row of (b, r) widths, (b, m), and Lagrange weights (b, r, m)."""
    low, high = gamma.amin(1, keepdim=True), gamma.amax(1, keepdim=True)
    half = ((high - low) / 2).clamp(min=torch.finfo(gamma.dtype).eps * high)
    places = torch.cos(torch.pi * (torch.arange(m, dtype=torch.float64, device=gamma.device) + 0.5) / m)
    at = ((gamma - (low + high) / 2) / half).double()
    others = ~torch.eye(m, dtype=torch.bool, device=gamma.device)
    apart = torch.where(others, places[:, None] - places, 1)  # (m, m)
    factors = torch.where(others, at[..., None, None] - places, 1) / apart  # (b, r, m, m)
    return (low + high) / 2 + half * places.to(gamma.dtype), factors.prod(-1).to(gamma.dtype)
