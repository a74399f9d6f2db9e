"""Trained generators on disk: safetensors and YAML, so that loading one runs no code.

Torch and Lightning are imported where a network is needed: most commands only ask whether its file is up to date.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import sha256, write_bytes, write_json
from synthpet.cohort.images import voxel_digest
from synthpet.cohort.manifest import Manifest
from synthpet.cohort.scan import Scan
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError
from synthpet.generators.options import SAMPLING, SOURCES, TARGET
from synthpet.generators.registry import GENERATORS
from synthpet.learning.model_files import load_network, plain_yaml
from synthpet.runtime.device import resolve_precision

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "generator.safetensors"
CONFIG = "config.yaml"
SEEN = "seen.json"
INFERENCE = "inference.json"
MAX_PATCH_VOXELS = 2**25
MOST_DRAWN = 1000  # samples of a person, and steps of a sample


@dataclass(frozen=True)
class TrainedGenerator:
    """One fold's generator.

    Args:
        folder: holds ``generator.safetensors`` and ``config.yaml``.
    """

    folder: Path

    @property
    def weights(self) -> Path:
        """The weights' file."""
        return self.folder / WEIGHTS

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the weights' file."""
        return sha256(self.weights)

    def check(self) -> None:
        """Hold the files to the SHA-256 that its training wrote down.

        Raises:
            DataError: weights or options are not those of the training.
        """
        Manifest.read(self.folder).check(only=(WEIGHTS, CONFIG))

    @cached_property
    def config(self) -> dict[str, Any]:
        """What it was trained with: ``gan`` options, precision, seed, fold and training subjects."""
        found = plain_yaml(self.folder / CONFIG)
        wrong = [key for key in ("gan", "precision") if not isinstance(found, dict) or key not in found]
        if wrong:
            raise DataError(f"E_MODEL {self.folder / CONFIG}: no {', '.join(wrong)}; expected a trained generator")
        return found

    @property
    def gan(self) -> dict[str, Any]:
        """The ``gan`` options."""
        return self.config["gan"]

    @property
    def name(self) -> str:
        """What its configuration called it; else its folder."""
        return str(self.gan.get("name") or self.folder.parent.name)

    @property
    def sources(self) -> tuple[str, ...]:
        """Modalities that it is given."""
        return tuple(map(str, self.gan.get("sources", SOURCES)))

    @property
    def target(self) -> str:
        """The modality that it makes of them."""
        return str(self.gan.get("target", TARGET))

    @property
    def patch_size(self) -> tuple[int, int, int]:
        """(pi, pj, pk), voxels.

        Raises:
            DataError: they are no three whole numbers, or more than memory holds.
        """
        return self._of_voxels(self.gan.get("patch_size"), CONFIG)

    @property
    def stride(self) -> tuple[int, int, int] | None:
        """Steps between the patches of inference, as its training had them; None: a version that did not say.

        Raises:
            DataError: as ``patch_size``.
        """
        path = self.folder / INFERENCE
        return self._of_voxels(read_json_object(path).get("stride"), INFERENCE) if path.exists() else None

    @property
    def sampling(self) -> dict[str, Any]:
        """How samples are drawn, as its training had it; empty for a generator that draws none.

        Raises:
            DataError: not such numbers.
        """
        path = self.folder / INFERENCE
        found = read_json_object(path) if path.exists() else {}
        drawn = {key: found[key] for key in SAMPLING if key in found}
        kinds = {key: (int, float) if key == "shift" else int for key in drawn}
        if any(not isinstance(n, kinds[key]) or not 0 < n <= MOST_DRAWN for key, n in drawn.items()):
            raise DataError(f"E_MODEL {path}: found {drawn}; expected numbers above 0, {MOST_DRAWN} at most")
        return drawn

    def _of_voxels(self, size: Any, file: str) -> tuple[int, int, int]:
        if not _is_patch(size):
            raise DataError(f"E_MODEL {self.folder / file}: found {size!r}; expected three numbers of voxels")
        return size[0], size[1], size[2]

    def bf16_on(self, device: str) -> bool:
        """Whether it computes in bfloat16 there: it was trained so, and the hardware is fast at it."""
        trained_so = self.config["precision"].startswith("bf16")
        return trained_so and resolve_precision("auto", device).startswith("bf16")

    def synthesise(
        self,
        scan: Scan,
        affine: NDArray[np.float64],
        *,
        stride: Sequence[int],
        batch_size: int,
        device: str = "cpu",
        **sampling: Any,
    ) -> NDArray[np.float32]:
        """The target of one person from its sources.

        Args:
            scan: holds the sources.
            affine: (4, 4), voxel indices to RAS+ mm.
            stride: steps between patches, voxels.
            batch_size: patches at a time.
            device: where it computes.
            sampling: options of a generator that draws samples; where they are not given, those of its training.

        Returns:
            (I, J, K) float32 in the target's unit, 0 outside the brain.

        Raises:
            DataError: the person lacks a source, or the generator cannot be used.
        """
        import torch

        from synthpet.generators.patchwise import PatchCover, synthesise

        with torch.autocast(device, torch.bfloat16, enabled=self.bf16_on(device)):
            return synthesise(
                _load(self, self.sha256, device),
                scan.stacked(self.sources),
                scan.mask,
                affine,
                PatchCover(self.patch_size, stride, sampling or self.sampling),
                coordinates=self.gan["coordinates"],
                batch_size=batch_size,
                device=device,
            )


