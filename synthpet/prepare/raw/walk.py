"""Every image file below a folder: those that can be read, and those of formats that cannot."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from synthpet.prepare.raw.scan import NotUsed, natural

CONVERT = {
    ".mgz": "FreeSurfer format is not read; convert it: mri_convert x.mgz x.nii.gz",
    ".mgh": "FreeSurfer format is not read; convert it: mri_convert x.mgh x.nii.gz",
    ".img": "a pair of .hdr and .img (Analyze or NIfTI) is not read; convert it to .nii.gz",
    ".mnc": "MINC is not read; convert it to .nii.gz (mnc2nii)",
    ".nrrd": "NRRD is not read; convert it to .nii.gz",
    ".mha": "MetaImage is not read; convert it to .nii.gz",
    ".mhd": "MetaImage is not read; convert it to .nii.gz",
    ".v": "ECAT is not read; convert it to .nii.gz (TPCCLIB, ecat2nii)",
}
DICOM = (".dcm", ".ima", ".dicom")
SURFACES = (".dtseries.nii", ".dscalar.nii", ".dlabel.nii", ".dconn.nii", ".ptseries.nii", ".pscalar.nii")


def list_images(root: Path, leave_out: Path | None = None) -> tuple[list[PurePosixPath], list[NotUsed]]:
    """Find image files; hidden folders are not entered.

    Args:
        root: the folder.
        leave_out: a folder below it that is not entered, such as the one that results are written to.

    Returns:
        The ``.nii`` and ``.nii.gz`` files relative to ``root`` in natural order, and images of other formats: a line
        a file, for DICOM a line a folder.
    """
    images: list[PurePosixPath] = []
    others: list[NotUsed] = []
    for folder, names in _folders(root, leave_out):
        here = PurePosixPath(folder.relative_to(root).as_posix())
        n_dicom = 0
        bare_seen = False
        for name in sorted(names):
            lower = name.lower()
            suffix = PurePosixPath(lower).suffix
            if lower.endswith((".nii", ".nii.gz")) and not lower.endswith(SURFACES):
                images.append(here / name)
            elif suffix in DICOM:
                n_dicom += 1
            elif suffix in CONVERT:
                others.append(NotUsed(str(here / name), CONVERT[suffix]))
            elif (not suffix or suffix[1:].isdigit()) and (n_dicom or not bare_seen):
                bare_seen = True  # one file without an ending tells of its folder; the rest is counted
                n_dicom += _is_dicom(folder / name)
        if n_dicom:
            others.append(NotUsed(f"{here}/", f"DICOM ({n_dicom} files) is not read; convert it to BIDS (dcm2bids)"))
    return sorted(images, key=natural), others


def _folders(root: Path, leave_out: Path | None) -> Iterator[tuple[Path, list[str]]]:
    """Folders and their files' names, links followed once each."""
    skipped = leave_out.resolve() if leave_out else None
    seen: set[str] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or (skipped and Path(real) == skipped):
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield Path(folder), [name for name in names if not name.startswith(".")]


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False
