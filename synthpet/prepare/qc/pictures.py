"""Pictures of one prepared person: does the mask follow the brain, the T1 the template, the PET the T1?

Drawn voxel by voxel with Pillow, not as figures: hundreds of people are drawn, and the files stay small.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.report.scales import PET_COLOURS, T1W_SHOWN, suvr_top
from synthpet.template.icbm import template_images

BOX_MM = ((-80.0, 80.0), (-116.0, 82.0), (-76.0, 92.0))  # x, y, z shown: the template's brain and a margin
AXIAL, CORONAL, SAGITTAL = 2, 1, 0
STRIP = ((AXIAL, -24.0), (AXIAL, 6.0), (AXIAL, 40.0), (CORONAL, -20.0), (SAGITTAL, 4.0))  # axis, mm
ROWS = (
    tuple((AXIAL, mm) for mm in (-44.0, -24.0, -8.0, 8.0, 26.0, 44.0)),
    (*((CORONAL, mm) for mm in (-70.0, -40.0, -14.0, 20.0)), *((SAGITTAL, mm) for mm in (-30.0, 4.0))),
)
STRIP_SCALE, LARGE_SCALE = 0.8, 1.5  # pixels a millimetre
GAP = 3  # pixels between slices
RED, CYAN, GREEN, YELLOW = (255, 60, 50), (60, 200, 255), (90, 255, 90), (255, 225, 60)
QUALITY = {"strip": 60, "large": 75}  # of the WebP: half the size of a JPEG with as clear outlines
RIM_MM = 10.0  # of a PET or FLAIR shown around the brain mask: a displaced one shows, no face does

CAPTIONS = {
    "t1w": "T1 on the template. Red: this person's brain mask; it must follow the edge of the brain. Blue: the "
    "template's white matter; it must lie on the white matter, ventricles and midline straight.",
    "pet": "PET (colours). White: the brain mask of the T1; green: the T1's white matter. The dark valleys of the PET "
    "must lie within the green line, its uptake must fill the white one.",
    "fused": "The PET's brightest uptake (colours) over the T1: basal ganglia, cortex and cerebellum must lie on those "
    "of the T1.",
    "flair": "FLAIR. Red: the brain mask of the T1; green: the T1's white matter; yellow: the lesion mask, if any.",
    "lesion": "T1 with the lesion mask (yellow), through its centre.",
}


@dataclass(frozen=True)
class Line:
    """An outline: (I, J, K), drawn where it crosses one half, and its colour."""

    volume: NDArray
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Sheet:
    """One kind of picture: how a slice becomes colours, and the outlines on it."""

    kind: str
    paint: Callable[[Callable[[NDArray], NDArray]], NDArray]  # given how to cut a volume, (h, w, 3) of 0 to 255
    lines: tuple[Line, ...]


def draw_person(images: Mapping[str, NDArray], grid: Grid) -> dict[str, bytes]:
    """WebP pictures of a person by name: ``strip`` (small, all kinds below each other) and each kind, large.

    The left of a picture is the person's left, as marked.

    Args:
        images: (I, J, K) on ``grid``: ``t1w`` (scaled), ``brain_mask``, ``wm``; where there are, ``pet``, ``flair``,
            ``lesion_mask``.
        grid: in template space, axis-aligned RAS+.
    """
    sheets = _sheets(images, grid)
    strip = [_row(sheet, STRIP, grid, STRIP_SCALE) for sheet in sheets if sheet.kind not in ("fused", "lesion")]
    drawn = {"strip": _webp(_stack(strip), QUALITY["strip"])}
    for sheet in sheets:
        rows = ROWS if sheet.kind != "lesion" else (_through(images["lesion_mask"], grid),)
        drawn[sheet.kind] = _webp(_stack([_row(sheet, row, grid, LARGE_SCALE) for row in rows]), QUALITY["large"])
    return drawn


def pet_top(pet: NDArray) -> float:
    """Upper end of the colour scale of a PET (I, J, K), in SUVR: of few steps, so that most people share it."""
    return suvr_top([float(np.percentile(pet[pet > 0], 95))] if (pet > 0).any() else [])


def _sheets(images: Mapping[str, NDArray], grid: Grid) -> list[Sheet]:
    """What is drawn of images, (I, J, K) on ``grid``: as far as they are there."""
    template = template_images(grid)
    mask = np.asarray(images["brain_mask"], np.float32)
    near = ndimage.distance_transform_edt(mask < 0.5, sampling=grid.spacing_mm) <= RIM_MM
    t1w, wm = images["t1w"], np.asarray(images["wm"], np.float32)
    sheets = [Sheet("t1w", _grey(t1w, T1W_SHOWN), (Line(template.wm, CYAN), Line(mask, RED)))]
    lesion = (Line(np.asarray(images["lesion_mask"], np.float32), YELLOW),) if "lesion_mask" in images else ()
    if "pet" in images:
        pet = np.asarray(images["pet"], np.float32)
        inside = np.where(near, pet, 0)
        lines = (Line(wm, GREEN), Line(mask, (255, 255, 255)))
        top = pet_top(inside)
        sheets += [Sheet("pet", _coloured(inside, top), lines), Sheet("fused", _fused(t1w, inside, top), ())]
    if "flair" in images:
        flair = np.where(near, images["flair"], 0)
        low, high = np.percentile(flair[mask > 0.5], [1, 99])
        lines = (Line(wm, GREEN), Line(mask, RED), *lesion)
        sheets.append(Sheet("flair", _grey(flair, (min(0.0, float(low)), 1.3 * float(high))), lines))
    if lesion and images["lesion_mask"].any():
        sheets.append(Sheet("lesion", _grey(t1w, T1W_SHOWN), lesion))
    return sheets


def _grey(volume: NDArray, shown: tuple[float, float]) -> Callable[[Callable[[NDArray], NDArray]], NDArray]:
    """Paint (I, J, K) from black to white over the values ``shown``."""

    def paint(cut: Callable[[NDArray], NDArray]) -> NDArray:
        value = np.clip((cut(volume) - shown[0]) / max(shown[1] - shown[0], 1e-6), 0, 1)
        return np.repeat(255 * value[..., None], 3, axis=2)

    return paint


def _coloured(volume: NDArray, top: float) -> Callable[[Callable[[NDArray], NDArray]], NDArray]:
    return lambda cut: _inferno()[np.clip(255 * cut(volume) / top, 0, 255).astype(int)]


def _fused(t1w: NDArray, pet: NDArray, top: float) -> Callable[[Callable[[NDArray], NDArray]], NDArray]:
    """PET over T1, (I, J, K) each on one grid, opaque where uptake is high."""
    grey = _grey(t1w, T1W_SHOWN)

    def paint(cut: Callable[[NDArray], NDArray]) -> NDArray:
        uptake = np.clip(cut(pet) / top, 0, 1)[..., None]
        opaque = np.clip(2.5 * (uptake - 0.35), 0, 0.65)
        return (1 - opaque) * grey(cut) + opaque * _inferno()[(255 * uptake[..., 0]).astype(int)]

    return paint


@cache
def _inferno() -> NDArray:
    """The colour map, (256, 3) of 0 to 255."""
    from matplotlib import colormaps

    return 255 * colormaps[PET_COLOURS](np.linspace(0, 1, 256))[:, :3]


def _row(sheet: Sheet, places: Sequence[tuple[int, float]], grid: Grid, scale: float) -> NDArray[np.uint8]:
    """Slices side by side, bottom edges in line, (h, w, 3)."""
    tiles = [_tile(sheet, axis, mm, grid, scale) for axis, mm in places]
    high = max(tile.shape[0] for tile in tiles)
    row = np.zeros((high, sum(t.shape[1] + GAP for t in tiles) - GAP, 3), np.uint8)
    left = 0
    for tile in tiles:
        row[high - tile.shape[0] :, left : left + tile.shape[1]] = tile
        left += tile.shape[1] + GAP
    return row


def _tile(sheet: Sheet, axis: int, position_mm: float, grid: Grid, scale: float) -> NDArray[np.uint8]:
    """One slice with its outlines, (h, w, 3): ``scale`` pixels a millimetre."""
    across, up = (a for a in range(3) if a != axis)
    size = tuple(round(scale * (BOX_MM[a][1] - BOX_MM[a][0])) for a in (across, up))

    def cut(volume: NDArray) -> NDArray:
        """The slice over ``BOX_MM``, (h, w), interpolated linearly, head up, the person's left on the left."""
        index = np.zeros((3, size[1], size[0]))
        index[axis] = (position_mm - grid.affine[axis][3]) / grid.spacing_mm[axis]
        index[across] = _indices(grid, across, size[0])[None, :]
        index[up] = _indices(grid, up, size[1])[::-1, None]
        return ndimage.map_coordinates(np.asarray(volume, np.float32), index, order=1, mode="constant")

    tile = sheet.paint(cut)
    for line in sheet.lines:
        tile[_edge(cut(line.volume) > 0.5, thick=scale > 1)] = line.colour
    return _mark(np.clip(tile, 0, 255).astype(np.uint8), axis, position_mm, large=scale > 1)


