"""How fast: a whole volume through the 3D generator, against torchio's GridSampler and GridAggregator (hann).

Same weights, precision, patch size and batches; the second row keeps the library's way at the published stride of 8.
PSNR is against the real PET of a control that the generator never saw, in the brain; the generator and the cohort are
those of ``make study``. Where there are none the weights are random, the image is a ball, and no PSNR is given.

What bounds our time, in processor milliseconds of one patch of 32^3 (AMX, one thread), 3.2 in all: convolutions in
bfloat16 1.6, at 1.4 Tflop/s, which is what the processor does on 32 channels; activations, norms and sums, which read
and write memory; cutting and blending 0.2. Norms within convolutions and a head that multiplies in bfloat16 save 0.4. A
contiguous network whose weights are cast at every call takes 5.3.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torchio
from numpy.typing import NDArray
from table import Row, faster, in_turn
from torch import nn
from torch.utils.data import DataLoader

from synthpet.cohort import Cohort, read_folds
from synthpet.generators.conditional_gan import build_generator
from synthpet.generators.patchwise import PatchCover, prepare_network, synthesise
from synthpet.generators.trained import TrainedGenerator, load_generator
from synthpet.quality.metrics import psnr
from synthpet.runtime.device import resolve_precision

STUDY = Path("outputs") / "phantom-quick"
PATCH = (32, 32, 32)
OURS, PUBLISHED = (16, 16, 16), (8, 8, 8)
BATCH = 12
DATA_RANGE = 1.57  # SUVR, as README's PSNR
CHANNELS = [32, 64, 128]  # of the random generator; configs/gan/patch3d.yaml


class Case(NamedTuple):
    """A person, (I, J, K) each, and a generator laid out as trained (``plain``) and as ``synthesise`` is given it."""

    t1w: NDArray[np.float32]
    mask: NDArray[np.bool_]
    pet: NDArray[np.float32] | None
    plain: nn.Module
    prepared: nn.Module
    bf16: bool


def trained_case() -> Case | None:
    """The first left-out control of fold 0 of the quick study; None where the study has not been made."""
    folder = STUDY / "gan-patch3d"
    generator = TrainedGenerator(folder / "fold-0")
    if not (generator.weights.is_file() and (STUDY / "cohort" / "participants.tsv").is_file()):
        return None
    cohort, person = Cohort.open(STUDY / "cohort"), read_folds(folder / "folds.json")[0].test[0]
    bf16 = generator.bf16_on("cpu")
    networks = load_generator(generator), prepare_network(load_generator(generator), bf16=bf16)
    images = cohort.load_t1w(person), cohort.load_mask(person), cohort.load(person, "pet")
    return Case(*images, *networks, bf16)


def random_case(shape: tuple[int, int, int]) -> Case:
    """A ball of noise and random weights."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    mask = sum(axis**2 for axis in axes) < 0.9
    t1w = np.random.default_rng(0).random(shape, dtype=np.float32) * mask
    torch.manual_seed(0)
    options = {"channels": CHANNELS, "blocks": 1, "stem": 2, "norm": "batch"}
    plain, same = (build_generator(3, PATCH[2], False, options).eval() for _ in range(2))
    same.load_state_dict(plain.state_dict())
    bf16 = resolve_precision("auto", "cpu").startswith("bf16")
    return Case(t1w, mask, None, plain, prepare_network(same, bf16=bf16), bf16)


def library(case: Case, stride: tuple[int, ...]) -> NDArray[np.float32]:
    """The library's way: every patch of a regular grid, blended with a Hann window."""
    subject = torchio.Subject(t1w=torchio.ScalarImage(tensor=torch.from_numpy(case.t1w)[None]))
    sampler = torchio.GridSampler(subject, PATCH, tuple(p - s for p, s in zip(PATCH, stride, strict=True)))
    aggregator = torchio.GridAggregator(sampler, overlap_mode="hann")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=case.bf16):
        for batch in DataLoader(sampler, batch_size=BATCH):
            pet = case.plain(batch["t1w"][torchio.DATA]).float()
            aggregator.add_batch(pet, batch[torchio.LOCATION])
    return aggregator.get_output_tensor()[0].numpy() * case.mask


def ours(case: Case) -> NDArray[np.float32]:
    """As ``synthpet.complete`` does it."""
    with torch.autocast("cpu", torch.bfloat16, enabled=case.bf16):
        return synthesise(
            case.prepared, case.t1w[None], case.mask, np.eye(4), PatchCover(PATCH, OURS), coordinates=False,
            batch_size=BATCH,
        )  # fmt: skip


def difference_db(case: Case, one: NDArray[np.float32], other: NDArray[np.float32]) -> str:
    """How much higher the PSNR of one is."""
    if case.pet is None:
        return "random weights, no PSNR"
    values = [psnr(found, case.pet, mask=case.mask, data_range=DATA_RANGE) for found in (one, other)]
    return f"PSNR {values[0] - values[1]:+.3f} dB"


def row(case: Case, part: str, stride: tuple[int, ...], bar: str, repeats: int) -> Row:
    """Time both, after each has run once."""
    theirs: Callable[[], NDArray[np.float32]] = lambda: library(case, stride)  # noqa: E731
    note = difference_db(case, ours(case), theirs())
    against = f"torchio GridSampler + GridAggregator (hann), stride {stride[0]}"
    return faster(part, against, *in_turn(lambda: ours(case), theirs, repeats), bar, note)


def rows(tiny: bool = False) -> Iterator[Row]:
    """Stride 16 against the same grid, and against the published stride 8."""
    case = random_case((36, 40, 36)) if tiny else trained_case() or random_case((55, 68, 59))
    repeats = 1 if tiny else 7
    yield row(case, "whole-volume synthesis, 32^3 patches, stride 16", OURS, "1.3x, within 0.05 dB", repeats)
    yield row(case, "our default blending (stride 16)", PUBLISHED, "6x, within 0.05 dB", repeats)
