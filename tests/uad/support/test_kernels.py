import pytest
import torch

from uad.detectors.latent.support.dual import exponents
from uad.detectors.latent.support.kernels import MAX_NODES, gaussian_kernels


@pytest.mark.parametrize("spread, shared", [(0.01, True), (0.2, True), (0.9, False)])
def test_products_are_those_with_each_problems_own_kernel(spread, shared):
    torch.manual_seed(0)
    b, r, n = 2, 20, 12
    squares = exponents(torch.randn(b, n, 8))[0]
    gamma = 0.3 * (1 + spread * (2 * torch.rand(b, r) - 1))
    own = torch.exp(2 * gamma[:, :, None, None].double() * squares[:, None].double())
    x = torch.randn(b, r, n)
    kernels = gaussian_kernels(squares, gamma)
    assert (len(kernels.stacked) == b) == shared
    found = kernels.times(x.view(len(kernels.stacked), -1, n)).view(b, r, n)
    torch.testing.assert_close(found.double(), (own @ x.double()[..., None])[..., 0], rtol=0, atol=2e-5)


def test_equal_widths_for_all_problems_are_no_special_case():
    torch.manual_seed(0)
    squares, x = exponents(torch.randn(1, 6, 4))[0], torch.randn(1, MAX_NODES, 6)
    expected = x @ torch.exp(0.5 * squares)
    torch.testing.assert_close(gaussian_kernels(squares, torch.full((1, MAX_NODES), 0.25)).times(x), expected)
