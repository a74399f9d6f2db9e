"""Volumes packed into a page, for a reader to scroll through: three planes of each, linked, offline."""

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid

MOST_VOXELS = 600_000  # of each volume in the page; a finer one is averaged over blocks
MARGIN_MM = 6.0  # kept around the brain


@dataclass(frozen=True)
class Layer:
    """An image and the one scale on which it is shown.

    Args:
        title: in words.
        volume: (I, J, K).
        colours: name of a Matplotlib colour map.
        shown: value of the scale's lower and upper end.
        unit: what the scale shows.
    """

    title: str
    volume: NDArray
    colours: str
    shown: tuple[float, float]
    unit: str


@dataclass(frozen=True)
class Viewer:
    """What the page's viewer needs; ``content`` is plain values, volumes as base64 of gzipped bytes.

    Args:
        content: see ``make_viewer``.
        caption: what to look for.
    """

    content: dict[str, Any]
    caption: str
    kind: ClassVar[str] = "viewer"


def make_viewer(
    layers: Sequence[Layer], mask: NDArray[np.bool_], grid: Grid, *, outlined: Sequence[tuple[str, str, NDArray]],
    places: Sequence[tuple[str, Sequence[float]]], caption: str,
) -> Viewer:  # fmt: skip
    """Pack images for the viewer: cut to the brain, 255 steps of grey each, nothing outside the brain.

    Args:
        layers: one row of three planes each.
        mask: (I, J, K), the brain.
        grid: of all images, axis-aligned RAS+.
        outlined: name, CSS colour and (I, J, K) of what is outlined in every plane where it is above 0.
        places: name and x, y, z in mm of what the reader can jump to; the first is shown at the start.
        caption: what to look for.
    """
    box, step = _box(mask, grid), 1
    size = [s.stop - s.start for s in box]
    while np.prod([-(-n // step) for n in size]) > MOST_VOXELS:
        step += 1
    spacing = np.array(grid.spacing_mm)
    first = grid.matrix[:3, 3] + spacing * [s.start + (step - 1) / 2 for s in box]
    brain = mask[box]
    content = {
        "shape": [-(-n // step) for n in size],
        "first_mm": first.round(4).tolist(),
        "step_mm": (spacing * step).round(4).tolist(),
        "layers": [_pack_layer(layer, brain, box, step) for layer in layers],
        "outlines": [
            {"name": name, "colour": colour, "data": _pack(_blocks(volume[box] > 0, step) >= 0.5)}
            for name, colour, volume in outlined
        ],
        "places": [{"name": name, "mm": [round(float(x), 1) for x in mm]} for name, mm in places],
    }
    return Viewer(content, caption)


def _pack_layer(layer: Layer, brain: NDArray[np.bool_], box: tuple[slice, ...], step: int) -> dict[str, Any]:
    from matplotlib import colormaps

    values = _blocks(np.where(brain, layer.volume[box], 0), step)
    low, high = min(float(values.min()), layer.shown[0]), max(float(values.max()), layer.shown[1])
    colours = np.round(255 * colormaps[layer.colours](np.linspace(0, 1, 256))[:, :3]).astype(np.uint8)
    return {
        "title": layer.title,
        "unit": layer.unit,
        "shown": list(layer.shown),
        "range": [low, high],
        "colours": base64.b64encode(colours.tobytes()).decode(),
        "data": _pack(np.round((values - low) / (high - low) * 255)),
    }


def _blocks(volume: NDArray, step: int) -> NDArray[np.float32]:
    """Means over cubes of ``step`` voxels, repeating the last ones where a cube sticks out."""
    values = np.asarray(volume, np.float32)
    if step == 1:
        return values
    padded = np.pad(values, [(0, -n % step) for n in values.shape], mode="edge")
    i, j, k = (n // step for n in padded.shape)
    return padded.reshape(i, step, j, step, k, step).mean(axis=(1, 3, 5))


def _pack(values: NDArray) -> str:
    """Bytes with the first axis running fastest, gzipped without a time, as base64."""
    return base64.b64encode(gzip.compress(values.astype(np.uint8).tobytes(order="F"), 6, mtime=0)).decode()


def _box(mask: NDArray[np.bool_], grid: Grid) -> tuple[slice, slice, slice]:
    found = []
    for axis, spacing in enumerate(grid.spacing_mm):
        inside = np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != axis)))
        margin = round(MARGIN_MM / spacing)
        found.append(slice(max(0, int(inside[0]) - margin), min(mask.shape[axis], int(inside[-1]) + 1 + margin)))
    return found[0], found[1], found[2]
