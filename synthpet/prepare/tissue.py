"""Grey matter, white matter and CSF of a native T1: a Gaussian mixture with the template's tissues as prior.

Source: Ashburner and Friston, NeuroImage 26 (2005) 839, equations 1 to 13, one Gaussian a tissue, without their
deformation and bias field, which are found before. Not in the paper: the width of the prior, its floor, the start.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from synthpet.prepare.spaces.itk import resample
from synthpet.prepare.spaces.transform import Transform
from synthpet.template.icbm import template_grid, template_images

TISSUES = ("csf", "gm", "wm")  # from dark to bright in a T1
PRIOR_MM = 2.0  # grid of the priors
PRIOR_SIGMA_MM = 3.0  # the priors' blur: the image decides on the folding
PRIOR_FLOOR = 0.02  # any tissue may be anywhere
N_SAMPLES = 100_000  # voxels that the mixture is fitted to
N_ITERATIONS = 40
LEAST_SD = 3e-3  # of the brightness range: a tissue of one value


def segment(
    t1w: NDArray[np.float32], mask: NDArray[np.bool_], grid: Grid, transform: Transform, *, seed: int, name: str
) -> dict[str, NDArray[np.float32]]:
    """Tissue probabilities in native space, zero outside the brain.

    Args:
        t1w: (I, J, K) on ``grid``, bias-corrected.
        mask: (I, J, K) brain.
        grid: the native grid.
        transform: between the native T1 and the template.
        seed: of the voxels that the mixture is fitted to.
        name: the subject, for messages.

    Returns:
        ``csf``, ``gm``, ``wm``: (I, J, K) each, summing to one in the brain.

    Raises:
        DataError: the three tissues do not differ in brightness as they do in a T1.
    """
    prior = _native_priors(grid, transform)[:, mask]  # (3, n)
    values = t1w[mask]  # (n,)
    low, high = np.percentile(values, [0.1, 99.9])
    values = np.clip((values - low) / (high - low), 0, 1)
    mixture = _fit(values, prior, seed)
    means = mixture.means
    if not means[0] < means[1] < means[2]:
        raise DataError(
            f"E_CONTRAST {name}: brightness {', '.join(f'{t} {m:.2f}' for t, m in zip(TISSUES, means, strict=True))}; "
            "expected CSF darker than grey matter darker than white matter, as in a T1w image"
        )
    posterior = mixture.posterior(values, prior)
    maps = {}
    for tissue, probability in zip(TISSUES, posterior, strict=True):
        maps[tissue] = np.zeros(mask.shape, np.float32)
        maps[tissue][mask] = probability
    return maps


class _Mixture(NamedTuple):
    """Of the three tissues, (3,) each: mean brightness, its standard deviation, and how much of them there is."""

    means: NDArray
    sds: NDArray
    amounts: NDArray  # relative to what the prior expects

    def posterior(self, values: NDArray, prior: NDArray) -> NDArray:
        """Probability of each tissue at voxels of brightness (n,) and prior (3, n): (3, n), summing to one."""
        joint = self.amounts[:, None] * prior * stats.norm.pdf(values, self.means[:, None], self.sds[:, None])
        return joint / (joint.sum(0) + np.finfo(np.float32).tiny)


def _fit(values: NDArray, prior: NDArray, seed: int) -> _Mixture:
    """Expectation maximisation on brightness (n,) and prior (3, n).

    The prior takes part in every step, so that two tissues cannot trade places.
    """
    chosen = np.sort(np.random.default_rng(seed).choice(values.size, min(N_SAMPLES, values.size), replace=False))
    x, expected = values[chosen].astype(np.float64), prior[:, chosen].astype(np.float64)
    share = expected**4  # the fourth power: where the prior is sure
    share /= share.sum(0)
    amounts = np.ones(len(TISSUES))
    for _ in range(N_ITERATIONS):
        weight = share.sum(1)
        means = share @ x / weight
        sds = np.sqrt((share * (x - means[:, None]) ** 2).sum(1) / weight) + LEAST_SD
        amounts = weight / (expected / (amounts @ expected)).sum(1)
        mixture = _Mixture(means, sds, amounts)
        share = mixture.posterior(x, expected)
    return mixture


def _native_priors(grid: Grid, transform: Transform) -> NDArray[np.float32]:
    """The template's CSF, GM and WM, blurred and warped to the native grid, (3, I, J, K), summing to one."""
    source = template_grid(PRIOR_MM)
    template = template_images(source)
    gm, wm = (ndimage.gaussian_filter(image, PRIOR_SIGMA_MM / PRIOR_MM) for image in (template.gm, template.wm))
    gm, wm = (resample(image, source, grid, transform.native_to_template) for image in (gm, wm))
    prior = np.stack([np.clip(1 - gm - wm, 0, 1), gm, wm]) + PRIOR_FLOOR
    return prior / prior.sum(0)
