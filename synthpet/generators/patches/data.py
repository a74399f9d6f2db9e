"""Training batches from memory-mapped volumes: batch number i depends on the seed and on i, and on nothing else.

That makes an interrupted and continued training equal to an uninterrupted one, and keeps memory flat: volumes are
read through the page cache, one patch at a time.
"""

import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from synthpet.errors import TrainingError, UsageError
from synthpet.generators.networks.generator import position_channels
from synthpet.learning.volumes import MASK

LOADER_S = 300  # without a batch: the loaders hang
PREFETCHED = 2  # batches that each loader keeps ready, as Torch has it
LOADER_ADVICE = "expected more (docker run --shm-size=2g, or --ipc=host), fewer loaders or none: trainer.num_workers=0"
OTHER_SEED = 2**40  # added to the seed of a run: unpaired people are drawn by numbers of their own
FLIP_AXIS = 0  # left-right; template grids are symmetric about x = 0


class Batch(NamedTuple):
    """Patches of a step, in the units of their modalities.

    Sources: (B, S, I, J, K); target and brain mask: (B, 1, I, J, K); coordinates: (B, 3 or 0, I, J, K), in 100 mm.
    Unpaired: as many patches of people without a target (theirs is 0), for a method that learns from them.
    """

    sources: Tensor
    target: Tensor
    mask: Tensor
    position: Tensor
    unpaired: "Batch | None" = None


@dataclass(frozen=True)
class Sampling:
    """Which patches a training draws.

    Args:
        patch_size: (pi, pj, pk).
        batch_size: patches in a batch.
        coordinates: whether the batches have them.
        seed: of the run.
    """

    patch_size: Sequence[int]
    batch_size: int
    coordinates: bool
    seed: int


