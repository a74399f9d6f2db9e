"""What a trained autoencoder is worth, and whether its latent space has collapsed."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
from uad.detectors.latent.representation.pairs import PairBatch

MIN_EFFECTIVE_RANK = 2.0
MIN_RELATIVE_VARIANCE = 1e-3


@torch.inference_mode()
def describe_representation(model: SiameseAutoencoder, pairs: PairBatch) -> dict[str, Any]:
    """Reconstruction, similarity and spread of the latent vectors of matched patches.

    Args:
        model: in evaluation mode.
        pairs: blocks of one patch each, (n, C, pi, pj, pk).

    Returns:
        ``reconstruction_error``: mean squared error per voxel, standardised units; by modality likewise;
        ``mean_patch_error``: of predicting the mean patch; ``cosine_matched``, ``cosine_unmatched``: mean cosine of
        latent vectors at the same place in two controls, and at different places; ``latent_variance``: by dimension;
        ``effective_rank``; ``relative_variance``; ``collapsed``.
    """
    x = model.standardise(torch.cat([pairs.first, pairs.second]))
    z = model.encode(x).flatten(1)
    error = (model.decode(z) - x).square().mean(dim=(0, 2, 3, 4))
    mean_patch = (x - x.mean(dim=0)).square().mean()
    first, second = z.chunk(2)
    spread = latent_spread(z.numpy())
    return {
        "n_patches": len(x),
        "reconstruction_error": float(error.mean()),
        "reconstruction_error_by_modality": dict(zip(model.modalities, error.tolist(), strict=True)),
        "mean_patch_error": float(mean_patch),
        "cosine_matched": float(torch.cosine_similarity(first, second).mean()),
        "cosine_unmatched": float(torch.cosine_similarity(first, second.roll(len(second) // 2, 0)).mean()),
        **spread,
        "collapsed": spread["collapsed"] or float(error.mean()) >= float(mean_patch),
    }


def latent_spread(z: NDArray[np.float32]) -> dict[str, Any]:
    """Variance by dimension, and the collapse check.

    Args:
        z: (n, d) latent vectors of different places.

    Returns:
        ``latent_variance``: d values; ``effective_rank``: participation ratio of the covariance's eigenvalues,
        (sum e)^2 / sum e^2, from 1 to d; ``relative_variance``: total variance over the mean squared length, near 0
        when all vectors are nearly the same; ``collapsed``: whether one of the two is below its limit.
    """
    centred = z.astype(np.float64) - z.mean(axis=0)
    covariance = centred.T @ centred / len(z)
    total = float(np.trace(covariance))
    effective_rank = total**2 / max(float(np.square(covariance).sum()), 1e-300)
    relative = total / max(float(np.square(z.astype(np.float64)).sum(axis=1).mean()), 1e-300)
    return {
        "latent_variance": np.diag(covariance).tolist(),
        "effective_rank": effective_rank,
        "relative_variance": relative,
        "collapsed": effective_rank < min(MIN_EFFECTIVE_RANK, z.shape[1]) or relative < MIN_RELATIVE_VARIANCE,
    }
