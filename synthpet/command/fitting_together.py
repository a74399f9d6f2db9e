"""Whether options that are each allowed go together: patches and networks, patches and steps, latent vectors."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any


def misfits(options: Mapping[str, Any]) -> Iterator[str]:
    """What does not go together, in words; each option is allowed by itself.

    Args:
        options: value by name with dots.
    """
    counts = [f"cohort.n_{role}" for role in ("paired", "unpaired", "heldout", "patients")]
    if counts[0] in options and not any(options.get(key) for key in counts):
        yield f"{', '.join(f'{key}=0' for key in counts)}: expected somebody"
    modalities = options.get("cohort.modalities")
    if modalities and not {"t1w", "pet"} <= set(modalities):
        yield f"cohort.modalities={modalities}: expected t1w and pet among them; flair is the one to ask for"
    sources, target = options.get("gan.sources", []), options.get("gan.target", "pet")
    if target in sources or len(set(sources)) < len(sources):
        yield f"gan.sources={sources} gan.target={target}: expected each once; a generator makes what it is not given"
    if "gan.name" in options:
        yield from _of_patches(options)
    if "detector.autoencoder.latent_dim" in options:
        yield from _of_latents(options)


def _of_patches(options: Mapping[str, Any]) -> Iterator[str]:
    gan = {key.removeprefix("gan."): value for key, value in options.items() if key.startswith("gan.")}
    size, stride = gan["patch_size"], gan["stride"]
    if any(step > edge for step, edge in zip(stride, size, strict=True)):
        yield f"gan.stride={stride}: expected at most gan.patch_size={size}, each; voxels between patches have no PET"
    if gan.get("generator.network") == "swin_unetr":
        yield from _of_transformer(gan)
    elif "generator.channels" in gan:  # else a network of a package, which judges its own options
        yield from _of_network(gan)
    if gan.get("lambda_adversarial", 0) == 0:
        return
    layers = gan["discriminator.layers"]
    seen = size[: gan["spatial_dims"]]
    smallest = 3 * 2**layers
    if min(seen) < smallest:
        yield (
            f"gan.patch_size={size}: expected {smallest} or more for gan.discriminator.layers={layers}, each; or fewer "
            "layers, or gan=unet3d, which has no discriminator"
        )


def _of_network(gan: Mapping[str, Any]) -> Iterator[str]:
    size = gan["patch_size"]
    channels, stem, norm = (gan[f"generator.{key}"] for key in ("channels", "stem", "norm"))
    divisor = stem * 2 ** (len(channels) - 1)
    seen = size[: gan["spatial_dims"]]  # of slices as channels the third axis is no axis of the network
    if any(edge % divisor for edge in seen):
        axes = "each" if len(seen) == 3 else "the first two"
        yield (
            f"gan.patch_size={size}: expected multiples of {divisor}, {axes}: gan.generator.stem={stem} and "
            f"{len(channels)} levels (gan.generator.channels={channels}) halve them to whole numbers"
        )
    elif prod(edge // divisor for edge in seen) * (gan["batch_size"] if norm == "batch" else 1) == 1 and norm != "none":
        yield (
            f"gan.patch_size={size}: one voxel is left at the lowest level, which gan.generator.norm={norm} cannot "
            "normalise; expected larger patches"
            + (", gan.batch_size=2 or more," if norm == "batch" else "")
            + " or none"
        )
    if norm == "group" and any(width % min(8, width) for width in channels):
        yield f"gan.generator.channels={channels}: expected multiples of 8 with gan.generator.norm=group, each above 8"


def _of_transformer(gan: Mapping[str, Any]) -> Iterator[str]:
    size, width = gan["patch_size"], gan.get("generator.feature_size", 12)
    if any(edge % 32 for edge in size[: gan["spatial_dims"]]):
        axes = "each" if gan["spatial_dims"] == 3 else "the first two"
        yield f"gan.patch_size={size}: expected multiples of 32, {axes}: swin_unetr halves them five times"
    if width % 12:
        yield f"gan.generator.feature_size={width}: expected a multiple of 12: swin_unetr has 3, 6, 12 and 24 heads"


def _of_latents(options: Mapping[str, Any]) -> Iterator[str]:
    detector = {key.removeprefix("detector."): value for key, value in options.items() if key.startswith("detector.")}
    modalities, dimension = detector.get("autoencoder.modalities"), detector.get("autoencoder.latent_dim")
    if detector.get("autoencoder.branches") == "separate" and modalities and dimension and dimension % len(modalities):
        yield (
            f"detector.autoencoder.latent_dim={dimension}: expected a multiple of {len(modalities)}, one share for "
            f"each of detector.autoencoder.modalities={modalities}"
        )
    if detector.get("method") == "latent_zmap" and detector.get("n_directions") is None:
        yield "detector.n_directions=null: expected 1 with detector.method=latent_zmap"
    if detector.get("score_every", 1) > 1 and not detector.get("pool_fwhm_mm"):
        yield "detector.pool_fwhm_mm=0: expected more to fill in what detector.score_every leaves out, or score_every=1"
