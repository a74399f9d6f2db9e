"""Training pairs: blocks of patches at the same place in two different controls, read from memory-mapped volumes.

A block holds ``tile`` x ``tile`` neighbouring patches, which the encoder computes together: their overlap is computed
once. Batch number i depends on the seed and on i only, so a continued training equals an uninterrupted one.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from synthpet.errors import DataError

MASK = -1  # channel of a cached volume
N_COUPLES = 32  # pairs of controls a batch draws its blocks from: its cost does not grow with the number of controls


class PairBatch(NamedTuple):
    """Blocks of n pairs, (n, C, ti + pi - 1, tj + pj - 1, tk + pk - 1) in image units; ``valid`` (n, ti, tj, tk) says
    which of their patches have their centre in both brains.
    """

    first: Tensor
    second: Tensor
    valid: Tensor


class PairBatches(Dataset):
    """Blocks of patches around random voxels that lie in the brain masks of both controls.

    Args:
        volumes: cached files, (C, I, J, K) float32 with the brain mask as last channel, one a control, on one grid.
        modalities: names of the channels before the mask.
        patch_size: (pi, pj, pk).
        tile: patches a block holds along each in-plane axis.
        batch_size: patches a batch holds in each of the two controls, about (those outside the mask are not used).
        seed: of this run; with the batch's number it determines the batch.
        n_batches: length of this dataset.
        first: number of the first batch.

    Raises:
        DataError: fewer than two controls, or volumes on different grids.
    """

    def __init__(
        self,
        volumes: Sequence[Path],
        *,
        modalities: Sequence[str],
        patch_size: Sequence[int],
        tile: int,
        batch_size: int,
        seed: int,
        n_batches: int,
        first: int = 0,
    ) -> None:
        self.volumes = open_volumes(volumes)
        self.channels = list(range(len(modalities)))
        self.tile = [tile, tile, 1]
        self.block = [t + p - 1 for t, p in zip(self.tile, patch_size, strict=True)]
        self.n_blocks = max(1, round(batch_size / math.prod(self.tile)))
        self.seed, self.n_batches, self.first = seed, n_batches, first

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, index: int) -> PairBatch:
        """Batch number ``first + index``."""
        rng = np.random.default_rng([self.seed, self.first + index])
        shares = np.array_split(np.arange(self.n_blocks), min(N_COUPLES, self.n_blocks))
        parts = [self._draw(len(share), rng) for share in shares]
        return PairBatch(*(torch.from_numpy(np.concatenate(arrays)) for arrays in zip(*parts, strict=True)))

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray, NDArray]:
        """Draw n blocks from one pair of controls: two arrays of images and one of validity."""
        one, other = (self.volumes[k] for k in rng.choice(len(self.volumes), 2, replace=False))
        centres = voxels_in_both(one[MASK], other[MASK], n, rng)
        inside = np.minimum(*(cut(volume, [MASK], centres, self.tile) for volume in (one, other)))
        images = (cut(volume, self.channels, centres, self.block) for volume in (one, other))
        return (*images, inside[:, 0] > 0)  # type: ignore[return-value]


def open_volumes(volumes: Sequence[Path]) -> list[NDArray[np.float32]]:
    """Memory-map the cached volumes of at least two controls on one grid."""
    if len(volumes) < 2:
        raise DataError(
            f"representation: {len(volumes)} control(s) to learn from; expected at least 2, because a pair is "
            "the same place in two different controls"
        )
    opened = [np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)) for path in volumes]
    shapes = {path.name: volume.shape for path, volume in zip(volumes, opened, strict=True)}
    if len(set(shapes.values())) > 1:
        raise DataError(f"representation: cached volumes have different shapes: {shapes}; remove and cache them again")
    return opened


def voxels_in_both(
    one: NDArray[np.float32], other: NDArray[np.float32], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(n, 3) uniformly random voxels of the intersection of two masks, by rejection: no list of voxels is kept."""
    found: list[NDArray[np.int64]] = []
    for _ in range(1000):
        tried = rng.integers(one.shape, size=(4 * n + 16, 3))
        where = tuple(tried.T)
        found.append(tried[(one[where] > 0) & (other[where] > 0)])
        if sum(map(len, found)) >= n:
            return np.concatenate(found)[:n]
    raise DataError("representation: the brain masks of two controls hardly overlap; check that they share a template")


def cut(
    volume: NDArray[np.float32], channels: Sequence[int], centres: NDArray[np.int64], size: Sequence[int]
) -> NDArray[np.float32]:
    """Blocks around voxels, zero outside the volume.

    Args:
        volume: (C, I, J, K); only what is cut is read from a memory map.
        channels: which of the C to cut.
        centres: (n, 3) voxel indices.
        size: (si, sj, sk) of a block; the centre is at index s // 2.

    Returns:
        (n, number of channels, si, sj, sk).
    """
    blocks = np.zeros((len(centres), len(channels), *size), volume.dtype)
    shape = volume.shape[1:]
    for block, centre in zip(blocks, centres.tolist(), strict=True):
        lows = [c - s // 2 for c, s in zip(centre, size, strict=True)]
        i, j, k = (slice(max(0, -low), min(s, n - low)) for low, s, n in zip(lows, size, shape, strict=True))
        x, y, z = (slice(max(0, low), min(n, low + s)) for low, s, n in zip(lows, size, shape, strict=True))
        for part, channel in zip(block, channels, strict=True):
            part[i, j, k] = volume[channel, x, y, z]
    return blocks
