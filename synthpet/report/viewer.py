"""Volumes packed into a page, for a reader to scroll through: three planes of each, linked, offline."""

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid

MOST_VOXELS = 12_000_000  # of each volume in the page: a brain at 0.8 mm; a finer one is averaged over blocks
MARGIN_MM = 6.0  # kept around the brain
PET_CHOICES = ("gray_r", "hot")  # colours that a reader can choose for a PET, besides its own
COLOUR_WORDS = {"gray_r": "inverse grey", "hot": "hot iron"}  # as readers of PET call them


@dataclass(frozen=True)
class Layer:
    """An image and the one scale on which it is shown.

    Args:
        title: in words.
        volume: (I, J, K).
        colours: name of a Matplotlib colour map.
        shown: value of the scale's lower and upper end.
        unit: what the scale shows and, after its last comma, the unit of the values: ``PET, SUVR``.
        pet: whether it shows uptake: the viewer then offers the colours that readers of PET are used to, the same for
            every PET of a page.
    """

    title: str
    volume: NDArray
    colours: str
    shown: tuple[float, float]
    unit: str
    pet: bool = False


@dataclass(frozen=True)
class Viewer:
    """What the page's viewer needs.

    Args:
        content: plain values: geometry, layers, colours, outlines, places.
        volumes: of the layers, then of the outlines, each as base64 of gzipped bytes; see ``_pack``.
        caption: what to look for.
    """

    content: dict[str, Any]
    volumes: Sequence[str]
    caption: str
    kind: ClassVar[str] = "viewer"


def make_viewer(
    layers: Sequence[Layer], mask: NDArray[np.bool_], grid: Grid, *, outlined: Sequence[tuple[str, str, NDArray]],
    places: Sequence[tuple[str, Sequence[float]]], caption: str, radiological: bool = False,
) -> Viewer:  # fmt: skip
    """Pack images for the viewer: cut to the brain, 254 steps of each, nothing outside the brain.

    Args:
        layers: one row of three planes each; every other one can be laid over the first.
        mask: (I, J, K), the brain.
        grid: of all images, axis-aligned RAS+.
        outlined: name, CSS colour and (I, J, K) of what is outlined in every plane where it is above 0.
        places: name and x, y, z in mm of what the reader can jump to; the first is shown at the start.
        caption: what to look for.
        radiological: whether axial and coronal planes start with the patient's left on the right of the picture; the
            reader can switch.
    """
    box, step = _box(mask, grid), 1
    size = [s.stop - s.start for s in box]
    while np.prod([-(-n // step) for n in size]) > MOST_VOXELS:
        step += 1
    spacing = np.array(grid.spacing_mm)
    first = grid.matrix[:3, 3] + spacing * [s.start + (step - 1) / 2 for s in box]
    packed = [_pack_layer(layer, mask[box], box, step) for layer in layers]
    content = {
        "shape": [-(-n // step) for n in size],
        "first_mm": first.round(4).tolist(),
        "step_mm": (spacing * step).round(4).tolist(),
        "radiological": radiological,
        "layers": [about for about, _ in packed],
        "palettes": {name: _palette(name) for about, _ in packed for name in about["choices"]},
        "outlines": [{"name": name, "colour": colour} for name, colour, _ in outlined],
        "places": [{"name": name, "mm": [round(float(x), 1) for x in mm]} for name, mm in places],
    }
    outlines = [_pack(_blocks(volume[box] > 0, step) >= 0.5) for _, _, volume in outlined]
    return Viewer(content, [*(volume for _, volume in packed), *outlines], caption)


def _pack_layer(
    layer: Layer, brain: NDArray[np.bool_], box: tuple[slice, ...], step: int
) -> tuple[dict[str, Any], str]:
    """What is said about a layer, and its volume: 0 outside the brain, 1 to 255 from end to end of its range."""
    image, inside = layer.volume[box], _blocks(brain, step) >= 0.5
    values = _blocks(np.where(brain & np.isfinite(image), image, 0), step)
    low, high = min(float(values.min()), layer.shown[0]), max(float(values.max()), layer.shown[1])
    about = {
        "title": layer.title,
        "unit": "" if layer.unit == layer.title else layer.unit.rpartition(", ")[2],
        "shown": list(layer.shown),
        "range": [low, high],
        "pet": layer.pet,
        "choices": list(dict.fromkeys([layer.colours, *(PET_CHOICES if layer.pet else ())])),
    }
    return about, _pack(np.where(inside, 1 + np.round((values - low) / (high - low) * 254), 0))


def _palette(name: str) -> dict[str, str]:
    """A colour map as 256 x 3 bytes, and what readers call it."""
    from matplotlib import colormaps

    colours = np.round(255 * colormaps[name](np.linspace(0, 1, 256))[:, :3]).astype(np.uint8)
    return {"words": COLOUR_WORDS.get(name, name), "colours": base64.b64encode(colours.tobytes()).decode()}


def _blocks(volume: NDArray, step: int) -> NDArray[np.float32]:
    """Means over cubes of ``step`` voxels, repeating the last ones where a cube sticks out."""
    values = np.asarray(volume, np.float32)
    if step == 1:
        return values
    padded = np.pad(values, [(0, -n % step) for n in values.shape], mode="edge")
    i, j, k = (n // step for n in padded.shape)
    return padded.reshape(i, step, j, step, k, step).mean(axis=(1, 3, 5))


def _pack(values: NDArray) -> str:
    """Bytes with the first axis running fastest, gzipped without a time, as base64.

    Each slice (:, :, k) is written as its difference from the one below, modulo 256: smooth images become a third
    smaller.
    """
    steps = np.diff(values.astype(np.uint8), axis=2, prepend=np.uint8(0))
    return base64.b64encode(gzip.compress(steps.tobytes(order="F"), 6, mtime=0)).decode()


def _box(mask: NDArray[np.bool_], grid: Grid) -> tuple[slice, slice, slice]:
    found = []
    for axis, spacing in enumerate(grid.spacing_mm):
        inside = np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != axis)))
        margin = round(MARGIN_MM / spacing)
        found.append(slice(max(0, int(inside[0]) - margin), min(mask.shape[axis], int(inside[-1]) + 1 + margin)))
    return found[0], found[1], found[2]
