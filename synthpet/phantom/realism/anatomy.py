"""How T1 images differ between people after a registration: figures that real and simulated people share."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from synthpet.phantom.fields import FWHM
from synthpet.phantom.realism.people import RESOLUTION_MM

WIDTHS_MM = (0.0, 6.0, 10.0)
LAGS_MM = (3.0, 6.0, 12.0)
# Of 15 people (OpenNeuro ds002748, CC0), prepared at 3 mm
REAL = {
    "syn": {"t1w_sd_0mm": 0.126, "t1w_sd_6mm": 0.062, "t1w_sd_10mm": 0.036, "t1w_r_3mm": 0.584, "t1w_r_6mm": 0.184,
            "t1w_r_12mm": 0.069, "t1w_mirror": 0.263},
    "affine": {"t1w_sd_0mm": 0.154, "t1w_sd_6mm": 0.090, "t1w_sd_10mm": 0.059, "t1w_r_3mm": 0.652, "t1w_r_6mm": 0.294,
               "t1w_r_12mm": 0.126, "t1w_mirror": 0.306},
}  # fmt: skip
WORDS = {
    **{f"t1w_sd_{width:g}mm": f"SD between people of the T1{f', smoothed by {width:g} mm' if width else ''} (median)"
       for width in WIDTHS_MM},
    **{f"t1w_r_{lag:g}mm": f"correlation of the T1's deviations {lag:g} mm apart" for lag in LAGS_MM},
    "t1w_mirror": "correlation of the T1's deviations of mirror images",
}  # fmt: skip


def anatomy_figures(t1ws: NDArray, masks: NDArray[np.bool_], grey: NDArray[np.bool_]) -> dict[str, float]:
    """How T1 images on one grid differ between people within the template's grey matter.

    Args:
        t1ws: (people, I, J, K), scaled by ``scale_t1w``, at ``RESOLUTION_MM``.
        masks: (people, I, J, K) brain.
        grey: (I, J, K) the template's grey matter.

    Returns:
        Standard deviations after smoothing within the brain by ``WIDTHS_MM``, each person's mean taken out (medians
        over voxels); correlations of deviations at ``LAGS_MM`` along the axes and between mirror images (means).
    """
    inside = masks.mean(axis=0) > 0.9
    grey = grey & inside
    figures = {}
    for width in WIDTHS_MM:
        figures[f"t1w_sd_{width:g}mm"] = float(np.median(_smoothed(t1ws, inside, width).std(axis=0, ddof=1)[grey]))
    deviation = (t1ws - t1ws.mean(axis=0)) / np.maximum(t1ws.std(axis=0, ddof=1), 0.02) * grey
    for lag in LAGS_MM:
        k = round(lag / RESOLUTION_MM)
        along = [_lagged(np.moveaxis(deviation, axis, 1), np.moveaxis(grey, axis - 1, 0), k) for axis in (1, 2, 3)]
        figures[f"t1w_r_{lag:g}mm"] = float(np.mean(along))
    both = grey & grey[::-1]
    figures["t1w_mirror"] = float((deviation * deviation[:, ::-1])[:, both].mean())
    return figures


def _smoothed(t1ws: NDArray, inside: NDArray[np.bool_], fwhm_mm: float) -> NDArray[np.float64]:
    """T1s (people, I, J, K), smoothed within ``inside`` (I, J, K), each with mean 0 there."""
    sigma = fwhm_mm / FWHM / RESOLUTION_MM
    weight = np.maximum(gaussian_filter(inside.astype(np.float64), sigma), 0.5) if sigma else 1.0
    smooth = np.stack([gaussian_filter(t1w * inside, sigma) if sigma else t1w for t1w in t1ws.astype(float)]) / weight
    return smooth - smooth[:, inside].mean(axis=1)[:, None, None, None]


def _lagged(deviation: NDArray, grey: NDArray[np.bool_], k: int) -> float:
    """Mean product of what lies k voxels apart along I, of (people, I, J, K), both in grey matter (I, J, K)."""
    both = grey[:-k] & grey[k:]
    return float((deviation[:, :-k] * deviation[:, k:])[:, both].mean())
