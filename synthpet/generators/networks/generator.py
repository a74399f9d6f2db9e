"""The generator: a residual U-Net that works at half resolution and below.

A PET image is smooth (5 to 7 mm), so the costly layers need not run on the T1's own grid: a strided convolution
takes blocks of ``stem`` voxels to channels and the head puts the blocks back (sub-pixel convolution, Shi 2016).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {
    "batch": {2: nn.BatchNorm2d, 3: nn.BatchNorm3d},
    "instance": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d},
}


def normalisation(name: str, spatial_dims: int, channels: int) -> nn.Module:
    """A normalisation layer by name: ``batch``, ``instance``, ``group`` or ``none``.

    Instance norm removes a patch's mean and with it the absolute uptake; it is there for comparison.
    """
    if name == "none":
        return nn.Identity()
    if name == "group":
        return nn.GroupNorm(min(8, channels), channels)
    return NORM[name][spatial_dims](channels)


class ResidualBlock(nn.Module):
    """x + f(x), f = (norm, activation, 3-voxel convolution) twice; the identity at the start of training."""

    def __init__(self, spatial_dims: int, channels: int, norm: str) -> None:
        super().__init__()
        conv = CONV[spatial_dims]
        self.body = nn.Sequential(
            normalisation(norm, spatial_dims, channels),
            nn.SiLU(),
            conv(channels, channels, 3, padding=1),
            normalisation(norm, spatial_dims, channels),
            nn.SiLU(),
            conv(channels, channels, 3, padding=1),
        )
        last = self.body[-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same shape."""
        return x + self.body(x)


class ResidualUNet(nn.Module):
    """Residual U-Net.

    Args:
        spatial_dims: 2 or 3.
        in_channels: sources (times slices), and the template coordinates where they are used.
        out_channels: of the target (slices).
        channels: width of each level, from fine to coarse; each level halves the resolution.
        blocks: residual blocks per level, on each side.
        stem: edge of the voxel block that becomes one position of the first level (1: none).
        norm: ``batch``, ``instance``, ``group`` or ``none``.
    """

    LARGEST: ClassVar[Mapping[str, int]] = {"blocks": 64, "stem": 64}
    """Above these a network takes long to build: a stranger's options may not ask for it."""

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        channels: Sequence[int] = (32, 64),
        blocks: int = 1,
        stem: int = 2,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        conv = CONV[spatial_dims]
        self.divisor = stem * 2 ** (len(channels) - 1)
        kernel = max(3, 2 * stem - 1)
        self.stem = conv(in_channels, channels[0], kernel, stride=stem, padding=kernel // 2)
        self.encoder = nn.ModuleList(_level(spatial_dims, width, blocks, norm) for width in channels)
        self.down = nn.ModuleList(conv(a, b, 2, stride=2) for a, b in pairwise(channels))
        self.up = nn.ModuleList(conv(b, a * 2**spatial_dims, 1) for a, b in pairwise(channels))
        self.decoder = nn.ModuleList(_level(spatial_dims, width, blocks, norm) for width in channels[:-1])
        self.head = conv(channels[0], out_channels * stem**spatial_dims, 3, padding=1)
        self.spatial_dims, self.stem_size = spatial_dims, stem

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, ...) to (B, out_channels, ...); sizes must be multiples of ``divisor``."""
        x = self.stem(x)
        skips = []
        for level, encode in enumerate(self.encoder):
            x = encode(x)
            if level < len(self.down):
                skips.append(x)
                x = self.down[level](x)
        for level in reversed(range(len(self.down))):
            x = skips[level] + depth_to_space(self.up[level](x), 2)
            x = self.decoder[level](x)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round an SUVR of 1.5 to steps of 0.008
            return depth_to_space(self.head(x.float()), self.stem_size)


def _level(spatial_dims: int, width: int, blocks: int, norm: str) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(spatial_dims, width, norm) for _ in range(blocks)))


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """(B, C * factor**d, n1..nd) to (B, C, n1 * factor..nd * factor), in 2 or 3 dimensions (sub-pixel shuffle).

    The result is laid out channels-last, as the networks are: another layout would be changed back by the next layer.
    """
    if factor == 1:
        return x
    d = x.ndim - 2
    b, c, *sizes = x.shape
    x = x.movedim(1, -1).reshape(b, *sizes, c // factor**d, *[factor] * d)
    axes = [axis for k in range(d) for axis in (1 + k, 2 + d + k)]
    return x.permute(0, *axes, 1 + d).reshape(b, *[n * factor for n in sizes], c // factor**d).movedim(-1, 1)


def position_channels(shape: Sequence[int], affine: Tensor) -> Tensor:
    """Template coordinates of every voxel, (3, I, J, K), in units of 100 mm (RAS+)."""
    index = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in shape), indexing="ij"))
    mm = torch.einsum("ab,bijk->aijk", affine[:3, :3].float(), index) + affine[:3, 3].float()[:, None, None, None]
    return mm / 100
