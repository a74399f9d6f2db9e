"""Networks as plain modules; ``spatial_dims`` is 2 or 3 and nothing else differs."""

from synthpet.generators.networks.discriminator import patch_discriminator
from synthpet.generators.networks.generator import ResidualUNet
from synthpet.generators.networks.slices import SlicesAsChannels

__all__ = ["ResidualUNet", "SlicesAsChannels", "folding", "generator", "patch_discriminator"]
