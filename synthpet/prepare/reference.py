"""The region whose mean uptake is 1: whole brain, pons, cerebellum, or a mask that the user brings.

Not in a paper: pons and cerebellum as drawn here in MNI millimetres, since no atlas of them comes with the libraries.
Below z = -36 mm and behind y = -45 mm the template's grey matter is all cerebellum, away from the cerebrum's uptake.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid, read_image
from synthpet.errors import DataError, UsageError
from synthpet.prepare.spaces.itk import IDENTITY, resample
from synthpet.template.icbm import template_images

REGIONS = {  # name: in the sidecar's words
    "brain": "whole brain (mean within the brain mask)",
    "pons": "pons (ellipsoid about MNI 0, -25, -34 mm with semi-axes of 11, 8, 10 mm)",
    "cerebellum": "cerebellum (grey matter of the template below z = -36 mm and behind y = -45 mm)",
}
PONS_CENTRE_MM, PONS_SEMI_AXES_MM = (0.0, -25.0, -34.0), (11.0, 8.0, 10.0)
CEREBELLUM_BELOW_Z_MM, CEREBELLUM_BEHIND_Y_MM = -36.0, -45.0
GM_THRESHOLD = 0.5
SEEN_SHARE = 0.5  # of the reference region within the field of view: less does not stand for it


class Reference(NamedTuple):
    """``mean`` uptake of the region, in the PET's unit; ``words`` for the sidecar; ``seen``, the share in view."""

    mean: float
    words: str
    seen: float


def check_reference(suvr_reference: str) -> str:
    """The region, if it is one: before any work starts.

    Raises:
        UsageError: neither a known region nor a file.
    """
    if suvr_reference not in REGIONS and not Path(suvr_reference).is_file():
        raise UsageError(
            f"suvr_reference={suvr_reference!r}: expected {', '.join(REGIONS)}, or an existing mask in template space"
        )
    return suvr_reference


def reference_uptake(
    pet: NDArray[np.float32], seen: NDArray[np.bool_], brain: NDArray[np.bool_], grid: Grid, *,
    suvr_reference: str, name: str,
) -> Reference:  # fmt: skip
    """Mean uptake of the reference region where the PET reaches it.

    Args:
        pet: (I, J, K) on the template's ``grid``.
        seen: (I, J, K), where the PET's field of view reaches.
        brain: (I, J, K), the person's brain.
        grid: of all.
        suvr_reference: a key of ``REGIONS``, or the path of a mask in template space.
        name: the subject and its file, for messages.

    Raises:
        DataError: less than half of the region is seen, or its mean is not positive.
    """
    region = brain & reference_region(suvr_reference, grid) if suvr_reference != "brain" else brain
    share = float((region & seen).sum() / max(region.sum(), 1))
    words = REGIONS.get(suvr_reference, f"mask given by the user ({Path(suvr_reference).name})")
    advice = "choose another suvr_reference, or look at the PET's registration"
    if share < SEEN_SHARE:
        raise DataError(
            f"E_REF_REGION {name}: {share:.0%} of the reference region, {words}, lies in the PET's field of view; "
            f"expected at least {SEEN_SHARE:.0%}: {advice}"
        )
    mean = float(pet[region & seen].mean(dtype=np.float64))
    if not mean > 0:
        raise DataError(
            f"E_REF_REGION {name}: mean uptake {mean:.3g} in the reference region, {words}; expected more than 0: "
            f"{advice}"
        )
    return Reference(mean, words, share)


def reference_region(suvr_reference: str, grid: Grid) -> NDArray[np.bool_]:
    """Pons, cerebellum or a given mask on a grid in template space, (I, J, K).

    Raises:
        DataError: a given mask that cannot be read, or that lies outside the template's brain.
    """
    if suvr_reference == "pons":
        x, y, z = _millimetres(grid)
        return sum(
            ((axis - centre) / radius) ** 2
            for axis, centre, radius in zip((x, y, z), PONS_CENTRE_MM, PONS_SEMI_AXES_MM, strict=True)
        ) <= 1  # fmt: skip
    if suvr_reference == "cerebellum":
        _, y, z = _millimetres(grid)
        below = (z <= CEREBELLUM_BELOW_Z_MM) & (y <= CEREBELLUM_BEHIND_Y_MM)
        return (template_images(grid).gm > GM_THRESHOLD) & below
    mask, source = read_image(Path(suvr_reference))
    region = resample((mask > 0.5).astype(np.float32), source, grid, IDENTITY) >= 0.5
    if not (region & template_images(grid).brain_mask).any():
        raise DataError(
            f"E_REF_REGION {suvr_reference}: no voxel in the template's brain; expected a mask in template space "
            "(MNI152, millimetres), 1 in the region and 0 outside"
        )
    return region


def _millimetres(grid: Grid) -> NDArray[np.float64]:
    """Template coordinates of the voxels, (3, I, J, K)."""
    index = np.indices(grid.shape).reshape(3, -1)
    return (grid.matrix[:3, :3] @ index + grid.matrix[:3, 3:]).reshape(3, *grid.shape)
