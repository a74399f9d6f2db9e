"""What is written beside each prepared image: BIDS names where BIDS has one, every parameter, nobody's data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthpet.cohort.images import Grid
from synthpet.cohort.names import SPACE
from synthpet.prepare.brain import CLOSING_MM, NEAR_TEMPLATE_MM
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.settings import Settings
from synthpet.prepare.spaces.itk import N4_ITERATIONS, N4_SPACING_MM
from synthpet.prepare.spaces.registration import describe_engine
from synthpet.prepare.spaces.rigid import describe_rigid
from synthpet.prepare.spaces.transform import Transform

INTERPOLATION = "one, linear, after Gaussian antialiasing to the grid's voxel size"
TISSUES = ("gm", "wm", "csf")
N4 = {"Method": "N4", "SpacingMm": N4_SPACING_MM, "Iterations": N4_ITERATIONS}
SCALING = "1st and 99th percentile of the brain are 0 and 1"


def sidecar(
    kind: str, raw: RawSubject, settings: Settings, *,
    measures: Mapping[str, float], notes: Sequence[str], pet: Mapping[str, Any], mask_from: str,
) -> dict[str, Any]:  # fmt: skip
    """BIDS derivative metadata of one image; the T1's says how the others were made, and carries the measures.

    Args:
        kind: as ``names.image_path`` has it.
        raw: where the images come from.
        settings: what was done.
        measures: numbers for quality control.
        notes: for the reader.
        pet: what holds for the PET.
        mask_from: where the brain mask is from, in words.
    """
    source = {"pet": raw.pet, "flair": raw.flair, "lesion_mask": raw.lesion_mask}.get(kind) or raw.t1w
    about: dict[str, Any] = {
        "RawSources": [_short(source, raw.subject.participant_id)] if source else [],
        "SpatialReference": f"{SPACE}, as bundled with nilearn",
        "Resolution": f"{settings.resolution_mm:g} mm isotropic",
    }
    if raw.is_simulated:
        about["Simulated"] = True
    if kind == "t1w":
        return about | _of_t1w(settings, mask_from) | {"Measures": dict(measures), "Notes": list(notes)}
    if kind == "brain_mask":
        return about | {"Type": "Brain"}
    if kind == "lesion_mask":
        volumes = {"NativeVolumeMl": measures["lesion_native_ml"], "VolumeMl": measures["lesion_ml"]}
        space = settings.lesion_space
        drawn = {} if space == "t1w" else {"DrawnOn": space.upper(), "RegistrationToT1w": describe_rigid()}
        return about | {"Type": "Lesion", "Interpolation": "nearest neighbour", **volumes, **drawn}
    if kind in TISSUES:
        return about | {"Method": "three-class Gaussian mixture with the template's tissues as prior"}
    rigid = {"RegistrationToT1w": describe_rigid(), "Interpolation": INTERPOLATION, "Seed": settings.seed}
    if kind == "flair":
        return about | rigid | {"SkullStripped": True, "Intensity": SCALING, "BiasCorrection": N4}
    return about | dict(pet) | rigid | {"SkullStripped": False}


def _of_t1w(settings: Settings, mask_from: str) -> dict[str, Any]:
    return {
        "SkullStripped": True,
        "Intensity": SCALING,
        "BrainMask": mask_from,
        "BrainMaskWithinMmOfTemplate": NEAR_TEMPLATE_MM,
        "BrainMaskTrimmedToTissueClosedByMm": CLOSING_MM,
        "BiasCorrection": N4,
        "Registration": describe_engine(settings.engine, settings.registration),
        "Interpolation": INTERPOLATION,
        "Seed": settings.seed,
    }


def about_transforms(transform: Transform, native: Grid) -> dict[str, Any]:
    """What each file of ``transforms/`` does, and the grid of the whole native T1 (RAS+)."""
    about: dict[str, Any] = {
        "affine.tfm": "ITK affine; maps points of the template to points of the native T1, LPS+ mm",
    }
    if transform.warp is not None:
        about |= {
            "warp.nii.gz": "displacement in template space, applied to a point of the template before the affine",
            "inverse_warp.nii.gz": "displacement in template space, applied after the inverse affine: native to "
            "template",
        }
    for kind in transform.rigid:
        about[f"{kind}.tfm"] = f"ITK rigid; maps points of the native T1 to points of the native {kind}, LPS+ mm"
    return about | {"native_grid": {"shape": list(native.shape), "affine": [list(row) for row in native.affine]}}


def _short(path: Path, participant_id: str) -> str:
    """A path from the person's folder on, or the file's name: no folders of a machine."""
    parts = path.parts
    return "/".join(parts[parts.index(participant_id) :]) if participant_id in parts[:-1] else path.name
