"""Pictures of what a detector finds: projections, planes through a candidate, what controls show, FROC curves.

Sides are marked, and ``Display`` says which is on the left. Figures are made without pyplot, so that several can be
drawn at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid
from synthpet.cohort.modality import modality
from synthpet.report.display import Display
from synthpet.report.scales import (
    DIFFERENCE_COLOURS,
    PET_COLOURS,
    SPREAD_COLOURS,
    T1W_COLOURS,
    T1W_SHOWN,
    Z_COLOURS,
    Z_SHOWN,
    suvr_top,
)
from synthpet.report.viewer import Layer
from synthpet.template.smoothing import smooth_within
from uad.scores.lesions import FrocPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEUROLOGICAL = Display()
MIDDLE_MM = (-26.0, -18.0, 8.0)  # x, y, z of the planes that show a whole brain
MARGIN_MM = 6.0  # shown around the brain
GAP_MM = 4.0  # between views
WIDTH_INCHES = 7.6  # of three views
DPI = 120
DIFFERENCE_FWHM_MM = 8.0  # of both PETs before their difference is shown
DIFFERENCE_SHOWN = (-30.0, 30.0)  # percent
LEAST_EXPECTED = 0.4  # of the brain's mean, for a difference in percent
LESION_COLOUR = "lime"  # everywhere; candidates are cyan
BOLD, FAINT = (11, "bold", "white"), (8, "normal", "0.8")  # size, weight and colour of a rank
OUTLINES = ("black", "cyan", "grey", "red", LESION_COLOUR)


def t1w_layer(t1w: NDArray) -> Layer:
    """The T1 as scaled by ``scale_t1w``, on its fixed scale."""
    return Layer("T1", t1w, T1W_COLOURS, T1W_SHOWN, "T1, scaled")


def pet_layer(pet: NDArray, normal: NDArray | None = None, colours: str = PET_COLOURS) -> Layer:
    """The PET in SUVR, on the one scale of its controls' mean PET ``normal`` (I, J, K; NaN: unknown there)."""
    top = suvr_top([] if normal is None or np.isnan(normal).all() else [float(np.nanmax(normal))])
    return Layer("PET", pet, colours, (0.0, top), "PET, SUVR", pet=True)


def expected_layer(usual: NDArray, mask: NDArray[np.bool_], pet: Layer, title: str) -> Layer:
    """What a PET is compared with, (I, J, K), SUVR, NaN: unknown there; within the brain, on the scale of ``pet``."""
    return replace(pet, title=title, volume=np.nan_to_num(usual) * mask, unit="SUVR")


