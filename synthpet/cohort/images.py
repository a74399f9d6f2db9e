"""The one gate for images: read with checks, write atomically with a fresh header."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from synthpet.cohort.files import write_bytes
from synthpet.errors import DataError

NIFTI_HEADER_BYTES = 348
MAX_BYTES = 4_000_000_000  # of one uncompressed image; stops a decompression bomb


class GridMismatchError(DataError):
    """Two images that should share a grid do not."""


@dataclass(frozen=True)
class Grid:
    """A voxel grid: ``shape`` (I, J, K) and the 4x4 ``affine`` from voxel indices to RAS+ millimetres."""

    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, shape: tuple[int, ...], affine: NDArray) -> "Grid":
        """Grid from an array's shape and its affine."""
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

    def __str__(self) -> str:
        return f"shape {self.shape}, spacing {tuple(round(s, 3) for s in self.spacing_mm)} mm"


def read_image(path: Path, *, grid: Grid | None = None) -> tuple[NDArray[np.float32], Grid]:
    """Read a 3D NIfTI file as float32 in RAS+ order, after reading its stream to the end.

    Args:
        path: ``.nii`` or ``.nii.gz``.
        grid: the grid that the image must have.

    Returns:
        The (I, J, K) array and its grid.

    Raises:
        DataError: not a whole NIfTI image, not 3D, or not finite.
        GridMismatchError: ``grid`` is given and differs.
    """
    data, gaps, found = read_image_with_gaps(path)
    if gaps.any():
        raise DataError(f"E_NONFINITE {path}: n={gaps.sum()} voxels are NaN or infinite; expected finite values")
    if grid is not None and not grid.matches(found):
        raise GridMismatchError(
            f"E_GRID {path}: not on the cohort's grid.\n  found: {found}\n  expected: {grid}\n"
            "  Run `python -m synthpet.prepare` on the raw data, or resample the image."
        )
    return data, found


def read_image_with_gaps(path: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_], Grid]:
    """As ``read_image``, but where the image is NaN or infinite it is 0, and the mask of these voxels comes along."""
    path = Path(path)
    image = nib.as_closest_canonical(_parse(path, _whole_content(path)))
    data = np.asarray(image.dataobj, dtype=np.float32)
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise DataError(f"E_DIM {path}: found {data.ndim}D, shape {data.shape}; expected one 3D volume")
    gaps = ~np.isfinite(data)
    filled = np.where(gaps, np.float32(0), data) if gaps.any() else data
    return np.ascontiguousarray(filled), np.ascontiguousarray(gaps), Grid.of(data.shape, image.affine)


@dataclass(frozen=True)
class Frames:
    """A 3D or 4D image whose frames are converted one at a time: a dynamic PET as float32 need not fit in memory.

    ``path``; ``grid`` of every frame (RAS+); ``n``, how many there are; ``frame(k)``, (I, J, K) float32, not checked
    for NaN and infinity.
    """

    path: Path
    grid: Grid
    image: nib.Nifti1Image

    @property
    def n(self) -> int:
        """How many frames there are; 1 for a 3D image."""
        return 1 if len(self.image.shape) == 3 else int(self.image.shape[3])

    def frame(self, k: int) -> NDArray[np.float32]:
        """Frame ``k``, (I, J, K)."""
        data = self.image.dataobj if len(self.image.shape) == 3 else self.image.dataobj[..., k]
        turned = nib.apply_orientation(np.asarray(data, np.float32), nib.io_orientation(self.image.affine))
        return np.ascontiguousarray(turned)


def read_frames(path: Path) -> Frames:
    """Read a 3D or 4D NIfTI file in RAS+ order, after reading its stream to the end.

    Args:
        path: ``.nii`` or ``.nii.gz``.

    Raises:
        DataError: not a whole NIfTI image, or neither 3D nor 4D.
    """
    path = Path(path)
    image = _parse(path, _whole_content(path))
    shape = image.shape[:4] if all(n == 1 for n in image.shape[4:]) else image.shape
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise DataError(f"E_DIM {path}: found {len(shape)}D, shape {shape}; expected a 3D or 4D image")
    if shape != image.shape:
        image = nib.Nifti1Image(np.asanyarray(image.dataobj).reshape(shape), image.affine, image.header)
    return Frames(path, _canonical_grid(image), image)


def read_grid(path: Path) -> Grid:
    """The grid of an image in RAS+ order, by its header alone: neither voxels nor stream are checked.

    Raises:
        DataError: the header cannot be read.
    """
    try:
        return _canonical_grid(nib.load(path))  # type: ignore[arg-type]
    except (ImageFileError, HeaderDataError, OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"E_NOT_NIFTI {path}: {error}") from error


def _canonical_grid(image: nib.Nifti1Image) -> Grid:
    orientation = nib.io_orientation(image.affine)
    extent = [image.shape[a] for a in np.argsort(orientation[:, 0])]
    return Grid.of(tuple(extent), image.affine @ nib.orientations.inv_ornt_aff(orientation, image.shape[:3]))


def _whole_content(path: Path) -> bytes:
    """The uncompressed bytes, with the gzip checksum verified (nibabel alone stops before it)."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"E_MISSING {path}: no such file") from None
    if not raw:
        raise DataError(f"E_EMPTY {path}: the file has no bytes")
    if raw.startswith((b"version https://git-lfs", b"/annex/", b"../.git/annex")):
        raise DataError(f"E_POINTER {path}: a git-lfs or git-annex pointer; fetch the data first")
    if raw.lstrip()[:1] == b"<":
        raise DataError(f"E_NOT_NIFTI {path}: a web page saved under an image's name; download the file again")
    if not path.name.endswith(".gz"):
        return raw
    if not raw.startswith(b"\x1f\x8b"):
        raise DataError(f"E_NOT_GZIP {path}: named .gz but not compressed; rename or compress it")
    try:
        with gzip.open(path) as stream:
            content = stream.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"E_TRUNCATED {path}: the compressed stream is cut or damaged ({error})") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"E_TOO_BIG {path}: more than {MAX_BYTES:,} bytes uncompressed")
    return content


def _parse(path: Path, content: bytes) -> nib.Nifti1Image:
    if len(content) < NIFTI_HEADER_BYTES:
        raise DataError(f"E_NOT_NIFTI {path}: {len(content)} bytes are too few for a NIfTI header")
    try:
        image = nib.Nifti1Image.from_bytes(content)
        needed = image.dataobj.offset + int(np.prod(image.shape)) * image.get_data_dtype().itemsize
    except Exception as error:
        raise DataError(f"E_NOT_NIFTI {path}: {error}") from error
    if image.get_data_dtype().kind not in "iuf":
        raise DataError(f"E_DTYPE {path}: voxels of type {image.get_data_dtype()}; expected real numbers, not colours")
    if len(content) < needed:
        raise DataError(f"E_TRUNCATED {path}: {len(content):,} bytes; its header promises {needed:,}")
    if image.header["qform_code"] == 0 and image.header["sform_code"] == 0:
        raise DataError(f"E_NO_ORIENTATION {path}: neither qform nor sform is set, so left and right are unknown")
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-6:
        raise DataError(f"E_AFFINE {path}: the affine is singular or not finite")
    return image


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
    image.header["descrip"] = description.encode()[:79]
    return write_bytes(path, gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))
