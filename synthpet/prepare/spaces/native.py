"""Back from the template to the person's own T1: points, maps and labels, by the transforms that ``prepare`` kept."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError
from synthpet.prepare.spaces.itk import RAS_TO_LPS, resample
from synthpet.prepare.spaces.transform import AFFINE, INVERSE_WARP, RIGID, WARP, Transform

ABOUT = "about.json"  # beside the transforms; its ``native_grid`` is the whole grid of the raw T1


FILES = (ABOUT, AFFINE, WARP, INVERSE_WARP, *RIGID.values())
MAX_TEXT_BYTES = 1_000_000
MAX_VOXELS = 2**28  # of a raw T1: 0.25 mm is a grid of half of it


@dataclass(frozen=True)
class NativeSpace:
    """A person's own space: the grid of the raw T1 (RAS+) and the transform between it and the template.

    ``files``: those that both were read from.
    """

    grid: Grid
    transform: Transform
    files: tuple[Path, ...] = ()

    @classmethod
    def beside(cls, t1w: Path) -> "NativeSpace | None":
        """The space of a prepared T1, from ``transforms/`` beside its ``anat/``; None: there is none."""
        return cls.read(Path(t1w).absolute().parent.parent / "transforms")

    @classmethod
    def read(cls, folder: Path) -> "NativeSpace | None":
        """Read ``transforms/`` of a prepared person; None: not there, or without the raw T1's grid.

        Raises:
            DataError: the files are not as ``prepare`` writes them, or claim a grid that no T1 has.
        """
        folder = Path(folder)
        if not (folder / ABOUT).is_file() or not (folder / AFFINE).is_file():
            return None
        native = read_json_object(folder / ABOUT).get("native_grid")
        if native is None:
            return None
        grid = _grid(folder / ABOUT, native)
        files = tuple(sorted(path for name in FILES if (path := folder / name).is_file()))
        for path in files:
            if path.suffix != ".gz" and path.stat().st_size > MAX_TEXT_BYTES:
                raise DataError(f"E_TRANSFORM {path}: {path.stat().st_size:,} bytes; expected a few lines of text")
        try:
            return cls(grid, Transform.read(folder), files)
        except (RuntimeError, AttributeError) as error:  # of ITK: another kind of transform, or none
            words = (str(error).strip().splitlines() or ["no words"])[-1]
            raise DataError(f"E_TRANSFORM {folder}: cannot be read ({words}); prepare this person again") from error

    def points(self, template_mm: NDArray) -> NDArray[np.float64]:
        """Where points of the template lie in the raw T1: (n, 3) to (n, 3), both RAS+ millimetres."""
        flip = np.diag(RAS_TO_LPS)[:3]
        to_native = self.transform.template_to_native
        lps = np.atleast_2d(np.asarray(template_mm, np.float64)) * flip
        return np.array([to_native.TransformPoint(point.tolist()) for point in lps]) * flip

    def resample(self, data: NDArray, grid: Grid, *, labels: bool = False) -> NDArray[np.float32]:
        """Bring an image of the template onto the raw T1's grid, 0 outside.

        Args:
            data: (I, J, K) on ``grid``.
            grid: in template space.
            labels: take the nearest voxel instead of interpolating linearly.
        """
        return resample(data, grid, self.grid, self.transform.native_to_template, nearest=labels)

    def missed_percent(self, template_mm: NDArray) -> float:
        """Share of points of the template, (n, 3) RAS+ mm, that lie outside the raw T1's field of view, in percent."""
        native = self.points(template_mm)
        index = np.column_stack([native, np.ones(len(native))]) @ np.linalg.inv(self.grid.matrix).T
        inside = ((index[:, :3] >= -0.5) & (index[:, :3] <= np.array(self.grid.shape) - 0.5)).all(1)
        return 100 * float((~inside).mean())


def _grid(path: Path, native: Any) -> Grid:
    """The grid that a file claims, if a T1 can have it."""
    try:
        shape, affine = tuple(native["shape"]), np.array(native["affine"], float)
        if not all(type(n) is int and n > 0 for n in shape) or len(shape) != 3 or math.prod(shape) > MAX_VOXELS:
            raise ValueError(f"shape {shape}")
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise ValueError("an affine that maps nowhere")
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"E_GRID {path}: native_grid cannot be that of a T1 ({error}); expected three numbers of voxels, together "
            f"at most {MAX_VOXELS:,}, and an affine; prepare this person again"
        ) from error
    return Grid.of(shape, affine)
