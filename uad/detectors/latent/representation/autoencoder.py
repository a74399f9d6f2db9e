"""The siamese autoencoder's network: a patch of T1 and PET to one latent vector, and back.

The encoder is a stack of valid convolutions whose receptive field is exactly the patch, without padding or pooling, so
a patch gives one latent vector and a larger block gives the latent vector of every patch inside it.

Source: form after Alaverdyan et al. 2020 and Pinon et al. 2023 (no pooling, GELU, batch norm).
Not in the paper: number and width of the layers, the perceptron as decoder, separate branches for T1 and PET.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from synthpet.cohort.modality import modality_names
from synthpet.errors import UsageError
from synthpet.generators.networks.generator import CONV, NORM

CONV_TRANSPOSE = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
HIDDEN = 128  # units of the perceptron that decodes


class SiameseAutoencoder(nn.Module):
    """Encode and decode patches; the two patches of a pair pass through the same weights.

    Args:
        modalities: names of the images, such as ``t1w`` and ``pet``, in the order of a volume's channels.
        patch_size: (pi, pj, pk), odd numbers of voxels; pk = 1 makes the convolutions two-dimensional (transverse).
        latent_dim: d, length of the latent vector.
        channels: width of each hidden layer; there is one convolution more.
        branches: ``joint``, or ``separate``: each modality has an encoder and a decoder of its own with an equal share
            of the latent vector, T1 first.
        decoder: ``perceptron`` (one hidden layer, many times faster) or ``convolutional`` (the encoder mirrored).

    Raises:
        UsageError: options that do not go together.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        modalities: Sequence[str] = ("t1w", "pet"),
        patch_size: Sequence[int] = (15, 15, 1),
        latent_dim: int = 64,
        channels: Sequence[int] = (16, 24, 48),
        branches: str = "joint",
        decoder: str = "perceptron",
    ) -> None:
        super().__init__()
        _check(modalities, patch_size, latent_dim, channels, branches, decoder)
        self.modalities, self.patch_size = tuple(modalities), tuple(patch_size)
        self.latent_dim, self.channels = latent_dim, tuple(channels)
        self.branches, self.decoder = branches, decoder
        groups = [len(modalities)] if branches == "joint" else [1] * len(modalities)
        d = latent_dim // len(groups)
        self.encoders = nn.ModuleList(build_encoder(n, d, self.patch_size, self.channels) for n in groups)
        build = build_perceptron if decoder == "perceptron" else build_mirror
        self.decoders = nn.ModuleList(build(n, d, self.patch_size, self.channels) for n in groups)
        self.register_buffer("mean", torch.zeros(len(modalities)))
        self.register_buffer("std", torch.ones(len(modalities)))
        if self.spatial_dims == 2:
            self.to(memory_format=torch.channels_last)

    @property
    def spatial_dims(self) -> int:
        """2 where a patch is one slice thick, otherwise 3."""
        return 2 if self.patch_size[2] == 1 else 3

    @property
    def options(self) -> dict[str, object]:
        """The constructor's arguments as plain values."""
        return {
            "modalities": list(self.modalities),
            "patch_size": list(self.patch_size),
            "latent_dim": self.latent_dim,
            "channels": list(self.channels),
            "branches": self.branches,
            "decoder": self.decoder,
        }

    def standardise(self, x: Tensor) -> Tensor:
        """(B, C, I, J, K) in image units to mean 0 and variance 1 over the brains of the training set."""
        shape = (1, -1, 1, 1, 1)
        return (x - self.mean.view(shape)) / self.std.view(shape)

    def encode(self, x: Tensor) -> Tensor:
        """Latent vectors of all patches inside standardised blocks.

        (B, C, I, J, K) to (B, d, I - pi + 1, J - pj + 1, K - pk + 1); a patch gives (B, d, 1, 1, 1).
        """
        if self.spatial_dims == 3:
            return _apply(self.encoders, x)
        z = _apply(self.encoders, x.movedim(4, 1).flatten(0, 1))  # (B * K, d, I', J')
        return z.unflatten(0, (x.shape[0], -1)).movedim(1, 4)  # (B, d, I', J', K)

    def decode(self, z: Tensor) -> Tensor:
        """(n, d) latent vectors to (n, C, pi, pj, pk) standardised patches."""
        x = _apply(self.decoders, z)
        return x.reshape(len(z), -1, *self.patch_size)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """(n, C, pi, pj, pk) patches in image units to their latent vectors (n, d) and standardised reconstructions."""
        z = self.encode(self.standardise(patches)).flatten(1)
        return z, self.decode(z)


