"""How fast: dense latents against patch by patch, and training on blocks against a DataLoader over pre-cut patches.

Run as ``python tests/benchmarks/bench_latents.py [--fast]``; the two sides of a ratio use the same
network and cores; training is
compared with float32 and with the precision that ``auto`` chooses. ``--fast`` takes a small volume.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset

from synthpet.console import say
from synthpet.device import resolve_precision
from uad.representation.autoencoder import SiameseAutoencoder
from uad.representation.fitting import pair_terms
from uad.representation.latents import dense_latents, patchwise_latents
from uad.representation.pairs import PairBatch, PairBatches

N_CONTROLS = 8
BATCH = 512  # patches in each of the two controls
ALPHA = 0.005


def volume(shape: tuple[int, int, int], seed: int) -> NDArray[np.float32]:
    """(3, I, J, K): noise within an ellipsoid that fills the grid, as a brain does its bounding box."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    mask = sum(axis**2 for axis in axes) < 0.95
    images = np.random.default_rng(seed).standard_normal((2, *shape), dtype=np.float32)
    return np.stack([*(images * mask), mask]).astype(np.float32)


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare_latents(
    patch_size: tuple[int, int, int], latent_dim: int, shape: tuple[int, int, int], share: float = 0.1
) -> str:
    """One row: microseconds per voxel of both, ratio, largest difference; patch by patch on a share of the voxels."""
    model = SiameseAutoencoder(patch_size=patch_size, latent_dim=latent_dim).eval()
    image = volume(shape, seed=0)
    mask = image[-1] > 0
    few = mask & (np.random.default_rng(1).random(shape) < share)
    dense_latents(model, image, few)  # warm
    dense = min(seconds(lambda: dense_latents(model, image, mask)) for _ in range(3))
    patchwise = min(seconds(lambda: patchwise_latents(model, image, few)) for _ in range(2)) / few.sum() * mask.sum()
    difference = np.abs(dense_latents(model, image, mask)[few[mask]] - patchwise_latents(model, image, few)).max()
    return (
        f"{patch_size!s:12} d {latent_dim:3d} {mask.sum():9,} voxels  patch by patch {patchwise:7.2f} s  dense "
        f"{dense:6.2f} s  ratio {patchwise / dense:5.1f}x  largest difference {difference:.1e}"
    )


def train(model: SiameseAutoencoder, batches: DataLoader, n_patches: int, precision: str) -> float:
    """Patches a second of a plain training loop, data included."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    start, done = time.perf_counter(), 0
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision.startswith("bf16")):
            reconstruction, cosine = pair_terms(model, PairBatch(*batch))
        optimizer.zero_grad()
        (reconstruction - ALPHA * cosine).backward()
        optimizer.step()
        done += 2 * int(batch[2].sum())
        if done >= n_patches:
            break
    return done / (time.perf_counter() - start)


def compare_training(shape: tuple[int, int, int], n_patches: int, decoder: str) -> str:
    """One row: patches a second from pre-cut patches in a DataLoader, and from blocks cut out of memory maps."""
    precision = resolve_precision("auto", "cpu")
    options = {"modalities": ("t1w", "pet"), "patch_size": (15, 15, 1), "seed": 0, "n_batches": 10**6}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"control-{k}.npy" for k in range(N_CONTROLS)]
        for k, path in enumerate(paths):
            np.save(path, volume(shape, seed=k))
        cut = PairBatches(paths, tile=1, batch_size=n_patches // 2, **options)[0]
        loaders = {
            "pre-cut float32": DataLoader(TensorDataset(*cut), batch_size=BATCH, shuffle=True),
            "pre-cut": DataLoader(TensorDataset(*cut), batch_size=BATCH, shuffle=True),
            "blocks": DataLoader(PairBatches(paths, tile=7, batch_size=BATCH, **options), batch_size=None),
        }
        rate = {
            name: train(
                SiameseAutoencoder(decoder=decoder), loader, n_patches, "32-true" if "float32" in name else precision
            )
            for name, loader in loaders.items()
        }
    return (
        f"training, {decoder} decoder, patches/s: pre-cut float32 {rate['pre-cut float32']:,.0f}, pre-cut {precision} "
        f"{rate['pre-cut']:,.0f}, blocks {precision} {rate['blocks']:,.0f}: ratio "
        f"{rate['blocks'] / rate['pre-cut float32']:.1f}x and {rate['blocks'] / rate['pre-cut']:.1f}x"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="a small volume and few patches")
    fast = parser.parse_args().fast
    shape, n_patches = ((54, 66, 57), 16_384) if fast else ((76, 94, 79), 65_536)
    for patch_size, latent_dim in (((15, 15, 1), 64), ((15, 15, 1), 32), ((7, 7, 7), 32)):
        say(compare_latents(patch_size, latent_dim, shape))
    for decoder in ("perceptron", "convolutional"):
        say(compare_training(shape, n_patches, decoder))


if __name__ == "__main__":
    main()
