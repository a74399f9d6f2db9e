"""Pictures of what a detector finds: projections, planes through a candidate, what controls show, FROC curves.

Sides are the person's own: the left of the brain is on the left of the picture. Figures are made without pyplot, so
that several can be drawn at once.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid
from uad.detection import FrocPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

VIEWS = (("from above", 2), ("from the front", 1), ("from the side", 0))
PLANES = (("axial", 2), ("coronal", 1), ("sagittal", 0))
Z_SHOWN = (1.0, 6.0)  # the same scale in every picture
T1W_SHOWN = (0.0, 1.1)  # of the scaled T1
PET_SHOWN = (0.0, 1.8)  # SUVR
MIDDLE_MM = (-26.0, -18.0, 8.0)  # x, y, z of the planes that show a whole brain
MARGIN_MM = 6.0  # shown around the brain
DPI = 90


class Layer(NamedTuple):
    """An image and the one scale on which it is shown."""

    title: str
    volume: NDArray  # (I, J, K)
    colours: str
    shown: tuple[float, float]
    unit: str


def t1w_layer(t1w: NDArray) -> Layer:
    """The T1 as scaled by ``scale_t1w``, on its fixed scale."""
    return Layer("T1", t1w, "gray", T1W_SHOWN, "T1, scaled")


def pet_layer(pet: NDArray) -> Layer:
    """The PET in SUVR, on its fixed scale."""
    return Layer("PET", pet, "inferno", PET_SHOWN, "PET, SUVR")


def projections(
    z: NDArray, labels: NDArray, lesion: NDArray[np.bool_] | None, mask: NDArray[np.bool_], grid: Grid
) -> bytes:
    """Maximum-intensity projections of a z-map along the three axes, as PNG.

    Args:
        z: (I, J, K), high = abnormal.
        labels: (I, J, K), rank of the cluster a voxel belongs to; a rank stands at its cluster's brightest voxel.
        lesion: (I, J, K), outlined where known.
        mask: (I, J, K), the brain, outlined.
        grid: of all four, RAS+.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.6), layout="constrained", facecolor="white")
    axes = figure.subplots(1, 3)
    for axis_of, (title, axis) in zip(axes, VIEWS, strict=True):
        shown = _draw(axis_of, np.where(mask, z, 0).max(axis=axis).T, grid, axis, "magma", Z_SHOWN)
        for outline, colour in ((mask, "grey"), (lesion, "cyan")):
            if outline is not None:
                _outline(axis_of, outline.any(axis=axis).T, grid, axis, colour)
        _write_ranks(axis_of, z, labels, axis, grid)
        _frame(axis_of, mask, grid, axis, "white")
        axis_of.set_title(title, fontsize=10)
    figure.colorbar(shown, ax=axes, label="z, brighter = more suspicious", shrink=0.8)
    return _png(figure)


def planes(
    layers: Sequence[Layer], mask: NDArray[np.bool_], grid: Grid, point_mm: Sequence[float] = MIDDLE_MM, *,
    outlined: NDArray[np.bool_] | None = None, colour: str = "cyan",
) -> bytes:  # fmt: skip
    """Images, one a row, cut in three planes through one point, as PNG.

    Args:
        layers: what is shown.
        mask: (I, J, K), the brain: gives the frame.
        grid: of all images, RAS+.
        point_mm: x, y, z.
        outlined: (I, J, K), drawn as a contour in every plane, such as a cluster.
        colour: of the contour.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8.2, 0.3 + 2.6 * len(layers)), layout="constrained", facecolor="white")
    rows = figure.subplots(len(layers), 3, squeeze=False)
    for layer, row in zip(layers, rows, strict=True):
        for axes, (name, axis) in zip(row, PLANES, strict=True):
            index = _index(grid, axis, point_mm[axis])
            shown = _draw(axes, layer.volume.take(index, axis).T, grid, axis, layer.colours, layer.shown)
            if outlined is not None and outlined.take(index, axis).any():
                _outline(axes, outlined.take(index, axis).T, grid, axis, colour)
            _frame(axes, mask, grid, axis, "white")
            if layer is layers[0]:
                axes.set_title(f"{name}, {'xyz'[axis]} = {point_mm[axis]:.0f} mm", fontsize=9)
        bar = figure.colorbar(shown, ax=row, shrink=0.85, pad=0.01, ticks=MaxNLocator(4))
        bar.set_label(layer.unit, fontsize=8)
        bar.ax.tick_params(labelsize=8)
    return _png(figure)


def froc_curve(curves: Mapping[str, Sequence[FrocPoint]], at: float) -> bytes:
    """PNG of FROC curves: share of lesions found against false clusters per held-out control.

    Args:
        curves: points from strict to lenient, by name.
        at: the calibrated rate of false clusters, marked.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.8), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for name, points in curves.items():
        rate, found = ([0.0, *(getattr(p, key) for p in points)] for key in ("false_per_scan", "sensitivity"))
        axes.step(rate, found, where="post", label=name, linewidth=1.8)
    axes.axvline(at, color="0.5", linestyle=":", label="calibrated threshold")
    axes.set(ylim=(-0.02, 1.02), xlim=(0, None))
    axes.set_xlabel("false clusters per held-out control")
    axes.set_ylabel("share of lesions found")
    axes.grid(color="0.9")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def controls(mean_z: NDArray, exceedance: NDArray, grid: Grid) -> bytes:
    """PNG of what healthy controls show in three planes: mean |z|, and how often they exceed the threshold.

    Args:
        mean_z: (I, J, K).
        exceedance: (I, J, K), share of the controls.
        grid: of both, RAS+.
    """
    layers = [
        Layer("mean |z|", mean_z, "viridis", (0.0, 2.0), "mean of |z|"),
        Layer("above threshold", 100 * exceedance, "magma", (0.0, 50.0), "% of controls above"),
    ]
    return planes(layers, mean_z > 0, grid)


