"""Which way latent vectors go when the PET takes up less: the encoder's answer to lesions simulated in controls.

An unsigned distance counts every way in which a person differs. The finding that is looked for is a change of uptake,
and the encoder itself tells, on healthy controls, in which directions that moves a latent vector.

Not in the paper.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.template.smoothing import FWHM_PER_SIGMA

DEPTH, FWHM_MM = 0.25, 20.0  # share of the uptake lost in the middle of a Gaussian blob, and its width
N_BLOBS = 12  # in each control


def lower_uptake(
    volume: NDArray[np.float32],
    channel: int,
    mask: NDArray[np.bool_],
    spacing_mm: Sequence[float],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Lower the PET of a control around random places of the brain.

    Args:
        volume: (C, I, J, K), the images and the brain mask.
        channel: of the PET, or of another image that is lowered instead.
        mask: (I, J, K), where places are drawn from.
        spacing_mm: voxel size.
        rng: draws the places.

    Returns:
        The changed volume, and the places, (N_BLOBS, 3) voxel indices.
    """
    inside = np.argwhere(mask)
    places = inside[rng.integers(len(inside), size=N_BLOBS)]
    blobs = np.zeros(mask.shape, np.float32)
    blobs[tuple(places.T)] = 1
    blobs = ndimage.gaussian_filter(blobs, [FWHM_MM / FWHM_PER_SIGMA / spacing for spacing in spacing_mm])
    changed = volume.copy()
    changed[channel] *= 1 - DEPTH * np.minimum(blobs / blobs.max(), 1)
    return changed, places


def main_directions(answers: NDArray[np.floating], n: int) -> NDArray[np.float32]:
    """The orthonormal directions, (e, n), that hold most of the answers, (m, e); along the first, more is less uptake.

    Raises:
        ValueError: more directions than components.
    """
    if not 1 <= n <= answers.shape[1]:
        raise ValueError(f"n_directions is {n}; expected 1 to {answers.shape[1]}, the components there are")
    directions = np.linalg.svd(answers, full_matrices=False)[2][:n].T
    directions[:, 0] *= np.sign(answers.mean(axis=0) @ directions[:, 0])
    return directions.astype(np.float32)
