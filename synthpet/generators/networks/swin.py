"""A Swin transformer as the generator: MONAI's SwinUNETR, whose encoder attends within shifted windows."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

GROUPS = 4  # of the group norms


class SwinUNet(nn.Module):
    """SwinUNETR (Hatamizadeh et al. 2022) with group norm, which keeps the level of a patch, and the head in float32.

    Args:
        spatial_dims: 2 or 3.
        in_channels: sources (times slices), and the template coordinates where they are used.
        out_channels: of the target (slices).
        feature_size: width of the first level, a multiple of 12; doubled by each of the four below it.

    Raises:
        ValueError: ``feature_size`` is no multiple of 12.

    Source: Hatamizadeh et al., arXiv 2201.01266, there for segmentation.
    Not in the paper: group norm in place of instance norm, which would remove a patch's absolute uptake and cannot
    normalise the one voxel that is left of 32^3 at the lowest level; a head without activation.
    """

    LARGEST: ClassVar[Mapping[str, int]] = {"feature_size": 96}
    """Above it a network takes long to build: a stranger's options may not ask for it."""

    divisor = 32
    """What every edge of a patch is a multiple of: it is halved five times."""

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, *, feature_size: int = 12) -> None:
        from monai.networks.nets import SwinUNETR

        super().__init__()
        with torch.device("cpu"):  # it reads values while it is built, which "meta" has none of; LARGEST bounds it
            self.network = SwinUNETR(
                in_channels,
                out_channels,
                feature_size=feature_size,
                norm_name=("group", {"num_groups": GROUPS}),
                spatial_dims=spatial_dims,
            )
        self.network.out = _Head(self.network.out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, ...) to (B, out_channels, ...).

        Raises:
            ValueError: an edge that is no multiple of ``divisor``.
        """
        sizes = list(x.shape[2:])
        if any(size % self.divisor for size in sizes):
            raise ValueError(f"a patch of {sizes} voxels: expected multiples of {self.divisor}, each")
        return self.network(x)


class _Head(nn.Module):
    """The last convolution in float32: bfloat16 would round an SUVR of 1.5 to steps of 0.008."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to (B, out_channels, ...)."""
        with torch.autocast(x.device.type, enabled=False):
            return self.conv(x.float())
