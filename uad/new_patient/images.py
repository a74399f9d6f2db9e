"""The images of a new patient, read and checked: on the cohort's grid, plausible, nobody's that was learned from."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, Grid, read_image
from synthpet.cohort.coverage import unmeasured, without_padding
from synthpet.cohort.images import read_grid, voxel_digest
from synthpet.cohort.marks import is_simulated_image, is_synthetic_image
from synthpet.cohort.modality import UNMEASURED, modality
from synthpet.cohort.problems import ERROR
from synthpet.cohort.scan import Scan
from synthpet.errors import DataError, DataLeakageError
from uad.normative.sets import NormativeSet

MIN_DICE = 0.8  # Not in the paper: of a skull-stripped T1 with the template's brain
MIN_COVERED = 0.5  # Not in the paper: share of the brain that the PET must reach
MOST_RATIO = 2.0  # Not in the paper: of the PET's mean in the brain to that of controls, or the reverse


@dataclass(frozen=True)
class PatientImages:
    """One person's images on the cohort's grid.

    Args:
        scan: T1 (scaled), and PET (SUVR) and others where there are any.
        files: what was read: the images by modality, then the mask where one was given.
        simulated: whether a sidecar says that an image is simulated.
        synthetic: whether an image says that it is synthetic.
    """

    scan: Scan
    files: Mapping[str, Path]
    simulated: bool
    synthetic: bool


def check_files(**files: Path | None) -> None:
    """Refuse options that name no image, before any work; None: not given.

    Raises:
        DataError: naming all that are missing; what the first is that is there, but in no format that is read.
    """
    given = {option: path for option, path in files.items() if path is not None}
    missing = [f"{option}={path}" for option, path in given.items() if not path.exists()]
    if missing:
        raise DataError(f"E_MISSING {', '.join(missing)}: no such file; expected a NIfTI image (.nii or .nii.gz)")
    for path in given.values():
        read_grid(path, xform="sform")  # which of two places holds is asked later


def read_patient(
    images: Mapping[str, Path], mask: Path | None, grid: Grid, raw: tuple[Path, ...] = ()
) -> PatientImages:
    """Read and check the images.

    Args:
        images: by modality, on ``grid``: ``t1w``; ``pet`` in SUVR and others where there are any.
        mask: brain mask; None: the BIDS image beside the T1, or what is not the background of a skull-stripped T1.
        grid: the cohort's.
        raw: what the images were prepared from; it can say that it is simulated or synthetic.

    Raises:
        DataError: a file is unreadable, on another grid, constant, not finite, or not of a brain.
    """
    t1w = images["t1w"]
    anatomy = read_image(t1w, grid=grid)[0]
    _check_varies(t1w, anatomy, np.ones(grid.shape, bool))
    mask_file = mask or _beside(t1w)
    brain = _from_t1w(t1w, anatomy, grid) if mask_file is None else read_image(mask_file, grid=grid)[0] > 0.5
    _check_varies(t1w, anatomy, brain)
    found = {"t1w": anatomy}
    for name in images.keys() - {"t1w"}:
        found[name] = _read_other(name, images[name], t1w, anatomy, brain, grid)
    _check_plausible(t1w, images.get("pet"), {**found, "brain_mask": brain}, grid)
    files = dict(images) | ({"mask": mask_file} if mask_file is not None else {})
    simulated = any(is_simulated_image(path) for path in (*files.values(), *raw))
    others = [path for name, path in images.items() if name != "t1w"]
    synthetic = bool(others) and any(is_synthetic_image(path) for path in (*others, *raw))
    scan = Scan({name: modality(name).scaled(found[name], brain) for name in images}, brain)
    return PatientImages(scan, files, simulated, synthetic)


def _read_other(
    name: str, path: Path, t1w: Path, anatomy: NDArray[np.float32], brain: NDArray[np.bool_], grid: Grid
) -> NDArray[np.float32]:
    """An image beside the T1, (I, J, K), as it was measured."""
    image = read_image(path, grid=grid)[0]
    if np.array_equal(image, anatomy):
        wanted = "an FDG PET" if name == "pet" else f"another image ({modality(name).words})"
        raise DataError(f"E_SAME {path}: holds the same voxels as {t1w}; expected t1w= an MRI and {name}= {wanted}")
    if modality(name).zero == UNMEASURED:
        image = without_padding(image)
    _check_varies(path, image, brain)
    if name == "pet":
        _check_reach(path, image, brain)
    return image


def check_stranger(images: PatientImages, normative: NormativeSet, cohort: Cohort) -> None:
    """Refuse images that the detector was trained or calibrated with, whatever their name.

    Raises:
        DataLeakageError: naming the control.
    """
    own = {voxel_digest(path): path for name, path in images.files.items() if name != "mask"}
    known = {m.participant_id: tuple(path for _, path in m.images) for m in normative.members}
    known |= {
        s.participant_id: tuple(cohort.path(s.participant_id, name) for name in normative.images)
        for s in cohort.select("heldout")
    }
    for who, paths in known.items():
        for path in paths:
            if (found := own.get(voxel_digest(path))) is not None:
                raise DataLeakageError(
                    f"E_LEAK_PATIENT {found}: holds the same voxels as {path.name} of control {who}, whom the detector "
                    "has learned from or was calibrated on; expected a new patient. Choose the right file, or set "
                    "force=true to look at it nevertheless"
                )


def check_units(pet: Path, images: PatientImages, controls: Iterable[tuple[NDArray, NDArray[np.bool_]]]) -> None:
    """Refuse a PET that is not on the scale of the controls' PETs.

    Args:
        pet: its file, for the message.
        images: of the patient.
        controls: PET and brain mask of some controls.

    Raises:
        DataError: naming both means.
    """
    measured, mask = images.scan["pet"], images.scan.mask
    usual = float(np.median([values[mask].mean() for values, mask in controls]))
    found = float(measured[mask & (measured != 0)].mean())
    if not usual / MOST_RATIO <= found <= usual * MOST_RATIO:
        raise DataError(
            f"E_UNITS {pet}: mean {found:.4g} within the brain; expected about {usual:.3g}, as in the controls' PETs "
            "(SUVR). Divide it by the mean of the reference region that the controls' sidecars name "
            "(SUVRReferenceRegion)"
        )


def _beside(t1w: Path) -> Path | None:
    """The brain mask that BIDS puts beside a T1, if it is there."""
    name = re.sub(r"(_desc-[0-9a-zA-Z]+)?_T1w\.nii(\.gz)?$", "_desc-brain_mask.nii.gz", t1w.name)
    path = t1w.with_name(name)
    return path if name != t1w.name and path.is_file() else None


def _from_t1w(path: Path, t1w: NDArray[np.float32], grid: Grid) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_fill_holes

    from synthpet.template.icbm import template_images

    brain, template = binary_fill_holes(~unmeasured(t1w)), template_images(grid).brain_mask
    dice = 2 * (brain & template).sum() / (brain.sum() + template.sum())
    if dice < MIN_DICE:
        raise DataError(
            f"E_MASK {path}: not skull-stripped (what is not background overlaps the template's brain by Dice "
            f"{dice:.2f}; expected {MIN_DICE} or more), and no desc-brain_mask lies beside it. Give one by "
            "mask=<file>, or run `python -m synthpet.prepare`"
        )
    return brain


def _check_varies(path: Path, data: NDArray[np.float32], where: NDArray[np.bool_]) -> None:
    if not where.any():
        raise DataError(f"E_CONSTANT {path}: its brain mask is empty; expected the brain. Give one by mask=<file>")
    low, high = np.percentile(data[where], [1, 99])
    if not high > low:
        found = "constant" if data.any() else "all zeros"
        raise DataError(f"E_CONSTANT {path}: {found} where the brain should be; expected an image. Export it again")


def _check_plausible(t1w: Path, pet: Path | None, images: dict[str, NDArray | None], grid: Grid) -> None:
    """Refuse what is wrong for certain: T1 and PET swapped, one computed from the other, turned upside down."""
    from synthpet.plausibility.subject import look_at

    if not grid.mirrors:
        return
    for finding in look_at({kind: data for kind, data in images.items() if data is not None}, grid)[0]:
        if finding.level == ERROR:
            raise DataError(f"{finding.code} {t1w if finding.kind == 't1w' else pet}: {finding.message}")


def _check_reach(path: Path, pet: NDArray[np.float32], brain: NDArray[np.bool_]) -> None:
    share = float((pet[brain] > 0).mean())
    if share < MIN_COVERED:
        raise DataError(
            f"E_FIELD_OF_VIEW {path}: above 0 in {100 * share:.0f} % of the brain mask; expected at least "
            f"{100 * MIN_COVERED:.0f} %. Is it the PET of the same person, in SUVR, on the grid of the T1?"
        )
