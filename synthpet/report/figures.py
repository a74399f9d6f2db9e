"""Figures of brain volumes: slices with sides marked, one fixed scale a column, colour-blind-safe colours.

Figures are made without pyplot, so that nothing is global and threads do not meet.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from synthpet.cohort.images import Grid

# name, axis that is cut, where in mm, marks at the picture's left and right edge
VIEWS = (
    ("axial", 2, 5.0, ("L", "R")),
    ("axial", 2, -22.0, ("L", "R")),
    ("coronal", 1, -14.0, ("L", "R")),
    ("sagittal", 0, 34.0, ("P", "A")),
)
BOX_MM = ((-80, 80), (-116, 84), (-78, 92))  # of x, y, z that is shown: the template's brain and a margin
GAP_MM = 6.0  # between slices
COLOURS = {"mean_pet": "#999999", "mean_brain_pet": "#666666", "synthetic": "#0072B2", "expected": "#009E73"}
# Okabe and Ito's palette: told apart with every common colour vision
CYCLE, DASHES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"), ("-", "--")


@dataclass(frozen=True)
class Panel:
    """One column of a slice figure: a volume and the one scale on which it is shown.

    Args:
        title: what it is, in words.
        volume: (I, J, K) on the figure's grid.
        colours: name of a Matplotlib colour map.
        low: value of the scale's lower end.
        high: value of its upper end.
        unit: of the values.
    """

    title: str
    volume: NDArray
    colours: str
    low: float
    high: float
    unit: str = "SUVR"


def slices(panels: Sequence[Panel], grid: Grid) -> bytes:
    """PNG of volumes side by side, one a column, cut at the same places, one below the other.

    Sides are the person's own, as marked: the left of the brain is on the left of the picture.

    Args:
        panels: the volumes, all on ``grid``.
        grid: in template space, RAS+.
    """
    sizes_mm = [_size_mm(grid, axis) for _, axis, _, _ in VIEWS]
    width_mm = max(wide for wide, _ in sizes_mm)
    tall = 2.0 * (sum(high for _, high in sizes_mm) + GAP_MM * (len(VIEWS) - 1)) / width_mm  # inches
    column = 2.05
    size = (column * len(panels) + 0.3, tall + 1.05)
    figure = Figure(figsize=size, facecolor="white")
    for k, panel in enumerate(panels):
        left = (0.3 + column * k) / size[0]
        axes = figure.add_axes((left, 0.65 / size[1], 2.0 / size[0], tall / size[1]))
        shown = _draw_column(axes, panel, grid, width_mm, named=k == 0)
        bar = figure.add_axes((left + 0.2 / size[0], 0.5 / size[1], 1.6 / size[0], 0.1 / size[1]))
        figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        bar.set_xlabel(panel.unit, fontsize=8, labelpad=1)
        bar.tick_params(labelsize=8)
    return png(figure)


def contact_sheet(rows: Mapping[str, Sequence[Panel]], titles: Sequence[str], grid: Grid) -> bytes:
    """PNG of the same axial slice of many volumes: a row a kind, a column a person, one scale a row.

    Args:
        rows: kind to one panel a person; the panels of a row share their scale.
        titles: of the columns.
        grid: in template space, RAS+.
    """
    _, axis, position_mm, (left, right) = VIEWS[0]
    wide, high = _size_mm(grid, axis)
    column = 1.15  # inches
    size = (column * len(titles) + 0.75, (column * high / wide + 0.05) * len(rows) + 0.5)
    figure = Figure(figsize=size, facecolor="white")
    tall = column * high / wide / size[1]
    for r, (kind, panels) in enumerate(rows.items()):
        bottom = 1 - 0.42 / size[1] - (r + 1) * (tall + 0.05 / size[1])
        for k, panel in enumerate(panels):
            axes = figure.add_axes(((0.2 + column * k) / size[0], bottom, 0.98 * column / size[0], tall))
            plane = _cut(panel.volume, grid, axis, position_mm)
            shown = axes.imshow(
                plane, origin="lower", cmap=panel.colours, vmin=panel.low, vmax=panel.high, interpolation="nearest",
                aspect="auto",
            )  # fmt: skip
            axes.set_axis_off()
            if r == 0:
                axes.set_title(titles[k], fontsize=7.5)
            if k == 0:
                ink = "black" if panel.colours.startswith("RdBu") else "white"
                axes.text(0.02, 0.98, left, color=ink, va="top", transform=axes.transAxes, fontsize=8, weight="bold")
                axes.text(0.98, 0.98, right, color=ink, va="top", ha="right", transform=axes.transAxes, fontsize=8,
                          weight="bold")  # fmt: skip
                axes.text(-0.05, 0.5, kind, rotation=90, ha="right", va="center", transform=axes.transAxes, fontsize=7)
        bar = figure.add_axes((1 - 0.5 / size[0], bottom + 0.1 * tall, 0.08 / size[0], 0.8 * tall))
        figure.colorbar(shown, cax=bar, ticks=MaxNLocator(3))
        bar.tick_params(labelsize=7)
    return png(figure)


def curves(panels: Mapping[str, Mapping[str, tuple[NDArray, NDArray]]], xlabel: str) -> bytes:
    """PNG of one panel a quantity with one line each, over the same x.

    Args:
        panels: title to name to (x, y), each (n,).
        xlabel: of all panels.
    """
    figure = Figure(figsize=(3.1 * len(panels), 3.0), layout="constrained", facecolor="white")
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for k, (name, (x, y)) in enumerate(lines.items()):
            mark = "o" if len(x) < 4 else None
            axes.plot(x, y, label=name, color=CYCLE[k % len(CYCLE)], linestyle=DASHES[k // len(CYCLE) % 2],
                      linewidth=1.2, marker=mark)  # fmt: skip
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(xlabel, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(fontsize=7, frameon=False)
    return png(figure)


def _draw_column(axes: Axes, panel: Panel, grid: Grid, width_mm: float, *, named: bool) -> AxesImage:
    """All views of one volume below each other, true to scale; returns one of the images, for the colour bar."""
    top = 0.0
    for name, axis, position_mm, marks in VIEWS:
        wide, high = _size_mm(grid, axis)
        left, bottom = (width_mm - wide) / 2, top - high
        plane = _cut(panel.volume, grid, axis, position_mm)
        shown = axes.imshow(
            plane, origin="lower", extent=(left, left + wide, bottom, top), cmap=panel.colours, vmin=panel.low,
            vmax=panel.high, interpolation="nearest",
        )  # fmt: skip
        ink = "white" if np.mean(shown.cmap(shown.norm(plane[-1, 0]))[:3]) < 0.5 else "black"
        for mark, x, side in zip(marks, (left + 4, left + wide - 4), ("left", "right"), strict=True):
            axes.text(x, top - 4, mark, ha=side, va="top", color=ink, fontsize=9, weight="bold")
        if named:
            label = f"{name}, {'xyz'[axis]} = {position_mm:g} mm"
            axes.text(-4, bottom + high / 2, label, rotation=90, ha="right", va="center", fontsize=8)
        top = bottom - GAP_MM
    axes.set(xlim=(0, width_mm), ylim=(top + GAP_MM, 0))
    axes.set_axis_off()
    axes.set_title(panel.title, fontsize=10)
    return shown


def _cut(volume: NDArray, grid: Grid, axis: int, position_mm: float) -> NDArray:
    """One slice within ``BOX_MM``: rows upwards, columns to the right."""
    index = int(np.clip(round((position_mm - grid.matrix[axis, 3]) / grid.spacing_mm[axis]), 0, grid.shape[axis] - 1))
    box = [_inside_box(grid, a) for a in range(3)]
    box[axis] = slice(index, index + 1)
    return volume[tuple(box)].squeeze(axis).T


def _size_mm(grid: Grid, axis: int) -> tuple[float, float]:
    """Width and height of what is shown of a slice across ``axis``."""
    across, up = (a for a in range(3) if a != axis)
    count = {a: len(range(*_inside_box(grid, a).indices(grid.shape[a]))) for a in (across, up)}
    return count[across] * grid.spacing_mm[across], count[up] * grid.spacing_mm[up]


def _inside_box(grid: Grid, axis: int) -> slice:
    """The indices along an axis within ``BOX_MM``; all, for a grid that lies elsewhere."""
    place = grid.matrix[axis, 3] + grid.spacing_mm[axis] * np.arange(grid.shape[axis])
    inside = np.flatnonzero((place >= BOX_MM[axis][0]) & (place <= BOX_MM[axis][1]))
    return slice(inside[0], inside[-1] + 1) if inside.size else slice(None)


def strips(
    values: Mapping[str, Mapping[str, NDArray[np.float64]]], labels: Mapping[str, str], notes: Mapping[str, str]
) -> bytes:
    """PNG of one panel a metric: for each method all subjects, a line for each subject, a violin and the median.

    Args:
        values: metric to method to (n,) values in the same order of subjects.
        labels: words for metrics and methods.
        notes: metric to what is good ("lower is better").
    """
    figure = Figure(figsize=(3.1 * len(values), 3.9), layout="constrained", facecolor="white")
    for axes, (metric, methods) in zip(figure.subplots(1, len(values), squeeze=False)[0], values.items(), strict=True):
        places = np.arange(len(methods))
        columns = np.array(list(methods.values()))
        axes.plot(places, columns, color="0.8", linewidth=0.6, zorder=1)
        for place, (method, column) in enumerate(methods.items()):
            colour = COLOURS.get(method, COLOURS["synthetic"])  # else a generator's name
            if len(column) > 2 and np.ptp(column) > 0:
                for body in axes.violinplot(column, [place], widths=0.7, showextrema=False)["bodies"]:  # type: ignore[attr-defined]
                    body.set_facecolor(colour)
                    body.set_alpha(0.3)
            axes.scatter(np.full(len(column), place), column, s=10, color=colour, zorder=2)
            axes.hlines(np.median(column), place - 0.3, place + 0.3, color="black", linewidth=1.5, zorder=3)
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(methods) > 4 else {}
        axes.set_xticks(places, [labels[method] for method in methods], fontsize=8, **turned)
        axes.set_title(f"{labels[metric]}\n({notes[metric]})", fontsize=10)
        axes.tick_params(axis="y", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def regional_bars(
    regions: Sequence[str], values: Mapping[str, tuple[NDArray, NDArray]], labels: Mapping[str, str], unit: str
) -> bytes:
    """PNG of horizontal bars, one group a region: mean and, as a whisker, the standard deviation between subjects.

    Args:
        regions: names, from top to bottom.
        values: method to (mean, sd), each (n_regions,).
        labels: words for methods.
        unit: of the values.
    """
    figure = Figure(figsize=(8.2, 0.32 * len(regions) + 1.4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    height = 0.8 / len(values)
    for k, (method, (mean, sd)) in enumerate(values.items()):
        places = np.arange(len(regions)) - 0.4 + height * (k + 0.5)
        whisker = {"ecolor": "0.4", "elinewidth": 0.8}
        axes.barh(places, mean, height, xerr=sd, color=COLOURS[method], label=labels[method], error_kw=whisker)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(np.arange(len(regions)), regions, fontsize=9)
    axes.set_ylim(len(regions) - 0.5, -0.5)
    reach = 1.05 * max(float(np.nanmax(np.abs(mean) + np.nan_to_num(sd))) for mean, sd in values.values())
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(unit)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(values), fontsize=9, frameon=False)
    return png(figure)


def png(figure: Figure, dpi: int = 110) -> bytes:
    """The figure as PNG; equal figures give equal bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()
