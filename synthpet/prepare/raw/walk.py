"""Every image file below a folder: those that can be read, and those of formats that cannot."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from synthpet.cohort.formats import CONVERT, DICOM, is_dicom
from synthpet.prepare.raw.scan import NotUsed, natural

SURFACES = (".dtseries.nii", ".dscalar.nii", ".dlabel.nii", ".dconn.nii", ".ptseries.nii", ".pscalar.nii")


OUTSIDE = "a link that leads out of bids_dir, not followed; copy what it leads to, or follow_links=true"


def list_images(
    root: Path, leave_out: Path | None = None, *, follow_links: bool = False
) -> tuple[list[PurePosixPath], list[NotUsed]]:
    """Find image files; hidden folders are not entered, links that lead out of the folder are not followed.

    Args:
        root: the folder.
        leave_out: a folder below it that is not entered, such as the one that results are written to.
        follow_links: follow links that lead out, too.

    Returns:
        The ``.nii`` and ``.nii.gz`` files relative to ``root`` in natural order, and images of other formats: a line
        a file, for DICOM a line a folder; links that lead out.
    """
    images: list[PurePosixPath] = []
    others: list[NotUsed] = []
    for folder, subfolders, found in _folders(root, leave_out):
        here = PurePosixPath(folder.relative_to(root).as_posix())
        outside = [] if follow_links else [n for n in (*subfolders, *found) if leads_out(folder / n, root)]
        others += [NotUsed(str(here / name), OUTSIDE) for name in outside if _is_of_interest(folder / name)]
        subfolders[:] = [name for name in subfolders if name not in outside]
        names = [name for name in found if name not in outside]
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


def leads_out(path: Path, root: Path) -> bool:
    """Whether a link leads out of a folder, other than into the git-annex of the data set it belongs to."""
    if not path.is_symlink():
        return False
    real, top = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    return not any(real.is_relative_to(place) for place in (top, *(p / ".git" for p in (top, *top.parents))))


def _is_of_interest(link: Path) -> bool:
    """Whether its own name says that images may be missed without it."""
    return link.is_dir() or link.name.lower().endswith((".nii", ".nii.gz", *CONVERT, *DICOM))


def _folders(root: Path, leave_out: Path | None) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders, the folders in each (those taken out of the list are not entered) and the files' names."""
    skipped = leave_out.resolve() if leave_out else None
    seen: set[str] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or (skipped and Path(real) == skipped):
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield Path(folder), subfolders, [name for name in names if not name.startswith(".")]


def _is_dicom(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would wait for ever
            return False
        with path.open("rb") as stream:
            return is_dicom(stream.read(132))
    except OSError:
        return False
