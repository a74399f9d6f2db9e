"""What a NIfTI header says: shape, kind of voxels, scale, where the voxels lie; refused where it contradicts itself.

Source: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from synthpet.cohort.formats import other_format
from synthpet.errors import DataError, UsageError

NIFTI1_BYTES, NIFTI2_BYTES = 348, 540
SPACING_MM = (0.01, 100.0)  # of voxels; outside, the unit is not mm
REACH_MM = 1e4  # how far from the origin a head can lie
APART_MM, TURNED_DEGREES = 1.0, 1.0  # qform and sform that differ by less mean the same place
SCALES = (1e-12, 1e12)  # of scl_slope
LENGTHS = {1: ("metres", 1e3), 3: ("micrometres", 1e-3)}  # by NIfTI's code; and how many mm they are
MILLIMETRES = 2
XFORMS = (None, "sform", "qform")


@dataclass(frozen=True)
class Header:
    """A header that can be used.

    ``shape`` with all axes; ``affine``, (4, 4), voxel indices to RAS+ mm; ``slope`` and ``inter``: what a stored value
    has to be multiplied by and what is added, 1 and 0 without; ``offset``: of the voxels, in bytes; ``size``: of the
    whole uncompressed file, in bytes; ``scaled``: whether scl_slope says anything.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    affine: NDArray[np.float64]
    slope: float
    inter: float
    offset: int
    size: int
    scaled: bool


def read_header(path: Path, head: bytes, xform: str | None = None) -> Header:
    """Read and check the first bytes of an image.

    Args:
        path: for messages.
        head: 348 bytes or more.
        xform: which of ``sform`` and ``qform`` holds where they disagree; None: disagreement is an error.

    Raises:
        DataError: no NIfTI, or a header that contradicts itself.
        UsageError: another value of ``xform``.
    """
    check_xform(xform)
    header = _parse(path, head)
    shape = tuple(int(n) for n in header["dim"][1 : 1 + int(header["dim"][0])])
    dtype = header.get_data_dtype()
    offset = int(header["vox_offset"])
    size = offset + int(np.prod(shape, dtype=object)) * dtype.itemsize
    slope, inter, scaled = _scale(path, header)
    return Header(shape, dtype, _affine(path, header, xform, shape), slope, inter, offset, size, scaled)


def check_xform(xform: str | None) -> str | None:
    """Return ``xform`` if it is one.

    Raises:
        UsageError: neither sform nor qform nor None.
    """
    if xform not in XFORMS:
        raise UsageError(f"xform={xform!r}: expected sform, qform or null")
    return xform


def form_distance(header: nib.Nifti1Header, shape: tuple[int, ...]) -> tuple[float, float, bool]:
    """How qform and sform differ: mm at the corners of the image, degrees, and whether left and right swap.

    Zeros where one of the two is not set.
    """
    qform, sform = (matrix for matrix, _ in (header.get_qform(coded=True), header.get_sform(coded=True)))
    if qform is None or sform is None:
        return 0.0, 0.0, False
    last = np.array((*shape, 1, 1)[:3]) - 1
    corners = np.array([[*(np.array(corner) * last), 1] for corner in np.ndindex(2, 2, 2)]).T
    apart = float(np.linalg.norm(((qform - sform) @ corners)[:3], axis=0).max())
    a, b = (matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0) for matrix in (qform, sform))
    cosines = np.clip((a * b).sum(axis=0), -1, 1)
    sides = bool((qform[:3, :3] @ np.linalg.inv(sform[:3, :3]))[0, 0] < 0)
    return apart, float(np.degrees(np.arccos(cosines)).max()), sides


def _parse(path: Path, head: bytes) -> nib.Nifti1Header:
    """The header's fields, those of a single-file NIfTI of real numbers."""
    if len(head) < NIFTI1_BYTES:
        raise DataError(
            f"E_NOT_NIFTI {path}: {len(head)} bytes, too few for a header; expected a NIfTI image; copy it again"
        )
    is_second = head[4:8] == b"n+2\0"
    kind, length = (nib.Nifti2Header, NIFTI2_BYTES) if is_second else (nib.Nifti1Header, NIFTI1_BYTES)
    single_file = is_second or head[344:348] == b"n+1\0"
    if not single_file or len(head) < length or length not in _sizes(head):
        what = other_format(path, head) or "another kind of file, or a damaged header; convert it to .nii.gz"
        raise DataError(f"E_NOT_NIFTI {path}: {what}; expected a single-file NIfTI image")
    header = kind(head[:length], check=False)
    if header["pixdim"][0] not in (-1, 1):
        header["pixdim"][0] = 1  # as the standard has it
    _check_fields(path, header, length + 4)
    header["pixdim"][1:4] = np.abs(header["pixdim"][1:4])  # signs are leftovers of Analyze
    _to_mm(header)
    return header


def _to_mm(header: nib.Nifti1Header) -> None:
    """Lengths in metres or micrometres as mm, where that makes voxels of a size that an image has.

    Where it does not, the numbers are mm and the unit is a slip, which ``remark_on_unit`` says.
    """
    factor = LENGTHS.get(int(header["xyzt_units"]) & 7, ("", 1.0))[1]
    if factor == 1 or not _is_size(header["pixdim"][1:4] * factor):
        return
    header["pixdim"][1:4] *= factor
    for axis in "xyz":
        header[f"srow_{axis}"] *= factor
        header[f"qoffset_{axis}"] *= factor
    header["xyzt_units"] = (int(header["xyzt_units"]) & ~7) | MILLIMETRES


