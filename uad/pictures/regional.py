"""Each gyrus and nucleus of the template in the colour of a value, in axial and coronal slices."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthpet.report.display import Display
from synthpet.report.scales import DIFFERENCE_COLOURS
from synthpet.template.gyri import named_gyri
from synthpet.template.icbm import template_grid, template_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

SHOWN = (-4.0, 4.0)  # z, everywhere
RESOLUTION_MM = 2.0  # of the drawing, whatever the grid of the images
SLICES = ((2, (-32.0, -20.0, -8.0, 6.0, 22.0, 40.0)), (1, (44.0, 18.0, -6.0, -28.0, -54.0, -80.0)))  # axis, mm
BRAIN, UNKNOWN = (0.9, 0.9, 0.9), (0.6, 0.6, 0.6)  # white matter and what else is brain; grey matter not judged
MARGIN_MM, TITLE_MM = 6.0, 16.0
WIDTH_INCHES = 7.6  # of the slices, as in the other pictures of a page
DPI = 110


def regional_map(z: NDArray[np.float64], display: Display) -> bytes:
    """PNG of the template's regions, each in the colour of its z.

    Args:
        z: (regions, 2), left and right, in the order of ``gyrus_points().names``; NaN: not judged.
        display: which side is left.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from synthpet.report.figures import png

    boxes = [_box(axis) for axis, _ in SLICES]
    sizes = [_size_mm(box) for box in boxes]
    wide, high = sizes[0][0] * len(SLICES[0][1]), sum(tall + TITLE_MM for _, tall in sizes)
    tall = WIDTH_INCHES * high / wide
    figure = Figure(figsize=(WIDTH_INCHES + 0.8, tall), facecolor="white")
    axes = figure.add_axes((0, 0, WIDTH_INCHES / (WIDTH_INCHES + 0.8), 1))
    axes.set(xlim=(0, wide), ylim=(0, high))
    axes.set_axis_off()
    colours = colormaps[DIFFERENCE_COLOURS].with_extremes(bad=UNKNOWN)
    step, marks = (-1, "RL") if display.radiological else (1, "LR")
    top = high
    for (axis, places), (across, up) in zip(SLICES, sizes, strict=True):
        for k, mm in enumerate(places):
            place = (across * k, top - TITLE_MM - up, across, up)
            _draw(axes, _cut(z, axis, mm, colours)[:, ::step], place, (f"{'xyz'[axis]} = {mm:g} mm", *marks))
        top -= up + TITLE_MM
    bar = figure.add_axes((axes.get_position().x1 + 0.01, 0.15, 0.012, 0.7))
    figure.colorbar(ScalarMappable(Normalize(*SHOWN), colours), cax=bar, ticks=[-4, -2, 0, 2, 4])
    bar.set_ylabel("z of the region's uptake", fontsize=8)
    bar.tick_params(labelsize=8)
    return png(figure, DPI)


@cache
def _template() -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Regions and brain of the template as it is drawn, (I, J, K) each."""
    grid = template_grid(RESOLUTION_MM)
    return named_gyri(grid).labels, template_images(grid).brain_mask


def _box(axis: int) -> tuple[slice, slice]:
    """The voxels of the template that are shown of a slice across ``axis``: to the right, upwards."""
    brain, margin = _template()[1], round(MARGIN_MM / RESOLUTION_MM)
    box = []
    for a in (a for a in range(3) if a != axis):
        inside = np.flatnonzero(brain.any(axis=tuple(b for b in range(3) if b != a)))
        box.append(slice(max(0, int(inside[0]) - margin), int(inside[-1]) + 1 + margin))
    return box[0], box[1]


def _size_mm(box: tuple[slice, slice]) -> tuple[float, float]:
    across, up = ((s.stop - s.start) * RESOLUTION_MM for s in box)
    return across, up


def _cut(z: NDArray[np.float64], axis: int, mm: float, colours: "Colormap") -> NDArray[np.float64]:
    """One slice in colours, rows upwards, (n, m, 3); white outside the brain."""
    grid, (labels, brain) = template_grid(RESOLUTION_MM), _template()
    index = round((mm - grid.matrix[axis, 3]) / RESOLUTION_MM)
    region, inside = (volume.take(index, axis)[_box(axis)].T for volume in (labels, brain))
    values = np.concatenate([[np.nan], z.ravel()])[region]
    scaled = (values - SHOWN[0]) / (SHOWN[1] - SHOWN[0])
    shown = colours(np.ma.masked_invalid(scaled))[..., :3]
    return np.where((region > 0)[..., None], shown, np.where(inside[..., None], BRAIN, 1.0))


def _draw(
    axes: "Axes", picture: NDArray[np.float64], place: tuple[float, float, float, float], words: tuple[str, ...]
) -> None:
    """One slice; ``place``: left, bottom, width and height in mm; ``words``: title, side on the left and the right."""
    left, bottom, wide, high = place
    axes.imshow(picture, origin="lower", extent=(left, left + wide, bottom, bottom + high), interpolation="nearest")
    brain = (picture < 1).any(axis=-1)
    across, up = (
        np.linspace(start, start + size, n, endpoint=False) + size / n / 2
        for start, size, n in ((left, wide, brain.shape[1]), (bottom, high, brain.shape[0]))
    )
    axes.contour(across, up, brain.astype(float), levels=[0.5], colors="0.3", linewidths=0.8)
    axes.text(left + wide / 2, bottom + high, words[0], ha="center", va="bottom", fontsize=8)
    for mark, x, side in ((words[1], left + 3, "left"), (words[2], left + wide - 3, "right")):
        axes.text(x, bottom + high - 2, mark, ha=side, va="top", fontsize=8, weight="bold", color="0.2")
