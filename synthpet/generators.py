"""Trained generators on disk: safetensors and YAML, so that loading one runs no code.

Torch and Lightning are imported where a network is needed: most commands only ask whether its file is up to date.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from synthpet.cohort.files import sha256
from synthpet.errors import DataError

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "generator.safetensors"
CONFIG = "config.yaml"


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

    @cached_property
    def config(self) -> dict[str, Any]:
        """What it was trained with: ``gan`` options, precision, seed, fold and training subjects."""
        if not (self.folder / CONFIG).is_file():
            raise DataError(f"E_MODEL {self.folder}: no {CONFIG}; expected a trained generator (`synthpet.train`)")
        return OmegaConf.to_container(OmegaConf.load(self.folder / CONFIG))  # type: ignore[return-value]

    @property
    def gan(self) -> dict[str, Any]:
        """The ``gan`` options."""
        return self.config["gan"]

    @property
    def bf16(self) -> bool:
        """Whether it was trained, and computes, in bfloat16."""
        return self.config["precision"].startswith("bf16")

    def synthesise(
        self,
        t1w: NDArray[np.float32],
        mask: NDArray[np.bool_],
        affine: NDArray[np.float64],
        *,
        stride: Sequence[int],
        batch_size: int,
        device: str = "cpu",
    ) -> NDArray[np.float32]:
        """The PET of one subject in SUVR, (I, J, K); arguments as ``inference.synthesise``."""
        import torch

        from synthpet.inference import synthesise

        with torch.autocast(device, torch.bfloat16, enabled=self.bf16):
            return synthesise(
                _load(self, self.sha256, device),
                t1w,
                mask,
                affine,
                patch_size=self.gan["patch_size"],
                stride=stride,
                coordinates=self.gan["coordinates"],
                batch_size=batch_size,
                device=device,
            )


@lru_cache(maxsize=16)
def _load(generator: TrainedGenerator, sha256: str, device: str) -> "nn.Module":
    from synthpet.inference import prepare_network

    return prepare_network(load_generator(generator).to(device), bf16=generator.bf16)


def load_generator(generator: TrainedGenerator) -> "nn.Module":
    """The network with its weights, in evaluation mode.

    Raises:
        DataError: the weights do not belong to the configuration beside them.
    """
    from safetensors.torch import load_file

    from synthpet.gan import build_generator

    gan = generator.gan
    network = build_generator(gan["spatial_dims"], gan["patch_size"][2], gan["coordinates"], gan["generator"])
    try:
        network.load_state_dict(load_file(generator.weights))
    except (RuntimeError, OSError) as error:
        raise DataError(f"E_MODEL {generator.weights}: does not fit {CONFIG} beside it ({error})") from error
    return network.eval()


def save_generator(network: "nn.Module", folder: Path) -> Path:
    """Write a network's weights as safetensors, whole or not at all."""
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    temporary = folder / f".partial-{WEIGHTS}"
    save_file(state, temporary)
    temporary.replace(folder / WEIGHTS)
    return folder / WEIGHTS