class PatchBatches(Dataset):
    """Random patches whose centre lies in the brain, from randomly chosen subjects, half of them mirrored.

    Args:
        volumes: cached files of sources, target and mask, one a subject.
        affine: (4, 4), voxel indices to RAS+ mm.
        patch_size: (pi, pj, pk); larger than a volume is zero-padded.
        batch_size: patches in a batch.
        coordinates: whether the batches have them; to cut them takes as long as all else together.
        seed: of this run; with the batch's number it determines the batch.
        n_batches: length of this dataset.
        first: number of the first batch.
    """

    def __init__(
        self,
        volumes: Sequence[Path],
        affine: NDArray[np.float64],
        patch_size: Sequence[int],
        batch_size: int,
        *,
        coordinates: bool,
        seed: int,
        n_batches: int,
        first: int = 0,
    ) -> None:
        self.volumes = [np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)) for path in volumes]
        self.patch_size = tuple(patch_size)
        self.batch_size = batch_size
        self.seed = seed
        self.n_batches = n_batches
        self.first = first
        self.n_images, *shape = self.volumes[0].shape
        self.position = position_channels(shape, torch.from_numpy(affine)).numpy() if coordinates else None

    @property
    def n_bytes(self) -> int:
        """Of one batch."""
        n_channels = self.n_images + self.n_coordinates
        return self.batch_size * n_channels * math.prod(self.patch_size) * np.dtype(np.float32).itemsize

    @property
    def n_coordinates(self) -> int:
        """Channels of coordinates."""
        return 0 if self.position is None else 3

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, index: int) -> Batch:
        """Batch number ``first + index``."""
        rng = np.random.default_rng([self.seed, self.first + index])
        patches = np.empty((self.batch_size, self.n_images + self.n_coordinates, *self.patch_size), np.float32)
        for patch in patches:
            self._draw(rng, patch)
        return Batch(*torch.from_numpy(patches).split([self.n_images - 2, 1, 1, self.n_coordinates], dim=1))

    def _draw(self, rng: np.random.Generator, patch: NDArray[np.float32]) -> None:
        """Fill one (S + 2 or S + 5, pi, pj, pk) patch with sources, target, mask and coordinates."""
        volume = self.volumes[rng.integers(len(self.volumes))]
        centre = _voxel_in_brain(volume[MASK], rng)
        cut = [_interval(c, p, n) for c, p, n in zip(centre, self.patch_size, volume.shape[1:], strict=True)]
        where = (slice(None), *(slice(low, high) for low, high in cut))
        mirrored = rng.random() < 0.5
        filled = np.flip(patch, 1 + FLIP_AXIS) if mirrored else patch  # a view: what is written there lies mirrored
        inside = tuple(
            slice((p - (high - low)) // 2, (p - (high - low)) // 2 + high - low)
            for p, (low, high) in zip(self.patch_size, cut, strict=True)
        )
        if patch.shape[1:] != volume[where].shape[1:]:
            patch[:] = 0
        filled[: self.n_images, *inside] = volume[where]
        if self.position is not None:
            filled[self.n_images :, *inside] = self.position[where]
            if mirrored:
                patch[self.n_images] *= -1  # the mirrored patch lies in the other hemisphere


class WithUnpaired(Dataset):
    """Each batch of paired people carries one of unpaired people."""

    def __init__(self, paired: PatchBatches, unpaired: PatchBatches) -> None:
        self.paired, self.unpaired = paired, unpaired

    def __len__(self) -> int:
        return len(self.paired)

    def __getitem__(self, index: int) -> Batch:
        """Batch number ``first + index``."""
        return self.paired[index]._replace(unpaired=self.unpaired[index])


def _voxel_in_brain(mask: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """A uniformly random voxel of the mask, by rejection: no list of voxels is kept."""
    while True:
        voxel = rng.integers(mask.shape)
        if mask[tuple(voxel)] > 0:
            return voxel


def _interval(centre: int, patch: int, n: int) -> tuple[int, int]:
    """The patch's extent along one axis, moved to lie inside the volume."""
    low = max(0, min(int(centre) - patch // 2, n - patch))
    return low, min(low + patch, n)


def check_shared_memory(num_workers: int, batch_bytes: int, shared: Path = Path("/dev/shm")) -> None:  # noqa: S108
    """Refuse loaders whose batches do not fit into shared memory: a loader that finds it full loses them silently.

    Args:
        num_workers: loaders.
        batch_bytes: of one batch; each loader keeps ``PREFETCHED`` ready.
        shared: where the system keeps shared memory.

    Raises:
        UsageError: too little is free.
    """
    if not shared.is_dir():
        return
    needed, free = (num_workers * PREFETCHED + 1) * batch_bytes, shutil.disk_usage(shared).free
    if free < needed:
        raise UsageError(
            f"E_SHARED_MEMORY trainer.num_workers={num_workers}: needs {needed:,} bytes of shared memory for its "
            f"batches, {free:,} are free; {LOADER_ADVICE}"
        )


@contextmanager
def naming_loaders() -> Iterator[None]:
    """What Torch says of a loader that was killed or gives nothing any more, with what to do.

    Raises:
        TrainingError: a loader ended or hangs.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader" not in str(error):
            raise
        raise TrainingError(
            f"E_LOADER a process that cuts patches returned nothing ({str(error).splitlines()[0]}); often there is too "
            f"little shared memory; {LOADER_ADVICE}. The same command goes on from the last checkpoint"
        ) from error


class PatchDataModule(pl.LightningDataModule):
    """Each Lightning epoch is ``steps_per_epoch`` batches of one endless, numbered sequence.

    Args:
        volumes: cached files of the paired people.
        affine: (4, 4), voxel indices to RAS+ mm.
        sampling: which patches.
        unpaired: cached files of people without a target; none where the method does not learn from them.
        steps_per_epoch: between two checkpoints.
        num_workers: processes that cut patches; 0: this one.
    """

    def __init__(
        self,
        volumes: Sequence[Path],
        affine: NDArray[np.float64],
        sampling: Sampling,
        *,
        unpaired: Sequence[Path] = (),
        steps_per_epoch: int,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.volumes, self.unpaired, self.affine, self.sampling = list(volumes), list(unpaired), affine, sampling
        self.steps_per_epoch, self.num_workers = steps_per_epoch, num_workers

    def train_dataloader(self) -> DataLoader:
        """The batches from the current step on; with several devices each takes its share of them."""
        batches = self._batches(self.volumes, self.sampling.seed)
        others = self._batches(self.unpaired, self.sampling.seed + OTHER_SEED) if self.unpaired else None
        if self.num_workers:
            check_shared_memory(self.num_workers, batches.n_bytes * (1 if others is None else 2))
        start = "fork" if sys.platform == "linux" else "spawn"  # by name: a process of joblib has a way of its own
        own: dict[str, Any] = {"multiprocessing_context": start, "timeout": LOADER_S} if self.num_workers else {}
        data = batches if others is None else WithUnpaired(batches, others)
        return DataLoader(data, batch_size=None, num_workers=self.num_workers, **own)

    def _batches(self, volumes: Sequence[Path], seed: int) -> PatchBatches:
        trainer = self.trainer
        step, world = (int(trainer.lightning_module.step), trainer.world_size) if trainer else (0, 1)  # type: ignore
        return PatchBatches(
            volumes,
            self.affine,
            self.sampling.patch_size,
            self.sampling.batch_size,
            coordinates=self.sampling.coordinates,
            seed=seed,
            n_batches=self.steps_per_epoch * world,
            first=step * world,
        )