def difference_layer(pet: NDArray, usual: NDArray, mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> Layer:
    """Measured PET against what it is compared with in percent, blue where the measured one is lower.

    Both are smoothed within the brain first: voxel by voxel the difference would be mostly noise. Where next to no
    uptake is expected, as in the ventricles, a percentage says nothing: 0 is shown.

    Args:
        pet: (I, J, K), SUVR.
        usual: (I, J, K), SUVR; NaN: unknown there.
        mask: (I, J, K), the brain.
        spacing_mm: voxel size.
    """
    known = mask & np.isfinite(usual)
    measured, expected = (smooth_within(image, known, DIFFERENCE_FWHM_MM, spacing_mm) for image in (pet, usual))
    enough = known & (expected > LEAST_EXPECTED * expected.sum() / max(1, known.sum()))
    percent = np.divide(100 * (measured - expected), expected, out=np.zeros_like(expected), where=enough)
    return Layer("difference", percent, DIFFERENCE_COLOURS, DIFFERENCE_SHOWN, "difference, %")


def other_layer(name: str, image: NDArray) -> Layer:
    """An image (I, J, K) of another modality, scaled as it says, on the scale of the T1."""
    kind = modality(name)
    return Layer(name.upper(), image, kind.colours, T1W_SHOWN, f"{kind.words}, scaled")


def z_layer(z: NDArray) -> Layer:
    """The anomaly map, high = abnormal, on its fixed scale."""
    return Layer("anomaly map", z, Z_COLOURS, Z_SHOWN, "z")


def projections(
    z: NDArray, labels: NDArray, lesion: NDArray[np.bool_] | None, mask: NDArray[np.bool_], grid: Grid,
    n_bold: int | None = None, display: Display = NEUROLOGICAL,
) -> bytes:  # fmt: skip
    """Maximum-intensity projections of a z-map along the three axes, as PNG.

    Args:
        z: (I, J, K), high = abnormal.
        labels: (I, J, K), rank of the cluster a voxel belongs to; a rank stands at its cluster's brightest voxel.
        lesion: (I, J, K), outlined where known.
        mask: (I, J, K), the brain, outlined.
        grid: of all four, RAS+.
        n_bold: ranks up to it are bold, the others small and grey; None: all are bold.
        display: which side is left.
    """
    from matplotlib.patheffects import withStroke

    figure, rows = _rows(1, views := _views(mask, grid, display))
    layer = replace(z_layer(np.where(mask, z, 0)), unit="z, brighter = more suspicious")
    for view, title in zip(views, ("from above", "from the front", "from the side"), strict=True):
        _draw(rows[0], view, layer.volume.max(axis=view.axis), layer, title)
        for outline, colour in ((mask, "grey"), (lesion, LESION_COLOUR)):
            if outline is not None:
                _outline(rows[0], view, outline.any(axis=view.axis), colour)
        for rank in range(1, int(labels.max()) + 1):
            peak = np.unravel_index(np.argmax(np.where(labels == rank, z, -np.inf)), z.shape)
            x, y = view.place(np.array(peak))
            rim = [withStroke(linewidth=2.5, foreground="black")]  # read on bright places, too
            bold = n_bold is None or rank <= n_bold
            look: dict[str, Any] = (
                {"fontsize": 11, "weight": "bold", "color": "white"} if bold else {"fontsize": 8, "color": "0.8"}
            )
            rows[0].text(x, y, str(rank), ha="center", va="center", path_effects=rim, **look)
    _bar(figure, rows[0], layer)
    return _png(figure, [layer.colours])


def planes(
    layers: Sequence[Layer], mask: NDArray[np.bool_], grid: Grid, point_mm: Sequence[float] = MIDDLE_MM, *,
    outlined: NDArray[np.bool_] | None = None, colour: str = "cyan", display: Display = NEUROLOGICAL,
) -> bytes:  # fmt: skip
    """Images, one a row, cut in three planes through one point, as PNG.

    Args:
        layers: what is shown.
        mask: (I, J, K), the brain: gives the frame.
        grid: of all images, RAS+.
        point_mm: x, y, z.
        outlined: (I, J, K), drawn as a contour in every plane, such as a cluster.
        colour: of the contour.
        display: which side is left.
    """
    figure, rows = _rows(len(layers), views := _views(mask, grid, display))
    for layer, row in zip(layers, rows, strict=True):
        for view, name in zip(views, ("axial", "coronal", "sagittal"), strict=True):
            index = _index(grid, view.axis, point_mm[view.axis])
            title = f"{name}, {'xyz'[view.axis]} = {point_mm[view.axis]:.0f} mm" if layer is layers[0] else ""
            _draw(row, view, layer.volume.take(index, view.axis), layer, title)
            if outlined is not None:
                _outline(row, view, outlined.take(index, view.axis), "black" if _is_light(layer) else colour)
        _name(row, layer)
        _bar(figure, row, layer)
    return _png(figure, [layer.colours for layer in layers])


def froc_curve(curves: Mapping[str, Sequence[FrocPoint]], at: float) -> bytes:
    """PNG of FROC curves: share of lesions found against false clusters per real control.

    Args:
        curves: points from strict to lenient, by name.
        at: the calibrated rate of false clusters, marked.
    """
    from matplotlib.figure import Figure

    from synthpet.report.figures import png

    figure = Figure(figsize=(5.6, 3.8), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for name, points in curves.items():
        rate, found = ([0.0, *(getattr(p, key) for p in points)] for key in ("false_per_scan", "sensitivity"))
        axes.step(rate, found, where="post", label=name, linewidth=1.8)
    axes.axvline(at, color="0.5", linestyle=":", label="calibrated threshold")
    axes.set(ylim=(-0.02, 1.02), xlim=(0, None))
    axes.set_xlabel("false clusters per real control")
    axes.set_ylabel("share of lesions found")
    axes.grid(color="0.9")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure, DPI)


def controls(mean_z: NDArray, exceedance: NDArray, grid: Grid, display: Display = NEUROLOGICAL) -> bytes:
    """PNG of what healthy controls show in three planes: mean |z|, and how often they exceed the threshold.

    Args:
        mean_z: (I, J, K).
        exceedance: (I, J, K), share of the controls.
        grid: of both, RAS+.
        display: which side is left.
    """
    layers = [
        Layer("mean |z|", mean_z, SPREAD_COLOURS, (0.0, 2.0), "mean of |z|"),
        Layer("above threshold", 100 * exceedance, Z_COLOURS, (0.0, 50.0), "% of controls above"),
    ]
    return planes(layers, mean_z > 0, grid, display=display)


class _View(NamedTuple):
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


def _views(mask: NDArray[np.bool_], grid: Grid, display: Display) -> list[_View]:
    """Three views cut to the brain, side by side."""
    views: list[_View] = []
    left = 0.0
    for axis in (2, 1, 0):
        box = []
        for a in _others(axis):
            inside = np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != a)))
            margin = round(MARGIN_MM / grid.spacing_mm[a])
            box.append(slice(max(0, int(inside[0]) - margin), min(grid.shape[a], int(inside[-1]) + 1 + margin)))
        wide, high = ((s.stop - s.start) * grid.spacing_mm[a] for a, s in zip(_others(axis), box, strict=True))
        views.append(_View(axis, (box[0], box[1]), (wide, high), left, display.radiological and axis != 0))
        left += wide + GAP_MM
    return views


