"""The architecture of deepbet's two networks: a LinkNet in 3D with residual blocks and instance normalisation.

Source: Chaurasia and Culurciello, LinkNet, VCIP 2017; in 3D by Fisch et al., deepbet, Computers in Biology and Medicine
179 (2024) 108845.
"""

import torch
from torch import Tensor, nn


def _normal(layer: nn.Module, channels: int, *, active: bool = True) -> list[nn.Module]:
    return [layer, nn.InstanceNorm3d(channels), *([nn.ReLU(inplace=True)] if active else [])]


class Block(nn.Module):
    """Two convolutions and what goes past them, (B, n_in, I, J, K) to (B, n_out, I / stride, ...)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        first = nn.Conv3d(n_in, n_out, 3, stride, 1, bias=False)
        second = nn.Conv3d(n_out, n_out, 3, 1, 1, bias=False)
        self.convolved = nn.Sequential(*_normal(first, n_out), *_normal(second, n_out, active=False))
        short = nn.Conv3d(n_in, n_out, 1, stride, bias=False)
        self.past = nn.Sequential(*(_normal(short, n_out, active=False) if n_in != n_out else []))

    def forward(self, x: Tensor) -> Tensor:
        """One residual step."""
        return torch.relu(self.convolved(x) + self.past(x))


def _up(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    """Squeeze to a quarter of the channels, enlarge by ``stride``, widen to ``n_out``."""
    n = n_in // 4
    return nn.Sequential(
        *_normal(nn.Conv3d(n_in, n, 1, bias=False), n),
        *_normal(nn.ConvTranspose3d(n, n, 3, stride, 1, stride - 1, bias=False), n),
        *_normal(nn.Conv3d(n, n_out, 1, bias=False), n_out),
    )


class LinkNet3d(nn.Module):
    """(B, 1, I, J, K) to the share of the brain (B, I, J, K), sides divisible by 32.

    Parameters come in the order in which deepbet's archives hold them.
    """

    def __init__(self) -> None:
        super().__init__()
        first = _normal(nn.Conv3d(1, 16, 7, 2, 3, bias=False), 16)
        self.init = nn.Sequential(*first, nn.MaxPool3d(3, 2, 1))
        sides = [(16, 16, 1), (16, 32, 2), (32, 64, 2), (64, 128, 2)]
        self.down = nn.ModuleList(nn.Sequential(Block(*side), Block(side[1], side[1], 1)) for side in sides)
        self.up = nn.ModuleList(_up(n_out, n_in, stride) for n_in, n_out, stride in reversed(sides))
        self.last = nn.Sequential(
            *_normal(nn.ConvTranspose3d(16, 8, 3, 2, 1, 1), 8),
            *_normal(nn.Conv3d(8, 8, 3, 1, 1), 8),
            nn.ConvTranspose3d(8, 2, 2, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Down, up with what was there before, and the second of two classes."""
        found = [self.init(x)]
        for down in self.down:
            found.append(down(found[-1]))
        x = found.pop()
        for up in self.up:
            x = up(x) + found.pop()
        return self.last(x).softmax(1)[:, 1]
