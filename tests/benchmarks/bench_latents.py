"""How fast: the latent vector of every brain voxel by one dense convolution, against patch after patch in batches.

Same weights, float32 on both sides; the patches are cut by an indexed view, of a sample of the voxels, and their time
is scaled to all of them.

What bounds our time: the multiplications, 67 000 a voxel where a patch of its own takes 850 000, and half as many again
for voxels outside the brain, as the box of each slab is computed. Convolutions are 80 % of the time and run at 110 to
170 Gflop/s a core, which is what AVX-512 does in float32. Tiles within the box cost in their borders what they save
outside the brain; bfloat16 is equal to 1e-2 only, and split into high and low parts it is slower than float32.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from steps import SHAPE, volume
from table import Row, faster, in_turn

from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.latents import dense_latents

BATCH = 4096
SHARE = 0.1  # of the voxels that go patch by patch


@torch.inference_mode()
def patch_by_patch(
    model: SiameseAutoencoder, image: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(number of voxels, d), voxels in the C order of the mask."""
    half = [(0, 0), *((size // 2, size // 2) for size in model.patch_size)]
    patches = torch.from_numpy(np.pad(image[:2], half))
    for axis, size in enumerate(model.patch_size):
        patches = patches.unfold(1 + axis, size, 1)  # (C, I, J, K, pi, pj, pk), a view
    parts = []
    for i, j, k in (voxels.T for voxels in torch.from_numpy(np.argwhere(mask)).split(BATCH)):
        batch = patches[:, i, j, k].movedim(0, 1)  # (n, C, pi, pj, pk)
        parts.append(model.encode(model.standardise(batch)).flatten(1).numpy())
    return np.concatenate(parts)


def row(patch_size: tuple[int, int, int], latent_dim: int, bar: str, tiny: bool) -> Row:
    """Time both; the patches of a sample of the voxels."""
    shape = (24, 26, 22) if tiny else SHAPE
    torch.manual_seed(0)
    model = SiameseAutoencoder(patch_size=patch_size, latent_dim=latent_dim).eval()
    image = volume(shape, seed=0)
    mask = image[-1] > 0
    few = mask & (np.random.default_rng(1).random(shape) < SHARE)
    latents = dense_latents(model, image, mask)
    difference = np.abs(latents[few[mask]] - patch_by_patch(model, image, few)).max() / latents.std()
    ours, theirs = in_turn(
        lambda: dense_latents(model, image, mask), lambda: patch_by_patch(model, image, few), 1 if tiny else 5
    )
    size = "x".join(map(str, patch_size))
    part = f"dense latents, {size} patches, d = {latent_dim}, {mask.sum():,} voxels"
    note = f"difference {difference:.0e} of their sd"
    return faster(part, "patch by patch in batches", ours, theirs / few.sum() * mask.sum(), bar, note)


def rows(tiny: bool = False) -> Iterator[Row]:
    """In-plane patches as published, and those of the default detector."""
    yield row((15, 15, 1), 64, "20x, equal to 1e-5", tiny)
    yield row((5, 5, 5), 32, "-", tiny)
