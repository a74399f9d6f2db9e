"""How much smoothing takes measured PET to the resolution of synthetic PET: to tell smoother from better."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from synthpet.cohort import Cohort, read_image
from synthpet.errors import DataError
from synthpet.template.smoothing import smooth_within

WIDEST_MM = 20.0  # FWHM; no PET is blurred more than that
PRECISION_MM = 0.05


def matching_fwhm_mm(cohort: Cohort, synthetic_folder: Path, target: str = "pet") -> float:
    """The Gaussian that makes the paired controls' real PET as rough as their cross-fitted synthetic PET.

    Args:
        cohort: with paired controls; their two PETs show the same people.
        synthetic_folder: from ``synthpet.complete``.
        target: the modality that is synthetic there; PET in the words here.

    Returns:
        Its FWHM in mm; 0 where the synthetic PET is not smoother than the real one.

    Raises:
        DataError: no paired control, or synthetic PET smoother than a Gaussian of ``WIDEST_MM`` makes the real one.

    Source: Not in the paper: roughness is the mean squared step between neighbouring brain voxels; a real PET's
        contains its noise.
    """
    ids = [s.participant_id for s in cohort.select("paired")]
    if not ids:
        raise DataError(f"E_CONTROLS {cohort.root}: no paired control, so nobody has a real and a synthetic PET")
    source = replace(cohort, root=Path(synthetic_folder))
    synthetic = (read_image(source.path(i, f"synthetic_{target}"), grid=cohort.grid)[0] for i in ids)
    wanted = _roughness(zip(synthetic, map(cohort.load_mask, ids), strict=True))

    def excess(fwhm_mm: float) -> float:  # reads everybody again: smoothing takes longer, and memory stays flat
        pairs = ((cohort.load_image(i, target), cohort.load_mask(i)) for i in ids)
        smooth = ((smooth_within(p, m, fwhm_mm, cohort.grid.spacing_mm) if fwhm_mm else p, m) for p, m in pairs)
        return _roughness(smooth) / wanted - 1

    if excess(0.0) <= 0:
        return 0.0
    if excess(WIDEST_MM) > 0:
        raise DataError(f"E_SMOOTH {synthetic_folder}: smoother than the real PET blurred by {WIDEST_MM:g} mm")
    return round(float(optimize.brentq(excess, 0.0, WIDEST_MM, xtol=PRECISION_MM)), 2)


def _roughness(images: Iterable[tuple[NDArray[np.float32], NDArray[np.bool_]]]) -> float:
    """Mean squared step between neighbouring voxels that both lie in the mask, over images and axes."""
    total, n = 0.0, 0
    for image, mask in images:
        for axis in range(3):
            first = [slice(None)] * 3
            second = [slice(None)] * 3
            first[axis], second[axis] = slice(None, -1), slice(1, None)
            both = mask[tuple(first)] & mask[tuple(second)]
            steps = (image[tuple(second)] - image[tuple(first)])[both]
            total += float(np.square(steps, dtype=np.float64).sum())
            n += steps.size
    return total / n
