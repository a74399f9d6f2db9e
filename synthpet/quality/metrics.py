"""Image quality of a synthetic PET against the real one: pure functions of arrays.

Every function takes (I, J, K) arrays in SUVR. ``mask`` chooses the voxels that count: (I, J, K) boolean, or
None for the whole box, background included. In the whole box a large background of equal values flatters
every method, which is why both are reported; numbers that differ in mask, data range or window do not compare.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SSIM_SIGMA_VOXELS = 1.5
SSIM_WINDOW_VOXELS = 11  # 2 * round(3.5 sigma) + 1, as in Wang 2004
SSIM_WINDOW = "Gaussian, sigma 1.5 voxels, 11 x 11 x 11 voxels, K1 = 0.01, K2 = 0.03"


def mae(pred: NDArray, target: NDArray, *, mask: NDArray[np.bool_] | None) -> float:
    """Mean absolute error over the mask, in the unit of the images."""
    return float(np.mean(np.abs(_inside(pred, mask) - _inside(target, mask)), dtype=np.float64))


def rmse(pred: NDArray, target: NDArray, *, mask: NDArray[np.bool_] | None) -> float:
    """Root of the mean squared error over the mask, in the unit of the images."""
    return float(np.sqrt(np.mean(np.square(_inside(pred, mask) - _inside(target, mask)), dtype=np.float64)))


def psnr(pred: NDArray, target: NDArray, *, mask: NDArray[np.bool_] | None, data_range: float) -> float:
    """Peak signal-to-noise ratio over the mask, 20 log10(data_range / RMSE), in dB; infinite if equal.

    Args:
        pred: the image under test.
        target: the truth.
        mask: the voxels that count; None: all.
        data_range: the peak, in the unit of the images; one number for all subjects and methods.
    """
    error = rmse(pred, target, mask=mask)
    return float(20 * np.log10(data_range / error)) if error > 0 else float("inf")


def ssim(pred: NDArray, target: NDArray, *, mask: NDArray[np.bool_] | None, data_range: float) -> float:
    """Mean structural similarity: 3D Gaussian window (sigma 1.5 voxels, 11 voxels wide), -1 to 1.

    With a mask the window weighs the voxels within it only, and the local index is averaged over it: zeros that
    both images have outside would make them alike at the edge. Without one the index is averaged over the box less
    the window's radius, as scikit-image does. The window is measured in voxels: values at different resolutions do
    not compare.

    Source: Wang et al., IEEE TIP 13 (2004) 600, with population covariances; computed by scikit-image.

    Args:
        pred: the image under test.
        target: the truth.
        mask: the voxels that count; None: all.
        data_range: the L of the paper, in the unit of the images; one number for all subjects and methods.

    Raises:
        ValueError: an axis shorter than the window.
    """
    return mean_ssim(ssim_map(pred, target, data_range=data_range, mask=mask), mask=mask)


def ssim_map(
    pred: NDArray, target: NDArray, *, data_range: float, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.floating]:
    """Local structural similarity at every voxel, (I, J, K); arguments and errors as ``ssim``."""
    if min(target.shape) < SSIM_WINDOW_VOXELS:
        raise ValueError(f"SSIM needs {SSIM_WINDOW_VOXELS} voxels on every axis, found shape {target.shape}")
    if mask is not None:
        return _ssim_within(pred, target, mask, data_range)
    from skimage.metrics import structural_similarity

    return structural_similarity(
        target,
        pred,
        data_range=data_range,
        gaussian_weights=True,
        sigma=SSIM_SIGMA_VOXELS,
        use_sample_covariance=False,
        full=True,
    )[1]


def _ssim_within(pred: NDArray, target: NDArray, mask: NDArray[np.bool_], data_range: float) -> NDArray[np.float64]:
    """Wang's index with local moments over the mask's voxels in the window; 0 outside the mask."""
    from scipy.ndimage import gaussian_filter

    def blurred(values: NDArray) -> NDArray[np.float64]:
        return gaussian_filter(np.where(mask, values, 0.0), SSIM_SIGMA_VOXELS, radius=SSIM_WINDOW_VOXELS // 2)

    weight = np.where(mask, blurred(np.ones(mask.shape)), 1.0)
    x, y = pred.astype(np.float64), target.astype(np.float64)
    mean_x, mean_y, xx, yy, xy = (blurred(values) / weight for values in (x, y, x * x, y * y, x * y))
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    alike = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    index = alike / ((mean_x**2 + mean_y**2 + c1) * (xx - mean_x**2 + yy - mean_y**2 + c2))
    return np.where(mask, index, 0.0)


def mean_ssim(index: NDArray, *, mask: NDArray[np.bool_] | None) -> float:
    """Average a map of ``ssim_map`` over the mask, or over the box less the window's radius."""
    radius = SSIM_WINDOW_VOXELS // 2
    inner = index[(slice(radius, -radius),) * index.ndim] if mask is None else index[mask]
    return float(inner.mean(dtype=np.float64))


