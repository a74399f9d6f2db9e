"""A trained autoencoder on disk: safetensors and JSON, so that loading one runs no code."""

import json
from pathlib import Path

from safetensors.torch import save

from synthpet.cohort.files import write_bytes
from synthpet.errors import DataError, UsageError
from synthpet.learning.model_files import load_network, read_options
from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder

WEIGHTS = "autoencoder.safetensors"
CONFIG = "autoencoder.json"
REPORT = "representation.json"


def save_autoencoder(model: SiameseAutoencoder, folder: Path) -> Path:
    """Write the weights; ``autoencoder.json`` beside them holds the options, from ``fit_autoencoder``."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    return write_bytes(folder / WEIGHTS, save(state))


def load_autoencoder(folder: Path) -> SiameseAutoencoder:
    """The network of a folder that ``fit_autoencoder`` wrote, in evaluation mode.

    Raises:
        DataError: a file is missing, or the weights do not belong to the options beside them.
    """
    try:
        options = json.loads(read_options(folder / CONFIG))["model"]
        return load_network(lambda: SiameseAutoencoder(**options), folder / WEIGHTS, options)
    except (DataError, UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{folder}: found no siamese autoencoder ({error}); expected {CONFIG} and {WEIGHTS} as written by "
            "`python -m uad.train`: run it again"
        ) from error
