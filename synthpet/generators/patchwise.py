"""From a person's images to the missing one: overlapping patches through the generator, blended without seams."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synthpet.generators.networks.folding import fold_norms
from synthpet.generators.networks.generator import CONV, ResidualUNet, position_channels
from synthpet.generators.patches.overlap import OverlapAdd, extract, patch_origins


@dataclass(frozen=True)
class PatchCover:
    """How overlapping patches cover a volume.

    Args:
        patch_size: (pi, pj, pk), voxels.
        stride: steps between patches, voxels; the published one is 8 for patches of 32.
        sampling: further options of inference, of a generator that draws samples.
    """

    patch_size: Sequence[int]
    stride: Sequence[int]
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CoveredVolume:
    """One person's images, covered by overlapping patches; patches that hold no brain are left out.

    Args:
        channels: (C, I, J, K) sources (and coordinates), no smaller than a patch.
        brain: (1, I, J, K), 1 in the brain and 0 outside, where the generator lives.
        origins: (n, 3) lowest corners of the patches.
        patch_size: (pi, pj, pk), voxels.
        batch_size: patches at a time.
        device: where the generator lives.
    """

    channels: Tensor
    brain: Tensor
    origins: Tensor
    patch_size: Sequence[int]
    batch_size: int
    device: torch.device | str

    def blended(self, generator: Callable[[Tensor], Tensor], first: Tensor | None = None) -> Tensor:
        """What a generator makes of all patches, blended without seams: (1, I, J, K).

        Memory is one volume, whatever the stride.

        Args:
            generator: (B, C, pi, pj, pk) -> (B, 1, pi, pj, pk), on ``device``.
            first: (D, I, J, K) on ``device``, channels that it is given before the person's.
        """
        blend = OverlapAdd((1, *self.channels.shape[1:]), self.patch_size, self.device)
        for some in self.origins.split(self.batch_size):
            patches = extract(self.channels, some, self.patch_size).to(self.device)
            if first is not None:
                patches = torch.cat([extract(first, some, self.patch_size), patches], dim=1)
            blend.add(generator(patches).float(), some)
        return blend.result()


@torch.inference_mode()
def synthesise(
    generator: Callable[[Tensor], Tensor],
    sources: NDArray[np.float32],
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    cover: PatchCover,
    *,
    coordinates: bool,
    batch_size: int = 12,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Synthesise the missing image of one person.

    Args:
        generator: (B, S or S + 3, pi, pj, pk) -> (B, 1, pi, pj, pk), sources (and coordinates) to the target, in
            evaluation mode; or one with a method ``sample``, which is given a ``CoveredVolume`` and the options
            ``cover.sampling``, and returns the whole image, (1, I, J, K).
        sources: (S, I, J, K), each scaled as its modality says.
        mask: (I, J, K) brain.
        affine: (4, 4), voxel indices to RAS+ mm.
        cover: size of the patches and steps between them.
        coordinates: whether the generator is given the template coordinates.
        batch_size: patches at a time.
        device: where the generator lives.

    Returns:
        (I, J, K) in the target's unit, 0 outside the brain.
    """
    channels = torch.from_numpy(sources.astype(np.float32))
    if coordinates:
        channels = torch.cat([channels, position_channels(mask.shape, torch.from_numpy(affine))])
    channels, inside = _pad_to(channels, cover.patch_size)
    brain, _ = _pad_to(torch.from_numpy(mask)[None], cover.patch_size)
    origins = patch_origins(channels.shape[1:], cover.patch_size, cover.stride)
    origins = _origins_with_brain(brain[0], origins, cover.patch_size)
    volume = CoveredVolume(channels, brain.float().to(device), origins, cover.patch_size, batch_size, device)
    sample = getattr(generator, "sample", None)
    made = volume.blended(generator) if sample is None else sample(volume, **cover.sampling)
    return made[0].cpu()[inside].numpy() * mask


def prepare_network(generator: nn.Module, *, bf16: bool) -> nn.Module:
    """Lay a generator out for synthesis: the same numbers up to rounding, in three fifths of the time.

    Norms become part of the convolutions before them. Channels-last is what the processor's matrix units read; with
    ``bf16`` the weights are rounded once, not at every call as autocast does. The head sums and gives float32, as in
    training.

    Args:
        generator: changed in place.
        bf16: whether it will be called under autocast to bfloat16.
    """
    convolutions = tuple(CONV.values())
    for network in generator.modules():
        if not isinstance(network, ResidualUNet):
            continue
        for part in network.modules():
            if isinstance(part, nn.Sequential):
                fold_norms(part)
        network.to(memory_format=torch.channels_last_3d if network.spatial_dims == 3 else torch.channels_last)
        for part in network.modules():
            if bf16 and isinstance(part, convolutions) and part is not network.head:
                part.to(torch.bfloat16)
        if bf16:
            network.head = _Bf16Products(network.head)
    return generator


class _Bf16Products(nn.Module):
    """A float32 convolution whose factors are rounded to bfloat16; sums and results are float32."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        convolutions = torch.backends.mkldnn.conv
        before, convolutions.fp32_precision = convolutions.fp32_precision, "bf16"
        try:
            return self.conv(x)
        finally:
            convolutions.fp32_precision = before


def _pad_to(volume: Tensor, patch_size: Sequence[int]) -> tuple[Tensor, tuple[slice, ...]]:
    """Zero-pad (C, I, J, K) to at least the patch size; also where the volume lies in the padded one."""
    shape = volume.shape[1:]
    missing = [max(0, p - n) for p, n in zip(patch_size, shape, strict=True)]
    pads = [side for m in reversed(missing) for side in (m // 2, m - m // 2)]
    inside = tuple(slice(m // 2, m // 2 + n) for m, n in zip(missing, shape, strict=True))
    return functional.pad(volume, pads), inside


def _origins_with_brain(mask: Tensor, origins: Tensor, patch_size: Sequence[int]) -> Tensor:
    pi, pj, pk = patch_size
    brain = mask.numpy()
    keep = [bool(brain[i : i + pi, j : j + pj, k : k + pk].any()) for i, j, k in origins.tolist()]
    return origins[torch.tensor(keep)]
