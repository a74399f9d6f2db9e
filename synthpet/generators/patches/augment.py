"""Make the sources look as if another scanner had taken them; the target stays as it is."""

import torch
from torch import Tensor


def augment(sources: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Vary contrast (gamma), scale, offset, bias field and noise of each patch of a batch, in each source by itself.

    Zero stays zero outside the brain. ``strength`` 1 gives a gamma of exp(N(0, 0.2)), a scale of 1 +- 10 %, an offset
    of 0.05, a bias field of +- 10 % across the patch and noise of up to 0.04 of the brain's range.

    Args:
        sources: (B, S, I, J, K), scaled to about [0, 1] in the brain, 0 outside.
        strength: factor on all of it; 0 returns the input.
        generator: source of randomness, on the CPU, so that devices agree.
    """
    if strength == 0:
        return sources
    if sources.shape[1] > 1:
        return torch.cat([augment(image, strength=strength, generator=generator) for image in sources.split(1, 1)], 1)
    b = sources.shape[0]

    def draw(*shape: int) -> Tensor:
        return torch.randn(b, *shape, generator=generator).to(sources.device) * strength

    brain = sources != 0
    column = (1, 1, 1, 1)
    varied = sources.clamp_min(0) ** torch.exp(0.2 * draw(*column))
    varied = varied * (1 + 0.1 * draw(*column)) + 0.05 * draw(*column)
    varied = varied * (1 + 0.1 * _linear_field(sources.shape[2:], draw(3)))
    noise_sd = 0.04 * torch.rand(b, *column, generator=generator).to(sources.device)
    varied = varied + noise_sd * draw(1, *sources.shape[2:])
    return torch.where(brain, varied, 0)


def _linear_field(shape: tuple[int, ...], slopes: Tensor) -> Tensor:
    """A plane across each patch, -1 to 1 along each axis times (B, 3) slopes: (B, 1, I, J, K)."""
    axes = [torch.linspace(-1, 1, n, device=slopes.device) for n in shape]
    i, j, k = torch.meshgrid(*axes, indexing="ij")
    return torch.einsum("ba,aijk->bijk", slopes, torch.stack([i, j, k]))[:, None]