def _draw(axes: "Axes", plane: NDArray, grid: Grid, axis: int, colours: str, shown: tuple[float, float]) -> "AxesImage":
    """A plane, rows upwards, in mm; voxel centres lie where they belong."""
    across, up = _others(axis)
    low, size = grid.matrix[:3, 3], np.array(grid.spacing_mm)
    first, last = low - size / 2, low + size * (np.array(grid.shape) - 0.5)
    axes.set_facecolor("black")
    return axes.imshow(
        plane, origin="lower", extent=(first[across], last[across], first[up], last[up]), cmap=colours,
        vmin=shown[0], vmax=shown[1], interpolation="nearest",
    )  # fmt: skip


def _outline(axes: "Axes", plane: Any, grid: Grid, axis: int, colour: str) -> None:
    across, up = (grid.matrix[a, 3] + grid.spacing_mm[a] * np.arange(grid.shape[a]) for a in _others(axis))
    axes.contour(across, up, plane.astype(float), levels=[0.5], colors=colour, linewidths=1)


def _frame(axes: "Axes", mask: NDArray[np.bool_], grid: Grid, axis: int, ink: str) -> None:
    """Cut the view to the brain, take off the ticks, mark the sides."""
    limits = []
    for a in _others(axis):
        place = np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != a)))
        ends = grid.matrix[a, 3] + grid.spacing_mm[a] * np.array([place[0], place[-1]])
        limits.append((ends[0] - MARGIN_MM, ends[1] + MARGIN_MM))
    axes.set(xlim=limits[0], ylim=limits[1], xticks=[], yticks=[])
    for mark, x, side in zip(("P", "A") if axis == 0 else ("L", "R"), (0.02, 0.98), ("left", "right"), strict=True):
        axes.text(
            x, 0.97, mark, transform=axes.transAxes, color=ink, ha=side, va="top", fontsize=9, weight="bold"
        )  # fmt: skip


def _write_ranks(axes: "Axes", z: NDArray, labels: NDArray, axis: int, grid: Grid) -> None:
    across, up = _others(axis)
    for rank in range(1, int(labels.max()) + 1):
        peak = np.unravel_index(np.argmax(np.where(labels == rank, z, -np.inf)), z.shape)
        point = grid.matrix[:3, :3] @ peak + grid.matrix[:3, 3]
        axes.text(point[across], point[up], str(rank), color="white", ha="center", va="center", fontsize=9)


def _others(axis: int) -> tuple[int, int]:
    across, up = (a for a in range(3) if a != axis)
    return across, up


def _index(grid: Grid, axis: int, position_mm: float) -> int:
    index = round((position_mm - grid.matrix[axis, 3]) / grid.spacing_mm[axis])
    return int(np.clip(index, 0, grid.shape[axis] - 1))


def _png(figure: object) -> bytes:
    from synthpet.report.figures import png

    return png(figure, DPI)  # type: ignore[arg-type]
