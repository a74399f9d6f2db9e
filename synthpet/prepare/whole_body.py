"""The head of a PET of the whole body: where it is, for a registration that otherwise finds heart or bladder.

Arms are expected at the sides: the head is what is highest. Raised arms are told by how little of them hangs together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from synthpet.prepare.raw.look import MAX_LENGTH_MM

HEAD_MM = 205.0  # from the highest point of the body down, as the authors of hedyPET cut
MARGIN_MM = 20.0  # around the head, to either side, before and behind
ACTIVE_SHARE = (
    0.2  # of the median slice's 99th percentile: what is more is body, not air; a full bladder is in few slices
)
LEAST_AREA_MM2 = 100.0  # of body in the highest slice: less is noise
LEAST_HEAD_ML = 2000.0  # in one piece; the forearms of raised arms are less
Box = tuple[slice, slice, slice]


class Head(NamedTuple):
    """Where the head is: ``box`` of voxels, and ``length_mm`` of the PET that it was cut out of."""

    box: Box
    length_mm: float

    def cut(self, data: NDArray[np.float32], grid: Grid) -> tuple[NDArray[np.float32], Grid]:
        """An image, (I, J, K) on ``grid``, within the box, and its grid; points keep their millimetres."""
        affine = grid.matrix
        affine[:3, 3] += affine[:3, :3] @ [side.start for side in self.box]
        inside = np.ascontiguousarray(data[self.box])
        return inside, Grid.of(inside.shape, affine)

    @property
    def note(self) -> str:
        """For the reader."""
        return (
            f"PET: of the whole body ({self.length_mm:.0f} mm); cut to the {HEAD_MM:.0f} mm from its highest point "
            "down, before registration: look whether that is the head"
        )


def find_head(pet: NDArray[np.float32], grid: Grid, name: str) -> Head | None:
    """Find the head in a PET of the whole body; None where the PET is no longer than a head can be found in.

    Args:
        pet: (I, J, K) on ``grid``, in any unit; may be NaN.
        grid: RAS+.
        name: the subject and its file, for messages.

    Raises:
        DataError: what is highest is no head: arms are raised, or nothing is there.
    """
    measured = [k for k in range(pet.shape[2]) if _varies(pet[:, :, k])]
    length_mm = (measured[-1] - measured[0] + 1) * grid.spacing_mm[2] if measured else 0.0
    if length_mm <= MAX_LENGTH_MM:
        return None
    usual = float(np.median([np.nanpercentile(pet[:, :, k], 99) for k in measured]))
    active = pet > ACTIVE_SHARE * usual
    area_mm2 = active.sum((0, 1)) * grid.spacing_mm[0] * grid.spacing_mm[1]
    top = int(np.flatnonzero(area_mm2 >= LEAST_AREA_MM2).max(initial=-1)) + 1
    bottom = max(0, top - round(HEAD_MM / grid.spacing_mm[2]))
    pieces, n = ndimage.label(active[:, :, bottom:top])
    sizes = np.bincount(pieces.ravel(), minlength=n + 1)[1:]
    head_ml = float(sizes.max(initial=0)) * float(np.prod(grid.spacing_mm)) / 1000
    if head_ml < LEAST_HEAD_ML:
        raise DataError(
            f"E_BODY {name}: the PET is {length_mm:.0f} mm long from head to foot, and what is highest in it is no "
            f"head ({head_ml:.0f} mL in one piece; raised arms?); expected a PET of the head, {MAX_LENGTH_MM:.0f} mm "
            "at most; cut it to the head (fslroi, or nibabel's slicer along the head-foot axis)"
        )
    sides = ndimage.find_objects((pieces == int(sizes.argmax()) + 1).astype(np.int8))[0]
    across = [_wider(sides[axis], MARGIN_MM / grid.spacing_mm[axis], pet.shape[axis]) for axis in (0, 1)]
    return Head((across[0], across[1], slice(bottom, top)), length_mm)


def _varies(plane: NDArray[np.float32]) -> bool:
    """Whether a plane, (I, J), holds more than padding by one value or NaN."""
    finite = plane[np.isfinite(plane)]
    return finite.size > 0 and bool(finite.max() > finite.min())


def _wider(side: slice, margin: float, n: int) -> slice:
    more = int(np.ceil(margin))
    return slice(max(0, side.start - more), min(n, side.stop + more))