def _indices(grid: Grid, axis: int, n: int) -> NDArray[np.float64]:
    """Where n pixels over ``BOX_MM`` lie along an axis of the grid: voxel indices, (n,)."""
    low, high = ((end - grid.affine[axis][3]) / grid.spacing_mm[axis] for end in BOX_MM[axis])
    return np.linspace(low, high, n)


def _edge(inside: NDArray[np.bool_], *, thick: bool) -> NDArray[np.bool_]:
    """The inner rim of (h, w), one pixel wide or two."""
    return inside & ~ndimage.binary_erosion(inside, iterations=2 if thick else 1)


def _mark(tile: NDArray[np.uint8], axis: int, position_mm: float, *, large: bool) -> NDArray[np.uint8]:
    """Write the sides and the place into the corners of (h, w, 3)."""
    picture = Image.fromarray(tile)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15 if large else 11)
    left, right = ("P", "A") if axis == SAGITTAL else ("L", "R")
    wide, high = picture.size
    pen.text((3, 1), left, fill="white", font=font)
    pen.text((wide - 3, 1), right, fill="white", font=font, anchor="ra")
    pen.text((3, high - 2), f"{'xyz'[axis]} {position_mm:g}", fill=(190, 190, 190), font=font, anchor="ls")
    return np.asarray(picture)


def _through(lesion: NDArray, grid: Grid) -> tuple[tuple[int, float], ...]:
    """The three planes, axis and mm, through the middle voxel of a lesion (I, J, K)."""
    voxels = np.argwhere(np.asarray(lesion) > 0.5)
    middle = voxels[np.abs(voxels - voxels.mean(0)).sum(1).argmin()]
    return tuple((a, float(grid.affine[a][3] + grid.spacing_mm[a] * middle[a])) for a in (AXIAL, CORONAL, SAGITTAL))


def _stack(rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Rows (h, w, 3) of any width below each other, left edges in line."""
    wide = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, GAP), (0, wide - row.shape[1]), (0, 0))) for row in rows]
    return np.concatenate(padded)[:-GAP]


def _webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=quality, method=4)
    return stream.getvalue()