def _rows(n: int, views: Sequence[_View]) -> "tuple[Figure, list[Axes]]":
    """A figure of n rows, each one pair of axes in mm that holds the three views: fewer axes, drawn faster."""
    from matplotlib.figure import Figure

    wide = views[-1].left_mm + views[-1].size_mm[0]
    high = max(view.size_mm[1] for view in views)
    tall = WIDTH_INCHES * high / wide
    size = (WIDTH_INCHES + 0.8, n * (tall + 0.08) + 0.22)
    figure = Figure(figsize=size, facecolor="white")
    rows = []
    for k in range(n):
        bottom = (n - 1 - k) * (tall + 0.08)
        axes = figure.add_axes((0, bottom / size[1], WIDTH_INCHES / size[0], tall / size[1]))
        axes.set(xlim=(0, wide), ylim=(0, high))
        axes.set_axis_off()
        rows.append(axes)
    return figure, rows


def _draw(axes: "Axes", view: _View, plane: NDArray, layer: Layer, title: str) -> None:
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
        axes.text(x, high - 3, mark, color=ink, ha=side, va="top", fontsize=9, weight="bold")
    if title:
        axes.text((left + right) / 2, axes.get_ylim()[1] + 2, title, ha="center", va="bottom", fontsize=9)


def _name(axes: "Axes", layer: Layer) -> None:
    """What the row shows, at its lower left."""
    ink = "black" if _is_light(layer) else "white"
    axes.text(3, 3, layer.title, color=ink, ha="left", va="bottom", fontsize=8)


def _is_light(layer: Layer) -> bool:
    """Whether what lies outside the brain is shown as nearly white."""
    from matplotlib import colormaps

    low, high = layer.shown
    return float(np.mean(colormaps[layer.colours](np.clip(-low / (high - low), 0, 1))[:3])) > 0.5


def _outline(axes: "Axes", view: _View, plane: Any, colour: str) -> None:
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


def _bar(figure: "Figure", axes: "Axes", layer: Layer) -> None:
    from matplotlib.ticker import MaxNLocator

    box = axes.get_position()
    bar = figure.add_axes((box.x1 + 0.01, box.y0 + 0.08 * box.height, 0.012, 0.84 * box.height))
    figure.colorbar(axes.images[0], cax=bar, ticks=MaxNLocator(4))
    bar.set_ylabel(layer.unit, fontsize=8)
    bar.tick_params(labelsize=8)


def _others(axis: int) -> tuple[int, int]:
    across, up = (a for a in range(3) if a != axis)
    return across, up


def _index(grid: Grid, axis: int, position_mm: float) -> int:
    index = round((position_mm - grid.matrix[axis, 3]) / grid.spacing_mm[axis])
    return int(np.clip(index, 0, grid.shape[axis] - 1))


def _png(figure: "Figure", colours: Sequence[str]) -> bytes:
    """The figure as PNG with a palette of evenly spaced colours of its maps: a page of ten candidates stays small."""
    import io

    from matplotlib import colormaps
    from matplotlib.colors import to_rgb
    from PIL import Image
    from scipy.spatial import cKDTree

    from synthpet.report.figures import png

    maps = dict.fromkeys(["gray", *colours])
    shades = [colormaps[name](np.linspace(0, 1, 248 // len(maps)))[:, :3] for name in maps]
    table = (255 * np.concatenate([*shades, [to_rgb(colour) for colour in OUTLINES]])).round().astype(np.uint8)
    pixels = np.asarray(Image.open(io.BytesIO(png(figure, DPI))).convert("RGB")).astype(np.int64)
    found, place = np.unique(pixels @ (1 << 16, 1 << 8, 1), return_inverse=True)  # nearest by hand: Pillow's is rough
    nearest = cKDTree(table).query(np.column_stack([found >> 16, (found >> 8) & 255, found & 255]))[1]
    picture, stream = Image.fromarray(nearest[place].reshape(pixels.shape[:2]).astype(np.uint8), "P"), io.BytesIO()
    picture.putpalette(table.tobytes())
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
