"""The brain mask of a native T1: given, or read off the background of an image that is already stripped."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.coverage import unmeasured
from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from synthpet.template.icbm import template_images

# Intracranial volumes of children and adults lie within; a whole head has 3000 mL and more.
BRAIN_VOLUME_ML = (700.0, 2300.0)
NEAR_TEMPLATE_MM = 6.0
NEGATIVE_SHARE = 1e-3  # of the brain: less is ringing of an interpolation
LEAST_SHARE = 0.01  # of the range of brightness: the darkest voxel of a brain that was raised
CLOSING_MM = 6.0  # sulci up to twice as wide belong to the brain


def stripped_brain_mask(t1w: NDArray[np.float32], grid: Grid, name: str) -> NDArray[np.bool_] | None:
    """The brain of a skull-stripped T1: what is not background, largest component, holes filled; None: not stripped.

    The background is the value that fills the image's sides: a brain may hold negative values (MP2RAGE, z-scores). The
    volume of what is not background tells whether there is a skull.

    Args:
        t1w: (I, J, K) on ``grid``, of one value outside the brain.
        grid: the native grid.
        name: the subject and its file, for messages.

    Raises:
        DataError: constant.
    """
    if not t1w.max() > t1w.min():
        raise DataError(f"E_CONSTANT {name}: every voxel is {t1w.flat[0]:g}; expected an anatomical image")
    inside = ~unmeasured(t1w)
    mask = largest_component(inside) if inside.any() else inside
    return mask if has_brain_volume(mask, grid) else None


def has_brain_volume(mask: NDArray[np.bool_], grid: Grid) -> bool:
    """Whether a mask (I, J, K) is as large as a brain."""
    return BRAIN_VOLUME_ML[0] <= volume_ml(mask, grid) <= BRAIN_VOLUME_ML[1]


def above_zero(t1w: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """A T1 whose brain is above 0, as the correction of its bias field and the registration need it; and a note.

    Args:
        t1w: (I, J, K).
        mask: (I, J, K) brain.

    Returns:
        The T1 as it is where hardly a voxel of the brain is negative; otherwise raised within the brain.
    """
    values = t1w[mask]
    negative = float((values < 0).mean())
    if negative <= NEGATIVE_SHARE:
        return t1w, ()
    low, high = np.percentile(values, [0.1, 99.9])
    raised = np.maximum(t1w - low, 0) + LEAST_SHARE * (high - low)
    note = (
        f"T1: {negative:.0%} of the brain is below 0 (MP2RAGE, z-scores?); all its values are raised by the same amount"
    )
    return np.where(mask, raised, 0).astype(np.float32), (note,)


def given_brain_mask(mask: NDArray[np.float32], grid: Grid, name: str) -> NDArray[np.bool_]:
    """A mask from elsewhere: its largest component, holes filled, checked for a brain's volume.

    Args:
        mask: (I, J, K): 1 in the brain, a probability, percent, labels of its parts, or the brain's own brightness.
        grid: the T1's grid.
        name: the subject and the mask's file, for messages.

    Raises:
        DataError: values below 0, or its volume is not a brain's.
    """
    brain = _marked(mask, name)
    brain = largest_component(brain) if brain.any() else brain
    if not has_brain_volume(brain, grid):
        raise DataError(
            f"E_MASK_VOLUME {name}: {volume_ml(brain, grid):.0f} mL; expected a brain mask of "
            f"{BRAIN_VOLUME_ML[0]:.0f} to {BRAIN_VOLUME_ML[1]:.0f} mL (1 in the brain, 0 outside)"
        )
    return brain


def _marked(mask: NDArray[np.float32], name: str) -> NDArray[np.bool_]:
    """The brain of a mask (I, J, K): probabilities and percent from one half on; of anything else what is not 0."""
    low, high = float(mask.min()), float(mask.max())
    if low < 0:
        raise DataError(f"E_MASK {name}: values from {low:g} to {high:g}; expected 1 in the brain and 0 outside")
    percent = abs(high - 100) < 1 and (mask > 99).sum() > 0.5 * (mask > 0).sum()  # most of a brain is wholly brain
    if high <= 1.001 or percent:
        return mask >= (50 if percent else 0.5)
    return mask > 0


@cache
def near_template_brain(grid: Grid) -> NDArray[np.bool_]:
    """Voxels of a template grid within ``NEAR_TEMPLATE_MM`` of the template's brain, (I, J, K).

    Skull stripping often leaves neck vessels below the brain stem; once registered, they lie outside.
    """
    distance_mm = ndimage.distance_transform_edt(~template_images(grid).brain_mask, sampling=grid.spacing_mm)
    return distance_mm <= NEAR_TEMPLATE_MM


def trim_to_tissue(mask: NDArray[np.bool_], tissue: NDArray[np.float32], grid: Grid) -> NDArray[np.bool_]:
    """End the brain mask where grey and white matter end, sulci and ventricles included.

    Skull stripping tools leave rims of fluid of different widths. Trimmed alike, intensities are scaled alike, and
    the whole brain means the same region whatever tool was used.

    Args:
        mask: (I, J, K) brain.
        tissue: (I, J, K) share of grey and white matter together.
        grid: of both.
    """
    margin = int(np.ceil(CLOSING_MM / min(grid.spacing_mm))) + 1  # room to dilate
    brain = np.pad(mask & (tissue > 0.5), margin)
    dilated = ndimage.distance_transform_edt(~brain, sampling=grid.spacing_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(dilated, sampling=grid.spacing_mm) > CLOSING_MM
    inside = (slice(margin, -margin),) * 3
    return mask & ndimage.binary_fill_holes(closed | brain)[inside]


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest face-connected component of a mask (I, J, K), holes filled; ``mask`` must not be empty."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return ndimage.binary_fill_holes(labels == sizes.argmax())


def crop_to_brain(
    t1w: NDArray[np.float32], mask: NDArray[np.bool_], grid: Grid, margin: int = 4
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Grid]:
    """Cut T1 and mask, (I, J, K) on ``grid``, to the brain's box with ``margin`` voxels: less memory and time."""
    box = tuple(
        slice(max(s.start - margin, 0), min(s.stop + margin, n))
        for s, n in zip(ndimage.find_objects(mask.astype(np.int8))[0], mask.shape, strict=True)
    )
    affine = grid.matrix
    affine[:3, 3] += affine[:3, :3] @ [s.start for s in box]
    return t1w[box], mask[box], Grid.of(mask[box].shape, affine)


def volume_ml(share: NDArray, grid: Grid) -> float:
    """Volume in mL of a mask, or of a tissue's share from 0 to 1, (I, J, K) on ``grid``."""
    return float(share.sum(dtype=np.float64) * abs(np.linalg.det(grid.matrix[:3, :3])) / 1000)
