"""Latent vectors of every voxel of a volume: the encoder as a dense convolution, slab by slab."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from synthpet.errors import DataError
from synthpet.generators.networks.folding import fold_norms
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder

SLAB = 4  # slices computed together where patches are flat; more only cost memory traffic


@torch.inference_mode()
def dense_latents(
    model: SiameseAutoencoder, volume: NDArray[np.float32], mask: NDArray[np.bool_], *, slab: int | None = None
) -> NDArray[np.float32]:
    """The latent vector of the patch around each voxel of a mask.

    The overlap of neighbouring patches is computed once. Outside the volume the image is zero, as in training.

    Args:
        model: in evaluation mode; computes on its own device.
        volume: (C, I, J, K) in image units: the model's modalities, then whatever else.
        mask: (I, J, K), where latent vectors are wanted.
        slab: transverse slices computed together; memory grows with it. None: 4, and more where patches are thick, so
            that neighbours do not share most of their work.

    Returns:
        (number of voxels, d) float32, voxels in the C order of the mask.

    Raises:
        DataError: volume and mask are not on one grid.
    """
    check_grid(volume, mask)
    model, device = fused(model), model.mean.device
    image = volume[: len(model.modalities)]
    rows = np.cumsum(mask.ravel()).reshape(mask.shape) - 1  # of the result, by voxel
    latents = np.empty((int(mask.sum()), model.latent_dim), dtype=np.float32)
    with torch.backends.cudnn.flags(allow_tf32=False):  # TF32 has 10 bits: too few for equal results across devices
        for box in boxes(mask, slab or SLAB + model.patch_size[2] - 1):
            block = torch.from_numpy(padded(image, box, model.patch_size)).to(device)
            z = model.encode(model.standardise(block[None]))[0].movedim(0, -1)  # (bi, bj, bk, d)
            inside = torch.from_numpy(mask[box]).to(device)
            latents[rows[box][mask[box]]] = z[inside].cpu().numpy()
    return latents


def fused(model: SiameseAutoencoder) -> SiameseAutoencoder:
    """A copy whose encoders have each batch norm folded into the convolution before it: one pass over memory less."""
    model = copy.deepcopy(model)
    for encoder in model.encoders:
        fold_norms(encoder)
    return model


def boxes(mask: NDArray[np.bool_], slab: int) -> Iterator[tuple[slice, slice, slice]]:
    """The bounding box of the mask in each slab of slices that it reaches."""
    for start in range(0, mask.shape[2], slab):
        within = mask[:, :, start : start + slab]
        if within.any():
            extents = [np.flatnonzero(within.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
            i, j, k = (slice(int(e[0]), int(e[-1]) + 1) for e in extents)
            yield i, j, slice(k.start + start, k.stop + start)


def padded(
    image: NDArray[np.float32], box: tuple[slice, slice, slice], patch_size: tuple[int, ...]
) -> NDArray[np.float32]:
    """A box with half a patch around it, zero outside the image: (C, bi + pi - 1, bj + pj - 1, bk + pk - 1)."""
    where, widths = [slice(None)], [(0, 0)]
    for b, p, n in zip(box, patch_size, image.shape[1:], strict=True):
        low, high = b.start - p // 2, b.stop + p // 2
        where.append(slice(max(0, low), min(n, high)))
        widths.append((max(0, -low), max(0, high - n)))
    return np.pad(image[tuple(where)], widths)


def check_grid(volume: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Refuse a mask of another grid."""
    if volume.ndim != 4 or volume.shape[1:] != mask.shape:
        raise DataError(
            f"latent vectors: found a volume of shape {volume.shape} and a mask of shape {mask.shape}; expected "
            "(C, I, J, K) and (I, J, K) on one grid"
        )
