"""How fast: training the siamese autoencoder on blocks, against a DataLoader over pre-cut patches in a plain loop.

Ours is what ``uad.train`` runs (blocks cut out of memory maps, Lightning, metrics); the library's way has its patches
cut already and in memory. Network, loss, optimiser and patches of a batch are the same. The first row is at our
precision on both sides; the second lets the plain loop keep torch's default, float32.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from steps import SHAPE, in_a_loop, under_lightning, write_controls
from table import Row
from torch.utils.data import DataLoader, TensorDataset

from synthpet.runtime.device import resolve_precision
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.fitting import PairDataModule, SiameseTraining, pair_terms
from uad.detectors.latent.representation.pairs import PairBatch, PairBatches

N_CONTROLS = 8
BATCH, TILE = 512, 7  # as AutoencoderOptions has them: patches in each of the two controls
ALPHA, LEARNING_RATE = 0.005, 1e-2
SAMPLING = {"modalities": ("t1w", "pet"), "patch_size": (15, 15, 1), "seed": 0}


def plain_step(model: SiameseAutoencoder) -> Callable[..., None]:
    """What a user would write."""
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)

    def step(batch: list[torch.Tensor], autocast: torch.autocast) -> None:
        with autocast:
            reconstruction, cosine = pair_terms(model, PairBatch(*batch))
        optimizer.zero_grad()
        (reconstruction - ALPHA * cosine).backward()
        optimizer.step()

    return step


def rows(tiny: bool = False) -> Iterator[Row]:
    """Patches a second in both precisions."""
    n_steps, repeats = (6, 1) if tiny else (30, 4)
    model = {"modalities": ["t1w", "pet"], "patch_size": [15, 15, 1], "latent_dim": 64}
    training = {"mean": [0.5, 0.5], "std": [0.3, 0.3], "alpha": ALPHA, "learning_rate": LEARNING_RATE}
    module = SiameseTraining(model=model, n_steps=10**4, seed=0, **training)
    step = plain_step(SiameseAutoencoder(**model))
    with tempfile.TemporaryDirectory() as name:
        paths = write_controls(Path(name), (30, 34, 30) if tiny else SHAPE, N_CONTROLS)
        blocks = PairDataModule(paths, steps_per_epoch=n_steps, tile=TILE, batch_size=BATCH, **SAMPLING)
        cut = PairBatches(paths, tile=1, batch_size=BATCH * n_steps, n_batches=1, **SAMPLING)[0]
        loader = DataLoader(TensorDataset(*cut), batch_size=BATCH, shuffle=True)
        times = [
            (
                under_lightning(module, blocks, n_steps, Path(name)),
                in_a_loop(step, loader, n_steps),
                in_a_loop(step, loader, n_steps, precision="32-true"),
            )
            for _ in range(repeats)
        ]
    per_block = TILE**2 * round(BATCH / TILE**2) / BATCH  # a batch of blocks holds a few patches less
    ours, same, float32 = (2 * BATCH / min(column) for column in zip(*times, strict=True))
    ours *= per_block
    precision = resolve_precision("auto", "cpu")
    for theirs, how, bar in ((same, precision, "3x"), (float32, "32-true", "-")):
        against = f"plain torch loop, DataLoader over pre-cut patches, precision {how}"
        part = f"siamese training, 15x15 patches, precision {precision}"
        yield Row(part, against, f"{ours:,.0f} patches/s", f"{theirs:,.0f} patches/s", f"{ours / theirs:.2f}x", bar)
