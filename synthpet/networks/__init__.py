"""Networks as plain modules; ``spatial_dims`` is 2 or 3 and nothing else differs."""

from synthpet.networks.discriminator import patch_discriminator
from synthpet.networks.generator import ResidualUNet
from synthpet.networks.slices import SlicesAsChannels

__all__ = ["ResidualUNet", "SlicesAsChannels", "patch_discriminator"]