def _apply(branches: nn.ModuleList, x: Tensor) -> Tensor:
    """Give each branch its share of the channels (dimension 1) and join the results."""
    if len(branches) == 1:
        return branches[0](x)
    parts = x.chunk(len(branches), dim=1)
    return torch.cat([branch(part) for branch, part in zip(branches, parts, strict=True)], dim=1)


def _check(
    modalities: Sequence[str],
    patch_size: Sequence[int],
    latent_dim: int,
    channels: Sequence[int],
    branches: str,
    decoder: str,
) -> None:
    unknown = [name for name in modalities if name.partition("_")[0] not in modality_names()]
    known = ", ".join(modality_names())
    wrong = [
        (not modalities or unknown, f"modalities {list(modalities)}: expected some of {known}"),
        (
            len(patch_size) != 3 or any(n < 1 or n % 2 == 0 for n in patch_size),
            f"patch_size {list(patch_size)}: expected three odd numbers of voxels, so that a patch has a centre",
        ),
        (branches not in ("joint", "separate"), f"branches {branches!r}: expected joint or separate"),
        (decoder not in ("perceptron", "convolutional"), f"decoder {decoder!r}: expected perceptron or convolutional"),
        (
            branches == "separate" and latent_dim % max(1, len(modalities)),
            f"latent_dim {latent_dim}: cannot be shared equally among {len(modalities)} separate branches",
        ),
        (not channels, "channels: expected the width of at least one hidden layer"),
    ]
    for is_wrong, message in wrong:
        if is_wrong:
            raise UsageError(f"representation: {message}")


def kernel_sizes(n: int, n_layers: int) -> list[int]:
    """Odd kernels of ``n_layers`` valid convolutions that take n voxels to one, larger ones first.

    >>> kernel_sizes(15, 4)
    [5, 5, 5, 3]
    """
    each, more = divmod((n - 1) // 2, n_layers)
    return [1 + 2 * (each + (layer < more)) for layer in range(n_layers)]


def layer_kernels(patch_size: Sequence[int], n_layers: int) -> list[tuple[int, ...]]:
    """The kernel of each layer along the axes that are convolved: two where the patch is one slice thick."""
    axes = patch_size[:2] if patch_size[2] == 1 else patch_size
    return list(zip(*(kernel_sizes(n, n_layers) for n in axes), strict=True))


def build_encoder(n_modalities: int, latent_dim: int, patch_size: Sequence[int], channels: Sequence[int]) -> nn.Module:
    """(B, C, ...) to (B, d, ...), each axis shorter by the patch's size less one."""
    widths = (n_modalities, *channels, latent_dim)
    return _stack(CONV, widths, layer_kernels(patch_size, len(widths) - 1))


def build_mirror(n_modalities: int, latent_dim: int, patch_size: Sequence[int], channels: Sequence[int]) -> nn.Module:
    """(n, d) to (n, C, pi, pj[, pk]) by transposed convolutions, the encoder's layers in reverse."""
    widths = (n_modalities, *channels, latent_dim)[::-1]
    kernels = layer_kernels(patch_size, len(widths) - 1)[::-1]
    unflatten = nn.Unflatten(1, (latent_dim, *[1] * len(kernels[0])))
    return nn.Sequential(unflatten, *_stack(CONV_TRANSPOSE, widths, kernels))


def build_perceptron(
    n_modalities: int, latent_dim: int, patch_size: Sequence[int], channels: Sequence[int]
) -> nn.Module:
    """(n, d) to (n, C * pi * pj * pk)."""
    n_voxels = n_modalities * math.prod(patch_size)
    return nn.Sequential(nn.Linear(latent_dim, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, n_voxels))


def _stack(
    convolution: dict[int, type[nn.Module]], widths: Sequence[int], kernels: Sequence[tuple[int, ...]]
) -> nn.Sequential:
    """Convolutions with batch norm and GELU between them, none after the last."""
    d = len(kernels[0])
    layers: list[nn.Module] = []
    for (before, after), kernel in zip(pairwise(widths), kernels, strict=True):
        layers += [convolution[d](before, after, kernel), NORM["batch"][d](after), nn.GELU()]
    return nn.Sequential(*layers[:-2])
