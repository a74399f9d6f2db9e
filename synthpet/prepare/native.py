"""Back from the template to the person's own T1: points, maps and labels, by the transforms that ``prepare`` kept."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid
from synthpet.prepare.itk import RAS_TO_LPS, resample
from synthpet.prepare.transform import AFFINE, Transform

ABOUT = "about.json"  # beside the transforms; its ``native_grid`` is the whole grid of the raw T1


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
        """Read ``transforms/`` of a prepared person; None: not there, or without the raw T1's grid."""
        about = Path(folder) / ABOUT
        if not about.is_file() or not (Path(folder) / AFFINE).is_file():
            return None
        native = json.loads(about.read_text()).get("native_grid")
        if native is None:
            return None
        files = tuple(sorted(path for path in Path(folder).iterdir() if path.is_file()))
        return cls(Grid.of(tuple(native["shape"]), np.array(native["affine"])), Transform.read(folder), files)

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
