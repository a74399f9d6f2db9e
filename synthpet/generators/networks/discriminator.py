"""The discriminator: MONAI's PatchGAN on (sources, target)."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchScores(nn.Module):
    """A PatchGAN that returns its map of scores only (MONAI returns every layer's features as well)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to a (B, 1, ...) map of scores, one for each overlapping receptive field."""
        return self.network(x)[-1]


def patch_discriminator(
    spatial_dims: int, in_channels: int, *, channels: int, layers: int, norm: str, spectral: bool
) -> nn.Module:
    """A PatchGAN (Isola 2017).

    Args:
        spatial_dims: 2 or 3.
        in_channels: of sources and target together.
        channels: width of the first layer; doubled by each further one.
        layers: strided layers.
        norm: ``batch``, ``instance`` or ``none``.
        spectral: whether convolutions are spectrally normalised (Miyato 2018).
    """
    from monai.networks.nets import PatchDiscriminator

    network = PatchDiscriminator(
        spatial_dims, channels, in_channels, num_layers_d=layers, norm=None if norm == "none" else norm.upper()
    )
    if spectral:
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                spectral_norm(module)
    return PatchScores(network)