def deviation_correlation(
    pred: NDArray,
    target: NDArray,
    *,
    mean_pred: NDArray,
    mean_target: NDArray,
    mask: NDArray[np.bool_],
) -> float:
    """Correlate, across the mask's voxels, a person's predicted and true deviation from the mean (Pearson).

    Each image has its own group's mean removed, so that what all subjects share (anatomy, a constant bias)
    cannot make it high: 0 means that the prediction knows nothing of the individual, 1 that it knows all.

    Args:
        pred: the subject's synthetic PET.
        target: the subject's true PET.
        mean_pred: mean synthetic PET of the subject's group.
        mean_target: mean true PET of the same group.
        mask: the voxels that count.

    Returns:
        NaN where one of the two deviates nowhere.
    """
    a, b = (pred - mean_pred)[mask].astype(np.float64), (target - mean_target)[mask].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")


def gap_closed(baseline: NDArray, model: NDArray, ceiling: NDArray) -> float:
    """Share of the way from the baseline's error to the ceiling's: 0 at the baseline, 1 at the ceiling.

    Ratio of the means over subjects, which a subject with a small gap cannot dominate.

    Args:
        baseline: (n,) errors of the baseline, one a subject.
        model: (n,) errors of the model for the same subjects.
        ceiling: (n,) errors of the best that can be reached.
    """
    gap = np.mean(baseline) - np.mean(ceiling)
    return float((np.mean(baseline) - np.mean(model)) / gap) if gap != 0 else float("nan")


def bootstrap_gap_closed(
    baseline: NDArray, model: NDArray, ceiling: NDArray, *, seed: int, n_resamples: int = 2000
) -> tuple[float, float]:
    """95 % percentile interval of ``gap_closed``, resampling subjects with replacement.

    Args:
        baseline: (n,) as in ``gap_closed``.
        model: (n,).
        ceiling: (n,).
        seed: equal seeds give equal intervals.
        n_resamples: number of bootstrap samples.
    """
    errors = np.stack([baseline, model, ceiling])
    n = errors.shape[1]
    drawn = np.random.default_rng(seed).integers(n, size=(n_resamples, n))
    values = [gap_closed(*errors[:, sample]) for sample in drawn]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def regional_means(volume: NDArray, labels: NDArray[np.integer], n_regions: int) -> NDArray[np.float64]:
    """Mean of a volume in each region, (n_regions,); NaN for a region without voxels.

    Args:
        volume: (I, J, K).
        labels: (I, J, K), 0 outside, 1 to ``n_regions`` inside.
        n_regions: number of regions.
    """
    counts = np.bincount(labels.ravel(), minlength=n_regions + 1)[1:]
    sums = np.bincount(labels.ravel(), weights=volume.ravel(), minlength=n_regions + 1)[1:]
    return np.divide(sums, counts, out=np.full(n_regions, np.nan), where=counts > 0)


