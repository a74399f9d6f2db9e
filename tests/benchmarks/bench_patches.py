"""How fast: training patches from disk, against torchio's Queue with two workers and its SubjectsLoader.

Both draw patches of 32^3 of T1, PET and mask around voxels of the brain, mirrored half of the time, in batches of 4.
Ours also gives the template coordinates, in one process; the library reads uncompressed NIfTI files, eight patches a
volume, and is timed over an epoch of eight queues with the start of its workers.

What bounds our time: copying. A batch is 3 MB, cut out of the page cache and laid mirrored where it has to be; finding
a voxel of the brain takes 2 % of it. The library reads and transforms whole volumes and sends them between processes.
"""

import itertools
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import torchio
from steps import SHAPE, volume, write_controls
from table import Row

from synthpet.generators.patches.data import PatchBatches

BATCH, PATCH = 4, 32
N_CONTROLS, PER_VOLUME, N_WORKERS = 16, 8, 2
QUEUE, EPOCH = 64, 512  # patches


def patches_per_second(batches: Iterable, n: int) -> float:
    """Of n batches from the start: the queue has to be filled as well."""
    start = time.perf_counter()
    done = sum(1 for _ in itertools.islice(batches, n))
    return BATCH * done / (time.perf_counter() - start)


def library(folder: Path, shape: tuple[int, int, int], patch: int) -> torchio.SubjectsLoader:
    """The library's way."""
    subjects = []
    for k in range(N_CONTROLS):
        paths = [folder / f"{k}-{name}.nii" for name in ("t1w", "pet", "mask")]
        for path, image in zip(paths, volume(shape, seed=k), strict=True):
            if not path.is_file():
                nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), path)
        t1w, pet, mask = paths
        subjects.append(
            torchio.Subject(t1w=torchio.ScalarImage(t1w), pet=torchio.ScalarImage(pet), mask=torchio.LabelMap(mask))
        )
    queue = torchio.Queue(
        torchio.SubjectsDataset(
            subjects * (EPOCH // N_CONTROLS // PER_VOLUME), transform=torchio.RandomFlip(axes=0, flip_probability=0.5)
        ),
        max_length=QUEUE,
        samples_per_volume=PER_VOLUME,
        sampler=torchio.LabelSampler(patch, "mask"),
        num_workers=N_WORKERS,
    )
    return torchio.SubjectsLoader(queue, batch_size=BATCH, num_workers=0)


def rows(tiny: bool = False) -> Iterator[Row]:
    """Patches a second."""
    shape, patch, repeats = ((24, 26, 24), 8, 1) if tiny else (SHAPE, PATCH, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_controls(folder, shape, N_CONTROLS)
        n = EPOCH // BATCH
        batches = PatchBatches(paths, np.eye(4), (patch,) * 3, BATCH, coordinates=False, seed=0, n_batches=n)
        theirs = library(folder, shape, patch)
        rates = [
            (patches_per_second(map(batches.__getitem__, range(n)), n), patches_per_second(theirs, n))
            for _ in range(repeats)
        ]
    mine, other = map(max, zip(*rates, strict=True))
    against = f"torchio Queue + SubjectsLoader, {N_WORKERS} workers"
    part = f"training patches of {patch}^3 from disk"
    yield Row(part, against, f"{mine:,.0f} patches/s", f"{other:,.0f} patches/s", f"{mine / other:.1f}x", "3x")
