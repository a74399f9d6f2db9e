"""Make a T1 patch look as if another scanner had taken it; the PET stays as it is."""

import torch
from torch import Tensor


def augment_t1w(t1w: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Vary contrast (gamma), scale, offset, bias field and noise of each patch of a batch.

    Zero stays zero outside the brain. ``strength`` 1 gives a gamma of exp(N(0, 0.2)), a scale of 1 +- 10 %, an offset
    of 0.05, a bias field of +- 10 % across the patch and noise of up to 0.04 of the brain's range.

    Args:
        t1w: (B, 1, I, J, K), scaled to about [0, 1] in the brain, 0 outside.
        strength: factor on all of it; 0 returns the input.
        generator: source of randomness, on the CPU, so that devices agree.
    """
    if strength == 0:
        return t1w
    b = t1w.shape[0]

    def draw(*shape: int) -> Tensor:
        return torch.randn(b, *shape, generator=generator).to(t1w.device) * strength

    brain = t1w != 0
    column = (1, 1, 1, 1)
    varied = t1w.clamp_min(0) ** torch.exp(0.2 * draw(*column))
    varied = varied * (1 + 0.1 * draw(*column)) + 0.05 * draw(*column)
    varied = varied * (1 + 0.1 * _linear_field(t1w.shape[2:], draw(3)))
    noise_sd = 0.04 * torch.rand(b, *column, generator=generator).to(t1w.device)
    varied = varied + noise_sd * draw(1, *t1w.shape[2:])
    return torch.where(brain, varied, 0)


def _linear_field(shape: tuple[int, ...], slopes: Tensor) -> Tensor:
    """A plane across each patch, -1 to 1 along each axis times (B, 3) slopes: (B, 1, I, J, K)."""
    axes = [torch.linspace(-1, 1, n, device=slopes.device) for n in shape]
    i, j, k = torch.meshgrid(*axes, indexing="ij")
    return torch.einsum("ba,aijk->bijk", slopes, torch.stack([i, j, k]))[:, None]