@lru_cache(maxsize=16)
def _load(generator: TrainedGenerator, sha256: str, device: str) -> "nn.Module":
    from synthpet.generators.patchwise import prepare_network

    return prepare_network(load_generator(generator).to(device), bf16=generator.bf16_on(device))


def load_generator(generator: TrainedGenerator) -> "nn.Module":
    """The network with its weights, in evaluation mode.

    Raises:
        DataError: the weights do not belong to the configuration beside them, or either cannot be read.
    """
    generator.check()
    gan, method = generator.gan, generator.gan.get("method", "conditional_gan")
    if not isinstance(gan.get("coordinates"), bool) or not generator.patch_size:
        raise DataError(f"E_MODEL {generator.folder / CONFIG}: found {gan}; expected options of a generator")
    deciding = {key: value for key, value in gan.items() if not key.endswith("steps")}  # on what is built
    return load_network(lambda: GENERATORS.load(method).build(gan), generator.weights, deciding)


def _is_patch(size: Any) -> bool:
    """Three numbers of voxels, together no more than memory holds."""
    whole = isinstance(size, list) and len(size) == 3 and all(isinstance(n, int) and n > 0 for n in size)
    return whole and math.prod(size) <= MAX_PATCH_VOXELS


def write_seen(folder: Path, images: Sequence[Path]) -> Path:
    """Write ``seen.json``: the training images by their voxels, so that they are known again in any other file."""
    return write_json(folder / SEEN, {"voxels": sorted({voxel_digest(path) for path in images})})


def seen_voxels(folder: Path) -> set[str]:
    """What ``write_seen`` wrote; empty for generators of versions that did not.

    Raises:
        DataError: another file.
    """
    if not (folder / SEEN).exists():
        return set()
    voxels = read_json_object(folder / SEEN).get("voxels")
    if not isinstance(voxels, list):
        raise DataError(f"E_MODEL {folder / SEEN}: no list of voxels; expected one as a training writes it")
    return set(map(str, voxels))


def write_inference(folder: Path, stride: Sequence[int], sampling: Mapping[str, Any]) -> Path:
    """Write ``inference.json``: what using the generator asks for, beside what determined its training."""
    return write_json(folder / INFERENCE, {"stride": list(stride), **sampling})


def save_generator(network: "nn.Module", folder: Path) -> Path:
    """Write a network's weights as safetensors, whole or not at all.

    Raises:
        TrainingError: a weight is not finite.
        DiskError: the disk refused.
    """
    from safetensors.torch import save

    from synthpet.learning.checkpoints import check_finite

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    check_finite(state, str(folder))
    return write_bytes(folder / WEIGHTS, save(state))
