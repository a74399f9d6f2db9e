"""One person: native T1 to T1, brain mask and tissue maps on the cohort's grid, with everything that was done."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_json
from synthpet.cohort.images import Grid, read_image, write_image
from synthpet.cohort.index import scale_t1w
from synthpet.cohort.names import SPACE, image_path, resolution_label, sidecar_path
from synthpet.cohort.template import TemplateImages, template_grid, template_images
from synthpet.errors import DataError
from synthpet.prepare.brain import (
    CLOSING_MM,
    NEAR_TEMPLATE_MM,
    crop_to_brain,
    given_brain_mask,
    near_template_brain,
    stripped_brain_mask,
    trim_to_tissue,
)
from synthpet.prepare.itk import N4_ITERATIONS, N4_SPACING_MM, antialias, correct_bias, resample
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.registration import Engine, describe_engine, register
from synthpet.prepare.tissue import TISSUES, segment
from synthpet.prepare.transform import Transform
from synthpet.stage import Stage

TRANSFORMS = "transforms"  # folder below the subject's
MAX_SPACING_MM = 6.0  # a thicker slice does not show the cortex


@dataclass(frozen=True)
class Settings:
    """What determines a prepared image besides the raw one."""

    resolution_mm: float
    registration: str
    engine: Engine
    min_similarity: float
    seed: int


@dataclass(frozen=True)
class Prepared:
    """A person on the cohort's grid: ``images`` by kind (``names.IMAGES``), (I, J, K) each."""

    images: dict[str, NDArray]
    transform: Transform
    measures: dict[str, float]


def subject_stage(raw: RawSubject, cohort: Path, settings: Settings) -> Stage:
    """The stage that writes one person's folder of the cohort."""
    participant_id = raw.subject.participant_id
    inputs = tuple(path for path in (raw.t1w, raw.brain_mask) if path is not None)
    config = {**vars(settings), "engine": describe_engine(settings.engine, settings.registration)}
    return Stage(participant_id, cohort / participant_id, config, inputs, quiet=True)


def write_subject(raw: RawSubject, cohort: Path, settings: Settings) -> list[Path]:
    """Prepare one person and write images, sidecars, transforms and measures; return the files."""
    participant_id = raw.subject.participant_id
    prepared = prepare_subject(raw, settings)
    grid = template_grid(settings.resolution_mm)
    res = resolution_label(settings.resolution_mm)
    folder = cohort / participant_id
    written = prepared.transform.write(folder / TRANSFORMS)
    written.append(write_json(folder / TRANSFORMS / "about.json", _about_transforms(prepared.transform)))
    for kind, data in prepared.images.items():
        path = cohort / image_path(participant_id, kind, res=res)
        written.append(write_image(path, data, grid, description="synthpet.prepare"))
        written.append(write_json(sidecar_path(path), _sidecar(kind, raw, settings, prepared.measures)))
    return written


def read_measures(participant_id: str, cohort: Path, settings: Settings) -> dict[str, float]:
    """The measures of a person that ``write_subject`` wrote: similarity, volumes."""
    t1w = cohort / image_path(participant_id, "t1w", res=resolution_label(settings.resolution_mm))
    return json.loads(sidecar_path(t1w).read_text())["Measures"]


def prepare_subject(raw: RawSubject, settings: Settings) -> Prepared:
    """Mask, bias field, registration, tissues; each image interpolated once, onto the cohort's grid.

    Raises:
        DataError: an image that cannot be used, or a registration that failed; the message names the file.
    """
    native, mask, grid = _read(raw)
    name = f"{raw.subject.participant_id} ({raw.t1w})"
    t1w = np.where(mask, correct_bias(native, mask, grid), 0).astype(np.float32)
    transform = register(
        t1w, grid, registration=settings.registration, engine=settings.engine, seed=settings.seed, name=name
    )
    target = template_grid(settings.resolution_mm)

    def onto_target(image: NDArray) -> NDArray[np.float32]:
        smooth = antialias(image, grid, settings.resolution_mm)
        return resample(smooth, grid, target, transform.template_to_native)

    brain = (onto_target(mask) >= 0.5) & near_template_brain(target)
    warped = onto_target(t1w)
    _check_similarity(warped, template_images(target), settings, name)
    tissues = segment(t1w, mask, grid, transform, seed=settings.seed, name=name)
    shares = {tissue: np.clip(onto_target(tissues[tissue]), 0, 1) for tissue in TISSUES}
    brain = trim_to_tissue(brain, shares["gm"] + shares["wm"], target)
    images = {"t1w": scale_t1w(warped, brain), "brain_mask": brain}
    images |= {tissue: np.where(brain, share, 0) for tissue, share in shares.items()}
    measures = _measure(images, template_images(target)) | {
        f"native_{kind}_ml": _volume_ml(image, grid) for kind, image in {"brain": mask, **tissues}.items()
    }
    return Prepared(images, transform, measures)


