"""How far an image is off another one: a rigid motion by least squares, and how well tissues explain it.

Source: the linearised rigid motion is that of Woods et al., JCAT 16 (1992) 620, and of Friston et al., Hum. Brain
Mapp. 2 (1995) 165, taken once and not iterated: exact for small motions, too small for large ones.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.images import Grid

SIGMA_MM = 3.0  # blur of all images: motions of several mm stay within what is linear
CENTRE_MM = (0.0, -18.0, 8.0)  # of the template's brain: turns are about it


def residual_motion(
    image: NDArray, models: Sequence[NDArray], inside: NDArray[np.bool_], grid: Grid
) -> tuple[float, float]:
    """How far ``image`` would have to be shifted and turned to look most like a mixture of ``models``.

    Args:
        image: (I, J, K).
        models: (I, J, K) each; their weights and a constant are found together with the motion.
        inside: (I, J, K), where it is judged.
        grid: axis-aligned RAS+, of all images.

    Returns:
        Length of the shift in mm, and angle in degrees.
    """
    sigma = SIGMA_MM / np.asarray(grid.spacing_mm)
    smooth, *mixed = (ndimage.gaussian_filter(np.asarray(data, np.float32), sigma) for data in (image, *models))
    gradient = np.stack([g[inside] for g in np.gradient(smooth, *grid.spacing_mm)], 1)  # (n, 3)
    xyz = np.argwhere(inside) @ grid.matrix[:3, :3].T + grid.matrix[:3, 3] - CENTRE_MM  # (n, 3)
    columns = [np.ones(len(xyz)), *(model[inside] for model in mixed), -gradient, -np.cross(xyz, gradient)]
    solution = np.linalg.lstsq(np.column_stack(columns), smooth[inside], rcond=None)[0]
    shift, turn = solution[-6:-3], solution[-3:]
    return float(np.linalg.norm(shift)), float(np.rad2deg(np.linalg.norm(turn)))


def tissue_fit(image: NDArray, tissues: Sequence[NDArray], inside: NDArray[np.bool_]) -> float:
    """Correlation of an image with the mixture of tissue maps, (I, J, K) each, that comes nearest to it."""
    columns = np.column_stack([np.ones(int(inside.sum())), *(tissue[inside] for tissue in tissues)])
    values = np.asarray(image[inside], np.float64)
    fitted = columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    varies = values.size and np.ptp(values) > 0 and np.ptp(fitted) > 0
    return float(np.corrcoef(fitted, values)[0, 1]) if varies else 0.0


def own_side_gain(image: NDArray, tissues: Sequence[NDArray], inside: NDArray[np.bool_]) -> float:
    """How much better the tissues explain an image than its mirror image; below 0: the mirror image fits better.

    Two images of one person share the person's asymmetries. Around 0 the image knows nothing of this person: it is
    somebody else's, or too blurred. The first axis must mirror about x = 0.
    """
    both = inside & inside[::-1]
    return tissue_fit(image, tissues, both) - tissue_fit(image[::-1], tissues, both)


def correlation(a: NDArray, b: NDArray, inside: NDArray[np.bool_]) -> float:
    """Pearson's r of two images, (I, J, K); zero where one of them is constant, as is a brain that missed the grid."""
    x, y = a[inside], b[inside]
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) > 0 and np.ptp(y) > 0 else 0.0
