"""Cut a volume into overlapping patches and blend them back without seams."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from synthpet.errors import UsageError


def patch_origins(shape: Sequence[int], patch_size: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Lowest corner of every patch of a regular cover; the last patch of each axis ends at the border.

    Args:
        shape: (I, J, K) of the volume, in voxels.
        patch_size: (pi, pj, pk).
        stride: steps between patches, at most ``patch_size``.

    Returns:
        (n, 3) integer origins.

    Raises:
        UsageError: a patch larger than the volume, or a stride that would leave gaps.
    """
    axes = []
    for n, patch, step in zip(shape, patch_size, stride, strict=True):
        if not 1 <= step <= patch <= n:
            raise UsageError(
                f"patch_size {tuple(patch_size)} with stride {tuple(stride)} does not cover a volume of {tuple(shape)} "
                "voxels: expected 1 <= stride <= patch <= volume on every axis"
            )
        axes.append([*range(0, n - patch, step), n - patch])
    return torch.tensor(list(itertools.product(*axes)))


def extract(volume: Tensor, origins: Tensor, patch_size: Sequence[int]) -> Tensor:
    """Cut patches: (C, I, J, K) and (n, 3) origins to (n, C, pi, pj, pk)."""
    pi, pj, pk = patch_size
    return torch.stack([volume[:, i : i + pi, j : j + pj, k : k + pk] for i, j, k in origins.tolist()])


def blend_window(patch_size: Sequence[int]) -> Tensor:
    """Weights of a patch's voxels, (pi, pj, pk): a Hann window sampled at voxel centres, positive everywhere.

    Neighbouring patches fade into each other, so that no patch border shows.
    """
    window = torch.ones(())
    for n in patch_size:
        axis = torch.sin(torch.pi * (torch.arange(n) + 0.5) / n) ** 2
        window = window[..., None] * axis
    return window


class OverlapAdd:
    """Running weighted mean of overlapping patches; holds one volume and its weights, whatever the number of patches.

    Args:
        shape: (C, I, J, K) of the result.
        patch_size: (pi, pj, pk).
        device: where the sums live.
    """

    def __init__(self, shape: Sequence[int], patch_size: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.window = blend_window(patch_size).to(device)
        self.total = torch.zeros(tuple(shape), device=device)
        self.weight = torch.zeros(tuple(shape[1:]), device=device)

    def add(self, patches: Tensor, origins: Tensor) -> None:
        """Add (n, C, pi, pj, pk) patches whose lowest corners are ``origins``, (n, 3)."""
        pi, pj, pk = self.window.shape
        for patch, (i, j, k) in zip(patches * self.window, origins.tolist(), strict=True):
            self.total[:, i : i + pi, j : j + pj, k : k + pk] += patch
            self.weight[i : i + pi, j : j + pj, k : k + pk] += self.window

    def result(self) -> Tensor:
        """The blended (C, I, J, K) volume; zero where no patch was added."""
        return self.total / self.weight.clamp_min(torch.finfo(torch.float32).tiny)


def overlap_add(patches: Tensor, origins: Tensor, shape: Sequence[int]) -> Tensor:
    """Blend (n, C, pi, pj, pk) patches into a volume of ``shape`` (I, J, K): the inverse of ``extract``."""
    blend = OverlapAdd((patches.shape[1], *shape), patches.shape[2:], patches.device)
    blend.add(patches, origins)
    return blend.result()
