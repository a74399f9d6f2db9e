"""Three views of a brain side by side: cut through one point or seen along the axes, with sides and outlines.

Axes are of millimetres. Which side is on the left says ``Display``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid
from synthpet.report.display import Display
from synthpet.report.viewer import Layer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN_MM = 6.0  # shown around the brain
GAP_MM = 4.0  # between views
SIZE = 9.0  # of letters, in points
LESION_COLOUR = "lime"  # everywhere; candidates are cyan


class View(NamedTuple):
    """One of three views in a row: which voxels it shows of a plane across ``axis``, and where it lies in the row.

    ``mirrored``: the first axis runs to the left.
    """

    axis: int
    box: tuple[slice, slice]  # voxels along the plane's two axes, the second upwards
    size_mm: tuple[float, float]
    left_mm: float
    mirrored: bool = False

    def place(self, voxel: NDArray) -> tuple[float, float]:
        """Where the centre of a voxel (i, j, k) lies in the row, in mm."""
        count = np.array([s.stop - s.start for s in self.box])
        inside = [voxel[a] - s.start + 0.5 for a, s in zip(_others(self.axis), self.box, strict=True)]
        x, y = np.array(inside) * self.size_mm / count
        return self.left_mm + float(self.size_mm[0] - x if self.mirrored else x), float(y)


def views_of(mask: NDArray[np.bool_], grid: Grid, display: Display) -> list[View]:
    """Three views cut to the brain, side by side."""
    views: list[View] = []
    left = 0.0
    for axis in (2, 1, 0):
        box = []
        for a in _others(axis):
            inside = np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != a)))
            margin = round(MARGIN_MM / grid.spacing_mm[a])
            box.append(slice(max(0, int(inside[0]) - margin), min(grid.shape[a], int(inside[-1]) + 1 + margin)))
        wide, high = ((s.stop - s.start) * grid.spacing_mm[a] for a, s in zip(_others(axis), box, strict=True))
        views.append(View(axis, (box[0], box[1]), (wide, high), left, display.radiological and axis != 0))
        left += wide + GAP_MM
    return views


def draw_projections(
    axes: "Axes", views: Sequence[View], layer: Layer, labels: NDArray, lesion: NDArray[np.bool_] | None,
    mask: NDArray[np.bool_], n_bold: int | None = None, size: float = SIZE,
) -> None:  # fmt: skip
    """The projections in axes of millimetres, from ``rows_in``.

    Args:
        axes: to draw in.
        views: from ``views_of``.
        layer: the z-map, 0 outside the brain.
        labels: as for ``projections``, and so ``lesion``, ``mask`` and ``n_bold``.
        lesion: see there.
        mask: see there.
        n_bold: see there.
        size: of the letters, in points.
    """
    from matplotlib.patheffects import withStroke

    for view, title in zip(views, ("from above", "from the front", "from the side"), strict=True):
        _draw(axes, view, layer.volume.max(axis=view.axis), layer, title, size)
        for outline, colour in ((mask, "grey"), (lesion, LESION_COLOUR)):
            if outline is not None:
                _outline(axes, view, outline.any(axis=view.axis), colour)
        for rank in range(1, int(labels.max()) + 1):
            peak = np.unravel_index(np.argmax(np.where(labels == rank, layer.volume, -np.inf)), labels.shape)
            x, y = view.place(np.array(peak))
            rim = [withStroke(linewidth=size / 3.6, foreground="black")]  # read on bright places, too
            bold = n_bold is None or rank <= n_bold
            look: dict[str, Any] = (
                {"fontsize": size * 11 / 9, "weight": "bold", "color": "white"}
                if bold
                else {"fontsize": size * 8 / 9, "color": "0.8"}
            )
            axes.text(x, y, str(rank), ha="center", va="center", path_effects=rim, **look)


def draw_planes(
    rows: "Sequence[Axes]", views: Sequence[View], layers: Sequence[Layer], grid: Grid, point_mm: Sequence[float], *,
    outlined: NDArray[np.bool_] | None = None, colour: str = "cyan", size: float = SIZE,
) -> None:  # fmt: skip
    """The planes in axes of millimetres, one a layer, from ``rows_in``.

    Args:
        rows: to draw in.
        views: from ``views_of``.
        layers: as for ``planes``, and so the others.
        grid: see there.
        point_mm: see there.
        outlined: see there.
        colour: see there.
        size: of the letters, in points.
    """
    for layer, row in zip(layers, rows, strict=True):
        for view, name in zip(views, ("axial", "coronal", "sagittal"), strict=True):
            index = _index(grid, view.axis, point_mm[view.axis])
            title = f"{name}, {'xyz'[view.axis]} = {point_mm[view.axis]:.0f} mm" if layer is layers[0] else ""
            _draw(row, view, layer.volume.take(index, view.axis), layer, title, size)
            if outlined is not None:
                _outline(row, view, outlined.take(index, view.axis), "black" if _is_light(layer) else colour)
        _name(row, layer, size)


def rows_in(
    figure: "Figure", box: tuple[float, float, float, float], n: int, views: Sequence[View], gap: float
) -> "list[Axes]":
    """``n`` rows of three views in a part of a figure, the first at the top; one pair of axes in mm a row.

    Args:
        figure: to draw in.
        box: left, bottom, width and height, as shares of the figure.
        n: rows.
        views: from ``views_of``.
        gap: between rows, as a share of the figure's height.
    """
    left, bottom, width, height = box
    tall, rows = (height + gap) / n - gap, []
    for k in range(n):
        axes = figure.add_axes((left, bottom + (n - 1 - k) * (tall + gap), width, tall))
        axes.set(xlim=(0, _wide(views)), ylim=(0, _high(views)))
        axes.set_axis_off()
        rows.append(axes)
    return rows


def row_height(views: Sequence[View], width: float) -> float:
    """Of a row of this width, in the same unit."""
    return width * _high(views) / _wide(views)


def _wide(views: Sequence[View]) -> float:
    return views[-1].left_mm + views[-1].size_mm[0]


def _high(views: Sequence[View]) -> float:
    return max(view.size_mm[1] for view in views)


def _draw(axes: "Axes", view: View, plane: NDArray, layer: Layer, title: str, size: float) -> None:
    """One view of a layer with its sides marked; ``plane`` is (first axis, second axis) over the whole grid."""
    wide, high = view.size_mm
    left, right = view.left_mm, view.left_mm + wide
    axes.imshow(
        plane[view.box].T[:, :: -1 if view.mirrored else 1], origin="lower", extent=(left, right, 0, high),
        cmap=layer.colours, vmin=layer.shown[0], vmax=layer.shown[1], interpolation="nearest", aspect="auto",
    )  # fmt: skip
    marks = ("P", "A") if view.axis == 0 else ("R", "L") if view.mirrored else ("L", "R")
    ink = "black" if _is_light(layer) else "white"
    for mark, x, side in zip(marks, (left + 3, right - 3), ("left", "right"), strict=True):
        axes.text(x, high - 3, mark, color=ink, ha=side, va="top", fontsize=size, weight="bold")
    if title:
        axes.text((left + right) / 2, axes.get_ylim()[1] + 2, title, ha="center", va="bottom", fontsize=size)


def _name(axes: "Axes", layer: Layer, size: float) -> None:
    """What the row shows, at its lower left."""
    ink = "black" if _is_light(layer) else "white"
    axes.text(3, 3, layer.title, color=ink, ha="left", va="bottom", fontsize=size * 8 / 9)


def _is_light(layer: Layer) -> bool:
    """Whether what lies outside the brain is shown as nearly white."""
    from matplotlib import colormaps

    low, high = layer.shown
    return float(np.mean(colormaps[layer.colours](np.clip(-low / (high - low), 0, 1))[:3])) > 0.5


def _outline(axes: "Axes", view: View, plane: Any, colour: str) -> None:
    if not plane[view.box].any():
        return
    start = [s.start for s in view.box]
    corner = np.zeros(3)
    corner[list(_others(view.axis))] = start
    (x, y), (dx, dy) = view.place(corner), np.array(view.size_mm) / plane[view.box].shape
    across, up = (np.arange(n) for n in plane[view.box].shape)
    axes.contour(
        x + dx * across * (-1 if view.mirrored else 1),
        y + dy * up,
        plane[view.box].T.astype(float),
        levels=[0.5],
        colors=colour,
        linewidths=1,
    )


def _others(axis: int) -> tuple[int, int]:
    across, up = (a for a in range(3) if a != axis)
    return across, up


def _index(grid: Grid, axis: int, position_mm: float) -> int:
    index = round((position_mm - grid.matrix[axis, 3]) / grid.spacing_mm[axis])
    return int(np.clip(index, 0, grid.shape[axis] - 1))
