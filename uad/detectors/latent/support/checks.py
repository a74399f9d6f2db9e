"""What the support estimators accept, and what they say to the rest."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_nu(nu: Any) -> None:
    """Raise unless 0 < nu <= 1."""
    if not (isinstance(nu, float | int) and 0 < nu <= 1):
        raise ValueError(f"nu is {nu!r}; it is the share of controls that may lie outside: a number in (0, 1]")


def check_gamma(gamma: Any) -> None:
    """Raise unless gamma is "scale" or a positive number."""
    if gamma != "scale" and not (isinstance(gamma, float | int) and 0 < gamma < np.inf):
        raise ValueError(f'gamma is {gamma!r}; give "scale" or a number above 0')


def check_latents(latents: ArrayLike) -> NDArray[np.float32]:
    """Latents as float32 (n_controls, n_voxels, d), not a copy where they are so already; finite or not."""
    array = np.asarray(latents, np.float32)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"latents have shape {array.shape}; expected (n_controls, n_voxels, d), none of them 0")
    return array


def check_query(query: ArrayLike, expected: tuple[int, ...]) -> NDArray[np.float32]:
    """A query as float32 (m, n_voxels, d), to machines fitted on (n_voxels, d)."""
    array = np.asarray(query, np.float32)
    if array.ndim not in (2, 3) or array.shape[-2:] != expected:
        raise ValueError(
            f"query has shape {array.shape}; the machines were fitted on (n_voxels, d) = {expected}: expected that, "
            f"or (m, *{expected})"
        )
    brains = array.reshape(-1, *expected)
    check_finite(brains, "query")
    return brains


def check_finite(brains: NDArray[np.float32], what: str) -> None:
    """Raise when a brain (n_voxels, d) holds NaN or infinity; a sum tells it without a mask of the whole array."""
    bad = [index for index, brain in enumerate(brains) if not np.isfinite(brain.sum(dtype=np.float64))]
    if bad:
        voxels = int((~np.isfinite(brains[bad[0]]).all(-1)).sum())
        raise ValueError(
            f"{what} {bad[0]}: the latent vectors of {voxels} of {brains.shape[1]} voxels are not finite (NaN or "
            "infinity); check the images they come from"
        )
