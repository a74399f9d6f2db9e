"""The controls of a normative set on the disk while a detector learns from them: memory does not grow with them.

What has one entry per control and voxel is memory-mapped; machines are fitted to some voxels at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from synthpet.cohort.files import new_array
from uad.detectors.control_statistics import MIN_SHARE
from uad.detectors.latent.support.slabs import slabs
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM

BLOCK_BYTES = 2**25  # of latent vectors and weights in memory at a time
PER_VOXEL = ("offset_", "gamma_", "squared_norm_")


class Controls:
    """Cached volumes of the controls, read again whenever they are asked for.

    Args:
        volumes: (C, I, J, K) float32 files with the brain mask as last channel, one a control, on one grid.
        folder: receives the other files; ``remove`` takes all of them away.

    Attributes:
        n: (I, J, K), how many of them have brain there.
        where: (I, J, K), the voxels where at least ``MIN_SHARE`` of them have brain.
        masks: (n_controls, n_voxels) memory map, where each has brain within ``where``.
    """

    def __init__(self, volumes: Sequence[Path], folder: Path) -> None:
        self.volumes, self.folder = volumes, folder
        self._made: dict[str, Path] = {}
        self.n = sum((brain.astype(np.int64) for brain in self.brains()), start=np.zeros(1, np.int64))
        self.where = self.n / len(volumes) >= MIN_SHARE
        self.masks = self.array("masks", (len(volumes), int(self.where.sum())), bool)
        for mask, brain in zip(self.masks, self.brains(), strict=True):
            mask[:] = brain[self.where]

    def brains(self) -> Iterator[NDArray[np.bool_]]:
        """The brain mask of each, (I, J, K)."""
        return (np.load(path, mmap_mode="r")[-1] > 0 for path in self.volumes)

    def array(self, name: str, shape: tuple[int, ...], kind: DTypeLike = np.float32) -> NDArray:
        """A new memory-mapped array in the folder."""
        self._made[name] = self.folder / f"{name}.npy"
        return new_array(self._made[name], shape, kind)

    def drop(self, name: str) -> None:
        """Delete an array; who still holds it can read on."""
        self._made.pop(name).unlink()

    def remove(self) -> None:
        """Delete the cached volumes and all arrays."""
        for path in (*self.volumes, *self._made.values()):
            path.unlink()


def fit_in_blocks(
    new: Callable[[], VoxelwiseOneClassSVM], latents: NDArray[np.float32], weights: NDArray[np.float32]
) -> VoxelwiseOneClassSVM:
    """The machine that ``new().fit(latents)`` is, with all that grows with the controls on the disk.

    Args:
        new: makes a machine that has learned nothing.
        latents: (n_controls, n_voxels, d), a memory map.
        weights: (n_controls, n_voxels), a memory map: becomes ``dual_coef_``.
    """
    machine = new()
    n_voxels = latents.shape[1]
    for name in PER_VOXEL:
        setattr(machine, name, np.empty(n_voxels))
    for block in blocks(latents.shape):
        some = new().fit(np.ascontiguousarray(latents[:, block]))
        weights[:, block] = some.dual_coef_
        for name in PER_VOXEL:
            getattr(machine, name)[block] = getattr(some, name)
    machine.latents_, machine.dual_coef_ = np.asarray(latents), np.asarray(weights)
    machine.n_features_in_ = latents.shape[2]
    return machine


def leave_one_out_in_blocks(
    new: Callable[[], VoxelwiseOneClassSVM], latents: NDArray[np.float32], voxels: NDArray[np.int64], distance: bool,
    values: NDArray[np.float64],
) -> None:  # fmt: skip
    """``new().fit(latents[:, voxels]).leave_one_out(distance)`` into ``values``, (n_controls, number of voxels)."""
    for block in blocks((len(latents), len(voxels), latents.shape[2])):
        values[:, block] = new().fit(np.ascontiguousarray(latents[:, voxels[block]])).leave_one_out(distance)


def blocks(shape: tuple[int, ...]) -> list[slice]:
    """Voxels to fit at a time, for latent vectors of shape (n_controls, n_voxels, d)."""
    n_controls, n_voxels, d = shape
    return slabs(n_voxels, n_controls * (4 * d + 12), BLOCK_BYTES)