def patch_borders(shape: Sequence[int], patch_size: Sequence[int], stride: Sequence[int]) -> list[list[int]]:
    """For each axis the voxel indices, inside the volume, at which a patch of a regular cover begins or ends.

    A volume smaller than the patch is thought to be padded evenly, as ``synthpet.generators.patchwise`` does.

    Args:
        shape: (I, J, K) of the volume.
        patch_size: (pi, pj, pk).
        stride: steps between patches.
    """
    from synthpet.generators.patches import patch_origins

    padded = [max(n, patch) for n, patch in zip(shape, patch_size, strict=True)]
    origins = patch_origins(padded, patch_size, stride).numpy()
    borders = []
    for axis, (n, patch) in enumerate(zip(shape, patch_size, strict=True)):
        begins = set((origins[:, axis] - (padded[axis] - n) // 2).tolist())
        borders.append(sorted(b for b in begins | {b + patch for b in begins} if 0 < b < n))
    return borders


def seam_ratio(
    volume: NDArray, mask: NDArray[np.bool_], borders: Sequence[Sequence[int]], *, min_steps: int = 1
) -> float:
    """Mean absolute step across patch borders over the mean step elsewhere: 1 where no seam shows.

    The border at index b lies between voxels b - 1 and b; only steps with both voxels in the mask count. The
    ratio of each axis is averaged over the axes; one on which all steps or (nearly) none are borders says nothing
    and is left out. Anatomy makes the ratio differ a little from 1 also in a real image: compare with its value there.

    Args:
        volume: (I, J, K).
        mask: (I, J, K).
        borders: for each axis, as from ``patch_borders``.
        min_steps: steps across borders that an axis must have to count.

    Returns:
        NaN if no axis has both kinds of steps.
    """
    ratios = []
    for axis, indices in enumerate(borders):
        steps = np.abs(np.diff(np.moveaxis(volume, axis, 0), axis=0))
        moved = np.moveaxis(mask, axis, 0)
        both = moved[1:] & moved[:-1]
        is_border = np.isin(np.arange(1, volume.shape[axis]), list(indices))
        there, other = steps[is_border][both[is_border]], steps[~is_border][both[~is_border]]
        if there.size >= min_steps and other.size and other.mean() > 0:
            ratios.append(there.mean(dtype=np.float64) / other.mean(dtype=np.float64))
    return float(np.mean(ratios)) if ratios else float("nan")


class Moments:
    """Voxelwise mean and variance over subjects added one by one: memory does not grow with their number.

    Source: Welford, Technometrics 4 (1962) 419.
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean: NDArray[np.float32] = np.zeros(1, np.float32)
        self._squares: NDArray[np.float32] = np.zeros(1, np.float32)

    def add(self, volume: NDArray) -> None:
        """Add one subject's (I, J, K) volume."""
        if self.n == 0:
            self.mean, self._squares = np.zeros_like(volume, np.float32), np.zeros_like(volume, np.float32)
        self.n += 1
        delta = volume - self.mean
        self.mean += delta / self.n
        self._squares += delta * (volume - self.mean)

    @property
    def variance(self) -> NDArray[np.float32]:
        """Sample variance between subjects, (I, J, K); NaN for fewer than two subjects."""
        return self._squares / np.float32(self.n - 1 if self.n > 1 else np.nan)


def variance_ratio(synthetic: Moments, real: Moments, *, mask: NDArray[np.bool_]) -> float:
    """Between-subject variance of synthetic PET over that of real PET, each averaged over the mask.

    1: the synthetic set is as diverse as the real one. A perfect T1 -> PET method reaches the share that the T1
    explains (``synthpet.quality.explainable``). The real variance contains the scanner's noise.
    """
    variance = float(real.variance[mask].mean(dtype=np.float64))
    return float(synthetic.variance[mask].mean(dtype=np.float64)) / variance if variance > 0 else float("nan")


def _inside(volume: NDArray, mask: NDArray[np.bool_] | None) -> NDArray:
    return volume if mask is None else volume[mask]
