"""A person's FLAIR and lesion mask on the template."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's customary name
from numpy.typing import NDArray

from synthpet.cohort.images import Grid, read_image
from synthpet.cohort.index import scale_t1w
from synthpet.cohort.lesions import Label, lesion_voxels
from synthpet.errors import DataError
from synthpet.prepare.brain import volume_ml
from synthpet.prepare.spaces.itk import antialias, correct_bias, resample
from synthpet.prepare.spaces.transform import Transform


def flair_on_template(
    flair: NDArray[np.float32], grid: Grid, transform: Transform, mask: NDArray[np.bool_], t1w_grid: Grid,
    brain: NDArray[np.bool_], target: Grid, *, name: str,
) -> NDArray[np.float32]:  # fmt: skip
    """Correct a FLAIR for its bias field within the brain, bring it onto the template, scale it as the T1.

    Args:
        flair: (I, J, K) on ``grid``.
        grid: of the FLAIR.
        transform: with ``rigid["flair"]``.
        mask: (I, J, K) brain on ``t1w_grid``.
        t1w_grid: native.
        brain: (I, J, K) brain on ``target``.
        target: the cohort's grid.
        name: the subject and its file, for messages.

    Raises:
        DataError: the brain lies outside the FLAIR, or the FLAIR is constant there.
    """
    own = brain_on("flair", mask, t1w_grid, grid, transform)
    if not own.any() or not np.ptp(flair[own]) > 0:
        raise DataError(f"E_CONSTANT {name}: constant within the brain; expected a FLAIR of the same head as the T1")
    corrected = correct_bias(flair, own, grid)
    smooth = antialias(corrected, grid, min(target.spacing_mm))
    return scale_t1w(resample(smooth, grid, target, transform.template_to("flair")), brain)


def brain_on(
    image: str, mask: NDArray[np.bool_], t1w_grid: Grid, grid: Grid, transform: Transform
) -> NDArray[np.bool_]:
    """The T1's brain mask, (I, J, K) on ``t1w_grid``, on the ``grid`` of ``flair`` or ``pet``, by ``rigid[image]``."""
    return resample(mask.astype(np.float32), t1w_grid, grid, transform.rigid[image].GetInverse()) >= 0.5


def read_flair(path: Path, participant_id: str, xform: str | None = None) -> tuple[NDArray[np.float32], Grid]:
    """The native FLAIR, (I, J, K), and its grid.

    Raises:
        DataError: cannot be read, or constant.
    """
    flair, grid = read_image(path, xform=xform)
    if not flair.max() > flair.min():
        raise DataError(f"E_CONSTANT {participant_id} ({path}): every voxel is {flair.flat[0]:g}; expected a FLAIR")
    return flair, grid


def read_lesion(
    path: Path, drawn_on: Path, drawn_grid: Grid, participant_id: str, xform: str | None = None, label: Label = None
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """A lesion mask, (I, J, K) on the grid of the image that it was drawn on, and how its values were understood.

    Args:
        path: the mask.
        drawn_on: the T1, FLAIR or PET that it was drawn on.
        drawn_grid: of that whole image.
        participant_id: for messages.
        xform: which of sform and qform holds, as for ``read_image``.
        label: what a lesion is in it, as for ``cohort.lesions.lesion_voxels``.

    Raises:
        DataError: cannot be read, lies on another grid than that image, or holds values that could mean several things.
    """
    lesion, grid = read_image(path, xform=xform)
    if not grid.matches(drawn_grid):
        raise DataError(
            f"E_GRID {participant_id}: the lesion mask is not on the grid of the image that it was drawn on.\n"
            f"  {path}: {grid}\n  {drawn_on}: {drawn_grid}\n  Expected the same grid; say what it was drawn on by "
            "lesion_space=t1w|flair|pet, or resample it to the T1's grid (nearest neighbour)"
        )
    voxels, words = lesion_voxels(lesion, f"{participant_id} ({path})", label)
    return voxels, (words,) if words else ()


def lesion_on_template(
    lesion: NDArray[np.bool_], grid: Grid, transform: sitk.Transform, target: Grid
) -> tuple[NDArray[np.bool_], dict[str, float], tuple[str, ...]]:
    """Bring a lesion mask onto the template, nearest neighbour.

    Args:
        lesion: (I, J, K) on ``grid``.
        grid: of the image that it was drawn on.
        transform: maps points of the template to points of that image.
        target: the cohort's grid.

    Returns:
        The mask (I, J, K) on ``target``; ``lesion_native_ml`` and ``lesion_ml``; a note where nothing is left of it.
    """
    warped = resample(lesion.astype(np.float32), grid, target, transform, nearest=True) > 0.5
    measures = {"lesion_native_ml": volume_ml(lesion, grid), "lesion_ml": volume_ml(warped, target)}
    if warped.any():
        return warped, measures, ()
    why = "it is empty" if not lesion.any() else "nothing of it is left on the template's grid"
    return warped, measures, (f"lesion mask: {why}; it is left out",)