def _check_similarity(t1w: NDArray[np.float32], template: TemplateImages, settings: Settings, name: str) -> None:
    similarity = _correlation(t1w, template.t1w, template.brain_mask)
    if not similarity >= settings.min_similarity:
        raise DataError(
            f"E_REGISTRATION {name}: correlation with the template {similarity:.2f}; expected at least "
            f"{settings.min_similarity} (min_similarity). Look at the T1's orientation and at the brain mask"
        )


def _read(raw: RawSubject) -> tuple[NDArray[np.float32], NDArray[np.bool_], Grid]:
    """The native T1 and its brain mask, cut to the brain."""
    if raw.t1w is None:
        raise DataError(raw.problem)
    t1w, grid = read_image(raw.t1w)
    name = f"{raw.subject.participant_id} ({raw.t1w})"
    if max(grid.spacing_mm) > MAX_SPACING_MM or min(grid.shape) < 16:
        raise DataError(
            f"E_RESOLUTION {name}: {grid}; expected voxels of at most {MAX_SPACING_MM:g} mm, 16 or more along each axis"
        )
    if raw.brain_mask is None:
        mask = stripped_brain_mask(t1w, grid, name)
    else:
        mask_name = f"{raw.subject.participant_id} ({raw.brain_mask})"
        mask = given_brain_mask(read_image(raw.brain_mask, grid=grid)[0], grid, mask_name)
    if not np.ptp(t1w[mask]) > 0:
        raise DataError(f"E_CONSTANT {name}: constant within the brain mask; expected an anatomical image")
    return crop_to_brain(t1w, mask, grid)


def _measure(images: Mapping[str, NDArray], template: TemplateImages) -> dict[str, float]:
    """How alike person and template are: correlations within the template's brain, Dice of the masks."""
    inside = template.brain_mask
    both = (images["brain_mask"] & inside).sum()
    return {
        "similarity": _correlation(images["t1w"], template.t1w, inside),
        "gm_correlation": _correlation(images["gm"], template.gm, inside),
        "mask_dice": float(2 * both / (images["brain_mask"].sum() + inside.sum())),
    }


def _correlation(a: NDArray, b: NDArray, inside: NDArray[np.bool_]) -> float:
    """Pearson's r; zero where one of them is constant, as is a brain that missed the grid."""
    return float(np.corrcoef(a[inside], b[inside])[0, 1]) if np.ptp(a[inside]) > 0 else 0.0


def _volume_ml(probability: NDArray, grid: Grid) -> float:
    return float(probability.sum(dtype=np.float64) * abs(np.linalg.det(grid.matrix[:3, :3])) / 1000)


def _about_transforms(transform: Transform) -> dict[str, str]:
    about = {
        "affine.tfm": "ITK affine; maps points of the template to points of the native T1, LPS+ mm",
        "warp.nii.gz": "displacement in template space, applied to a point of the template before the affine",
        "inverse_warp.nii.gz": "displacement in template space, applied after the inverse affine: native to template",
    }
    return about if transform.warp is not None else {"affine.tfm": about["affine.tfm"]}


def _sidecar(kind: str, raw: RawSubject, settings: Settings, measures: Mapping[str, float]) -> dict[str, Any]:
    """BIDS derivative metadata of one image; the T1's says how all of them were made."""
    assert raw.t1w is not None  # noqa: S101 - a prepared subject has one
    source = "/".join(raw.t1w.parts[raw.t1w.parts.index(raw.subject.participant_id) :])
    common = {
        "RawSources": [source],
        "SpatialReference": f"{SPACE}, as bundled with nilearn",
        "Resolution": f"{settings.resolution_mm:g} mm isotropic",
    }
    if kind == "brain_mask":
        return {**common, "Type": "Brain"}
    if kind != "t1w":
        return {**common, "Method": "three-class Gaussian mixture with the template's tissues as prior"}
    return {
        **common,
        "SkullStripped": True,
        "Intensity": "1st and 99th percentile of the brain are 0 and 1",
        "BrainMask": "given" if raw.brain_mask else "the T1 was skull-stripped: not zero, largest component",
        "BrainMaskWithinMmOfTemplate": NEAR_TEMPLATE_MM,
        "BrainMaskTrimmedToTissueClosedByMm": CLOSING_MM,
        "BiasCorrection": {"Method": "N4", "SpacingMm": N4_SPACING_MM, "Iterations": N4_ITERATIONS},
        "Registration": describe_engine(settings.engine, settings.registration),
        "Interpolation": "one, linear, after Gaussian antialiasing to the grid's voxel size",
        "Seed": settings.seed,
        "Measures": dict(measures),
    }