def _is_size(spacing: NDArray) -> bool:
    return bool(np.isfinite(spacing).all() and spacing.min() >= SPACING_MM[0] and spacing.max() <= SPACING_MM[1])


def read_forms(path: Path, head: bytes) -> tuple[float, float, bool]:
    """How qform and sform of an image differ, as ``form_distance`` has it.

    Raises:
        DataError: no NIfTI, or fields that contradict each other.
    """
    header = _parse(path, head)
    return form_distance(header, tuple(int(n) for n in header["dim"][1:4]))


def remark_on_unit(path: Path, head: bytes) -> str:
    """What is odd in the unit of length that a header names; empty where nothing is."""
    header = _parse(path, head)
    unit, factor = LENGTHS.get(int(header["xyzt_units"]) & 7, ("", 1.0))
    if factor == 1:
        return ""
    voxels = " x ".join(f"{spacing:g}" for spacing in header["pixdim"][1:4])
    found = f"xyzt_units says {unit}, but voxels of {voxels} {unit} are not those of a head"
    return f"{found}; taken as mm; correct the header"


def _sizes(head: bytes) -> tuple[int, int]:
    """``sizeof_hdr`` in both byte orders."""
    return int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")


def _check_fields(path: Path, header: nib.Nifti1Header, least_offset: int) -> None:
    n_axes, offset = int(header["dim"][0]), float(header["vox_offset"])
    if not 1 <= n_axes <= 7 or min(header["dim"][1 : 1 + n_axes]) < 1:
        raise DataError(
            f"E_HEADER {path}: dim {header['dim'].tolist()}; expected the number of axes, then their lengths; convert "
            "the image again"
        )
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:  # a code that nobody has given a meaning
        raise DataError(f"E_DTYPE {path}: {error}; expected integers or real numbers; convert it again") from error
    if dtype.kind not in "iuf":
        raise DataError(
            f"E_DTYPE {path}: voxels of type {dtype}; expected real numbers, not colours or complex values; convert it"
        )
    if int(header["bitpix"]) != 8 * dtype.itemsize:
        raise DataError(
            f"E_HEADER {path}: bitpix {header['bitpix']}; expected {8 * dtype.itemsize} for {dtype}; convert it again"
        )
    if not np.isfinite(offset) or offset < least_offset or offset != int(offset):
        raise DataError(
            f"E_HEADER {path}: vox_offset {offset:g}; expected {least_offset} or more; convert the image again"
        )


def _scale(path: Path, header: nib.Nifti1Header) -> tuple[float, float, bool]:
    """Slope and intercept; a slope of 0 or NaN means none in NIfTI (``float32`` images are written so)."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isnan(slope) or slope == 0:
        return 1.0, 0.0, False
    if not (SCALES[0] <= abs(slope) <= SCALES[1]) or not np.isfinite(inter):
        raise DataError(
            f"E_SCALE {path}: scl_slope {slope:g}, scl_inter {inter:g}; expected finite numbers of a usual size; "
            "convert the image again from its source"
        )
    return slope, inter, True


def _affine(path: Path, header: nib.Nifti1Header, xform: str | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The (4, 4) matrix to RAS+ mm that an image of this shape has."""
    codes = {name: int(header[f"{name}_code"]) for name in ("sform", "qform")}
    if not any(codes.values()):
        raise DataError(
            f"E_NO_ORIENTATION {path}: neither qform nor sform is set, so left and right are unknown; expected one of "
            "them; convert it again from DICOM"
        )
    spacing = np.asarray(header["pixdim"][1:4], float)
    matrices = _matrices(header) if np.isfinite(spacing).all() and spacing.all() else {}
    if not matrices or not all(_is_place(matrix) for name, matrix in matrices.items() if codes[name]):
        raise DataError(
            f"E_AFFINE {path}: pixdim {spacing.tolist()}, affine {_rows(matrices, codes)}; expected finite voxels of "
            f"{SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm; correct the header, or convert the image again"
        )
    apart, degrees, sides = form_distance(header, shape)
    if (apart > APART_MM or degrees > TURNED_DEGREES or sides) and xform is None:
        how = ", left and right swapped" if sides else ""
        raise DataError(
            f"E_XFORM_CONFLICT {path}: qform and sform differ by {apart:.1f} mm and {degrees:.1f} degrees{how}; "
            "expected one place; choose one in `python -m synthpet.prepare` by xform=sform or xform=qform, or correct "
            "the header"
        )
    chosen = xform if xform and codes[xform] else next(name for name in codes if codes[name])
    return matrices[chosen]


def _matrices(header: nib.Nifti1Header) -> dict[str, NDArray[np.float64]]:
    """Both (4, 4) matrices; NaN where a header's quaternion is not valid."""
    try:
        qform = header.get_qform()
    except (HeaderDataError, ValueError):  # a quaternion that is not valid
        qform = np.full((4, 4), np.nan)
    return {"sform": np.asarray(header.get_sform(), float), "qform": np.asarray(qform, float)}


def _is_place(affine: NDArray[np.float64]) -> bool:
    """Whether the matrix (4, 4) maps voxels to where a head can be, in mm."""
    if not np.isfinite(affine).all() or np.abs(affine[:3, 3]).max() > REACH_MM:
        return False
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() < SPACING_MM[0] or spacing.max() > SPACING_MM[1]:
        return False
    return abs(np.linalg.det(affine[:3, :3] / spacing)) > 1e-2


def _rows(matrices: dict[str, NDArray[np.float64]], codes: dict[str, int]) -> str:
    return "; ".join(f"{name} {np.round(m[:3], 3).tolist()}" for name, m in matrices.items() if codes[name]) or "unread"
