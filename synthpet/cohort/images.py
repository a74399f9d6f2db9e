"""The one gate for images: read with checks, write atomically with a fresh header."""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_bytes
from synthpet.cohort.header import Header, read_forms, read_header, remark_on_unit
from synthpet.cohort.stream import HEAD_BYTES, MAX_BYTES, LargeContent, read_content
from synthpet.errors import DataError

LARGEST = 1e9  # no unit in use makes an image's values as large


class GridMismatchError(DataError):
    """Two images that should share a grid do not."""


@dataclass(frozen=True)
class Grid:
    """A voxel grid: ``shape`` (I, J, K) and the 4x4 ``affine`` from voxel indices to RAS+ millimetres."""

    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, shape: tuple[int, ...], affine: NDArray) -> "Grid":
        """Grid from an array's shape (I, J, K, ...) and its affine, (4, 4) to RAS+ mm."""
        return cls(tuple(int(n) for n in shape[:3]), tuple(map(tuple, np.asarray(affine, float).tolist())))  # type: ignore[arg-type]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine as a (4, 4) array."""
        return np.array(self.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along I, J, K."""
        return tuple(float(s) for s in np.linalg.norm(self.matrix[:3, :3], axis=0))  # type: ignore[return-value]

    def matches(self, other: "Grid") -> bool:
        """Whether shapes are equal and every voxel lies within 0.01 mm of its partner."""
        return self.shape == other.shape and np.allclose(self.matrix, other.matrix, atol=1e-4)

    @property
    def mirrors(self) -> bool:
        """Whether the axes are those of the space and flipping the first one swaps left and right about x = 0."""
        linear, first = self.matrix[:3, :3], self.matrix[0, 3]
        aligned = np.abs(linear - np.diag(np.diag(linear))).max() <= 1e-4
        return bool(aligned and abs(2 * first + linear[0, 0] * (self.shape[0] - 1)) <= 0.01)

    def check_mirrors(self) -> None:
        """Refuse a grid whose first axis does not mirror about x = 0.

        Raises:
            GridMismatchError: flipping the first axis would not swap left and right.
        """
        if not self.mirrors:
            first, step = self.matrix[0, 3], self.matrix[0, 0]
            raise GridMismatchError(
                f"E_GRID not symmetric: x from {first:g} to {first + step * (self.shape[0] - 1):g} mm; expected a grid "
                "whose first axis mirrors about x = 0, such as synthpet.template.icbm.template_grid gives"
            )

    def __str__(self) -> str:
        return f"shape {self.shape}, spacing {tuple(round(s, 3) for s in self.spacing_mm)} mm"


def read_image(path: Path, *, grid: Grid | None = None, xform: str | None = None) -> tuple[NDArray[np.float32], Grid]:
    """Read a 3D NIfTI file as float32 in RAS+ order, after reading its stream to the end.

    Args:
        path: ``.nii`` or ``.nii.gz``.
        grid: the grid that the image must have.
        xform: ``sform`` or ``qform``, which of them holds where they disagree; None: that is an error.

    Returns:
        The (I, J, K) array and its grid.

    Raises:
        DataError: not a whole NIfTI image, not 3D, not finite, or values that no image has.
        GridMismatchError: ``grid`` is given and differs.
    """
    data, gaps, found = read_image_with_gaps(path, xform=xform)
    if gaps.any():
        raise DataError(
            f"E_NONFINITE {path}: n={gaps.sum()} voxels are NaN or infinite; expected finite values; mask them"
        )
    check_grid(path, found, grid)
    return data, found


def read_within(path: Path, grid: Grid, mask: Callable[[], NDArray[np.bool_]]) -> NDArray[np.float32]:
    """As ``read_image``, but what is NaN or infinite outside the brain is 0.

    Args:
        path: of the image.
        grid: that it must have.
        mask: gives the brain, (I, J, K) on ``grid``; called only where something is not finite.

    Raises:
        DataError: as ``read_image``, naming the number of voxels of the brain that are not finite.
    """
    data, gaps, found = read_image_with_gaps(path)
    check_grid(path, found, grid)
    if gaps.any() and (inside := int((gaps & mask()).sum())):
        raise DataError(
            f"E_NONFINITE {path}: n={inside} voxels of the brain are NaN or infinite; expected finite values; mask them"
        )
    return data


def voxel_digest(path: Path) -> str:
    """SHA-256 of an image's voxels as float32 in RAS+ order, whatever the file's name, header and compression."""
    data, grid = read_image(path)
    return hashlib.sha256(str(grid.shape).encode() + data.tobytes()).hexdigest()


def check_grid(path: Path, found: Grid, expected: Grid | None) -> None:
    """Hold an image to a grid.

    Raises:
        GridMismatchError: naming both grids.
    """
    if expected is not None and not expected.matches(found):
        raise GridMismatchError(
            f"E_GRID {path}: not on the cohort's grid.\n  found: {found}\n  expected: {expected}\n"
            "  Run `python -m synthpet.prepare` on the raw data, or resample the image."
        )


def read_image_with_gaps(
    path: Path, *, xform: str | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Grid]:
    """As ``read_image``, but where the image is NaN or infinite it is 0; and the mask (I, J, K) of these voxels."""
    path = Path(path)
    voxels = _read_voxels(path, xform)
    if len(voxels.header.shape) != 3:
        shape = voxels.header.shape
        frames = f", {shape[3]} frames" if len(shape) == 4 else ""
        raise DataError(
            f"E_DIM {path}: found {len(shape)}D, shape {shape}{frames}; expected one 3D volume; average or choose one"
        )
    data = _scaled(voxels.stored, voxels.header)
    lowest, highest = float(data.min()), float(data.max())  # NaN where there is one
    gaps = np.zeros(data.shape, bool)
    if not np.isfinite([lowest, highest]).all():
        gaps = ~np.isfinite(data)
        data = np.where(gaps, np.float32(0), data)
        lowest, highest = float(data.min()), float(data.max())
    check_range(path, lowest, highest)
    turned = (np.array(_turned(array, voxels.header), order="C") for array in (data, gaps))
    return next(turned), next(turned), voxels.grid


def check_range(path: Path | str, lowest: float, highest: float) -> None:
    """Refuse values that no unit in use has: those of integers read as floats, or of a lost scale.

    Raises:
        DataError: naming the extremes.
    """
    if max(abs(lowest), abs(highest)) >= LARGEST:
        raise DataError(
            f"E_RANGE {path}: values from {lowest:.3g} to {highest:.3g}; expected less than {LARGEST:g}; check its "
            "unit and its scl_slope"
        )


@dataclass(frozen=True)
class _Voxels:
    """The stored voxels of an image, in the file's order and kind, and what its header says."""

    header: Header
    stored: NDArray
    grid: Grid


def _scaled(stored: NDArray, header: Header) -> NDArray[np.float32]:
    """Stored voxels, (i, j, k) in the file's order of axes, as float32 after slope and intercept."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and refused as that
        if header.slope == 1 and header.inter == 0:
            return stored.astype(np.float32, copy=False)
        exact = np.dtype(np.float32 if stored.dtype.itemsize <= 2 else np.float64)
        scaled = stored.astype(exact) * exact.type(header.slope) + exact.type(header.inter)
        return np.asarray(scaled, np.float32)


def _turned(data: NDArray, header: Header) -> NDArray:
    """From the file's order of axes to (I, J, K) in RAS+ order."""
    return nib.apply_orientation(data, nib.io_orientation(header.affine))


def _read_voxels(path: Path, xform: str | None) -> _Voxels:
    content = read_content(path, lambda head: read_header(path, head, xform).size)
    header = read_header(path, bytes(content[:HEAD_BYTES]), xform)
    count = int(np.prod(header.shape))
    stored = np.frombuffer(content, header.dtype, count, header.offset).reshape(header.shape, order="F")
    header = _without_single_axes(header)
    grid = _canonical_grid(header) if len(header.shape) >= 3 else Grid.of((1, 1, 1), np.eye(4))
    return _Voxels(header, stored.reshape(header.shape, order="F"), grid)


def _without_single_axes(header: Header) -> Header:
    """Without axes of one element behind the third."""
    while len(header.shape) > 3 and header.shape[-1] == 1:
        header = replace(header, shape=header.shape[:-1])
    return header


@dataclass(frozen=True)
class Frames:
    """A 3D or 4D image whose frames are converted one at a time: a dynamic PET as float32 need not fit in memory.

    Args:
        path: of the image.
        grid: of every frame (RAS+).
        header: of the file.
        stored: its voxels; None: too large to hold, each frame is read anew.
    """

    path: Path
    grid: Grid
    header: Header
    stored: NDArray | None

    @property
    def n(self) -> int:
        """How many frames there are; 1 for a 3D image."""
        return 1 if len(self.header.shape) == 3 else self.header.shape[3]

    def each(self, which: Iterable[int]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Some frames, with their numbers, which have to ascend: (I, J, K), not checked for NaN and infinity."""
        for k, stored in self._stored(which):
            yield k, np.array(_turned(_scaled(stored, self.header), self.header), order="C")

    def _stored(self, which: Iterable[int]) -> Iterator[tuple[int, NDArray]]:
        """As ``each``, (i, j, k) as they are in the file."""
        if self.stored is not None:
            yield from ((k, self.stored if self.stored.ndim == 3 else self.stored[..., k]) for k in which)
            return
        shape, at = self.header.shape[:3], 0
        n_bytes = int(np.prod(shape)) * self.header.dtype.itemsize
        with LargeContent(self.path, self.header.size) as content:
            content.skip(self.header.offset)
            for k in which:
                content.skip((k - at) * n_bytes)
                at = k + 1
                yield k, np.frombuffer(content.take(n_bytes), self.header.dtype).reshape(shape, order="F")

    @property
    def scale_lost(self) -> bool:
        """Whether the voxels fill the whole range of 16-bit integers, as scaled images do, but no scale is stored."""
        dtype = self.header.dtype
        if self.header.scaled or dtype.kind not in "iu" or dtype.itemsize != 2:
            return False
        return any(int(stored.max()) >= np.iinfo(dtype).max - 1 for _, stored in self._stored(range(self.n)))


def read_frames(path: Path, *, xform: str | None = None) -> Frames:
    """Read a 3D or 4D NIfTI file in RAS+ order, after reading its stream to the end.

    A file of more than ``MAX_BYTES`` is read to the end, too, but none of it is held: a frame at a time is later.

    Args:
        path: ``.nii`` or ``.nii.gz``.
        xform: as for ``read_image``.

    Raises:
        DataError: not a whole NIfTI image, or neither 3D nor 4D.
    """
    path = Path(path)
    head = bytes(read_content(path, lambda head: 0, head_only=True))
    header = _without_single_axes(read_header(path, head, xform))
    if len(header.shape) == 4 and header.size > MAX_BYTES >= header.size / header.shape[3]:
        with LargeContent(path, header.size) as content:
            content.check()
        return Frames(path, _canonical_grid(header), header, None)
    voxels = _read_voxels(path, xform)
    shape = voxels.header.shape
    if len(shape) not in (3, 4):
        raise DataError(
            f"E_DIM {path}: found {len(shape)}D, shape {shape}; expected a 3D or 4D image; convert it again"
        )
    return Frames(path, voxels.grid, voxels.header, voxels.stored)


def read_grid(path: Path, *, xform: str | None = None) -> Grid:
    """The grid of an image in RAS+ order, by its header alone: neither voxels nor stream are checked.

    Raises:
        DataError: the header cannot be read.
    """
    path = Path(path)
    header = read_header(path, bytes(read_content(path, lambda head: 0, head_only=True)), xform)
    if len(header.shape) < 3:
        raise DataError(f"E_DIM {path}: found {len(header.shape)}D; expected a 3D or 4D image; convert it again")
    return _canonical_grid(header)


def read_form_distance(path: Path) -> tuple[float, float, bool]:
    """How qform and sform of an image differ, as ``header.form_distance`` has it."""
    path = Path(path)
    return read_forms(path, bytes(read_content(path, lambda head: 0, head_only=True)))


def read_remark(path: Path) -> str:
    """What is odd in an image's header though it can be read, for notes and warnings; empty where nothing is."""
    path = Path(path)
    return remark_on_unit(path, bytes(read_content(path, lambda head: 0, head_only=True)))


def check_stream(path: Path) -> Path:
    """Read an image to its end without decoding it, for those that another library opens; return its path.

    Raises:
        DataError: cut, damaged, or no NIfTI.
    """
    path = Path(path)
    read_content(path, lambda head: read_header(path, head).size)
    return path


def _canonical_grid(header: Header) -> Grid:
    orientation = nib.io_orientation(header.affine)
    extent = [header.shape[a] for a in np.argsort(orientation[:, 0])]
    return Grid.of(tuple(extent), header.affine @ nib.orientations.inv_ornt_aff(orientation, header.shape[:3]))


def write_image(path: Path, data: NDArray, grid: Grid, *, description: str = "", space: str = "mni") -> Path:
    """Write (I, J, K) data as NIfTI with a header made from nothing but the grid: no patient data is carried over.

    Floats are stored as float32, integers and booleans as uint8; equal input gives equal bytes.

    Args:
        path: ends in ``.nii.gz``.
        data: the volume, on ``grid``.
        grid: where the voxels are.
        description: the header's ``descrip``, at most 79 bytes.
        space: what the grid's millimetres are, as NIfTI has it: ``mni`` or ``scanner``.
    """
    kind = np.float32 if np.issubdtype(data.dtype, np.floating) else np.uint8
    image = nib.Nifti1Image(np.asarray(data, kind), grid.matrix)
    image.header.set_xyzt_units("mm")
    image.set_sform(grid.matrix, code=space)
    image.set_qform(grid.matrix, code=space)
    if not np.allclose(image.get_qform(), grid.matrix, atol=0.01):  # a sheared grid: a quaternion cannot say it
        image.set_qform(None, code="unknown")
    image.header["descrip"] = description.encode()[:79]
    return write_bytes(path, gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))
