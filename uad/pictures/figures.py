"""Pictures of what a detector finds: projections, planes through a candidate, what controls show, FROC curves.

Sides are marked, and ``Display`` says which is on the left. Figures are made without pyplot, so that several can be
drawn at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

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
from uad.pictures.views import LESION_COLOUR, View, draw_planes, draw_projections, row_height, rows_in, views_of
from uad.scores.lesions import FrocPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEUROLOGICAL = Display()
MIDDLE_MM = (-26.0, -18.0, 8.0)  # x, y, z of the planes that show a whole brain
WIDTH_INCHES = 7.6  # of three views
DPI = 120
DIFFERENCE_FWHM_MM = 8.0  # of both PETs before their difference is shown
DIFFERENCE_SHOWN = (-30.0, 30.0)  # percent
LEAST_EXPECTED = 0.4  # of the brain's mean, for a difference in percent
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
    figure, rows = _rows(1, views := views_of(mask, grid, display))
    layer = replace(z_layer(np.where(mask, z, 0)), unit="z, brighter = more suspicious")
    draw_projections(rows[0], views, layer, labels, lesion, mask, n_bold)
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
    figure, rows = _rows(len(layers), views := views_of(mask, grid, display))
    draw_planes(rows, views, layers, grid, point_mm, outlined=outlined, colour=colour)
    for layer, row in zip(layers, rows, strict=True):
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


def _rows(n: int, views: Sequence[View]) -> "tuple[Figure, list[Axes]]":
    """A figure of n rows, each one pair of axes in mm that holds the three views: fewer axes, drawn faster."""
    from matplotlib.figure import Figure

    tall = row_height(views, WIDTH_INCHES)
    size = (WIDTH_INCHES + 0.8, n * (tall + 0.08) + 0.22)
    figure = Figure(figsize=size, facecolor="white")
    top = n * (tall + 0.08) - 0.08
    return figure, rows_in(figure, (0, 0, WIDTH_INCHES / size[0], top / size[1]), n, views, 0.08 / size[1])


def _bar(figure: "Figure", axes: "Axes", layer: Layer) -> None:
    from matplotlib.ticker import MaxNLocator

    box = axes.get_position()
    bar = figure.add_axes((box.x1 + 0.01, box.y0 + 0.08 * box.height, 0.012, 0.84 * box.height))
    figure.colorbar(axes.images[0], cax=bar, ticks=MaxNLocator(4))
    bar.set_ylabel(layer.unit, fontsize=8)
    bar.tick_params(labelsize=8)


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
