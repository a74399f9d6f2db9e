"""Generators by ``gan.method`` and networks by ``gan.generator.network``; a package adds its own by an entry point."""

from synthpet.runtime.registry import Registry

GENERATORS = Registry(
    "gan.method",
    "synthpet.generators",
    {
        "conditional_gan": "synthpet.generators.conditional_gan:ConditionalGAN",
        "rectified_flow": "synthpet.generators.flow:RectifiedFlow",
        "cycle_gan": "synthpet.generators.cycle_gan:CycleGAN",
    },
)
NETWORKS = Registry(
    "gan.generator.network",
    "synthpet.networks",
    {
        "residual_unet": "synthpet.generators.networks.generator:ResidualUNet",
        "swin_unetr": "synthpet.generators.networks.swin:SwinUNet",
    },
)
