"""One person: native T1, PET, FLAIR and lesion mask to images on the cohort's grid, with everything that was done."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_json
from synthpet.cohort.images import Grid, write_image
from synthpet.cohort.index import scale_t1w
from synthpet.cohort.names import image_path, resolution_label, sidecar_path
from synthpet.errors import DataError
from synthpet.plausibility.alignment import correlation
from synthpet.plausibility.measures import likeness
from synthpet.prepare.brain import near_template_brain, trim_to_tissue, volume_ml
from synthpet.prepare.other_images import brain_on, flair_on_template, lesion_on_template
from synthpet.prepare.pet import measured_box
from synthpet.prepare.pet_on_template import alignment, normalised_mutual_information, pet_on_template
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.raw.inheritance import sidecar_files
from synthpet.prepare.reading import Native, check_drawn, read_person
from synthpet.prepare.settings import Settings
from synthpet.prepare.sidecars import about_transforms, sidecar
from synthpet.prepare.spaces.itk import antialias, correct_bias, resample
from synthpet.prepare.spaces.registration import describe_engine, register
from synthpet.prepare.spaces.rigid import register_rigid
from synthpet.prepare.spaces.transform import Transform
from synthpet.prepare.tissue import TISSUES, segment
from synthpet.runtime.stage import Stage
from synthpet.template.icbm import TemplateImages, template_grid, template_images

TRANSFORMS = "transforms"  # folder below the subject's
__all__ = ["Prepared", "Settings", "prepare_subject", "subject_stage", "write_subject"]


@dataclass(frozen=True)
class Prepared:
    """A person on the cohort's grid: ``images`` by kind (as ``names.image_path`` has it), (I, J, K) each.

    ``native_grid``: of the whole T1; ``pet``: for the PET's sidecar; ``notes``: for the reader; ``mask_from``: where
    the brain mask is from.
    """

    images: dict[str, NDArray]
    transform: Transform
    measures: dict[str, float]
    native_grid: Grid
    pet: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    mask_from: str = ""


def subject_stage(raw: RawSubject, cohort: Path, settings: Settings) -> Stage:
    """The stage that writes one person's folder of the cohort."""
    participant_id = raw.subject.participant_id
    kinds = ("t1w", "brain_mask", "pet", "flair", "lesion_mask")
    images = {kind: path for kind in kinds if (path := getattr(raw, kind)) is not None}
    more = (*(sidecar_files(raw.pet) if raw.pet else ()), *settings.files)
    inputs: Any = (*images.values(), *more)
    if raw.root is None:  # a patient's own files, whose folders may be called as the patient is
        inputs = images | {f"more-{number}{path.suffix}": path for number, path in enumerate(more)}
    config = {**vars(settings), "engine": describe_engine(settings.engine, settings.registration)}
    config["suvr_reference"] = Path(settings.suvr_reference).name
    if raw.pet and isinstance(settings.pet_fwhm_mm, Mapping):
        config["site"] = raw.subject.site
    return Stage(participant_id, cohort / participant_id, config, inputs, quiet=True)


def write_subject(raw: RawSubject, cohort: Path, settings: Settings) -> list[Path]:
    """Prepare one person and write images, sidecars, transforms and measures; return the files."""
    participant_id = raw.subject.participant_id
    prepared = prepare_subject(raw, settings)
    grid = template_grid(settings.resolution_mm)
    res = resolution_label(settings.resolution_mm)
    folder = cohort / participant_id / TRANSFORMS
    written = prepared.transform.write(folder)
    written.append(write_json(folder / "about.json", about_transforms(prepared.transform, prepared.native_grid)))
    for kind, data in prepared.images.items():
        path = cohort / image_path(participant_id, kind, res=res)
        about = sidecar(
            kind, raw, settings, measures=prepared.measures, notes=prepared.notes, pet=prepared.pet,
            mask_from=prepared.mask_from,
        )  # fmt: skip
        written.append(write_image(path, data, grid, description="synthpet.prepare"))
        written.append(write_json(sidecar_path(path), about))
    return written


def prepare_subject(raw: RawSubject, settings: Settings) -> Prepared:
    """Mask, bias field, registration, tissues, PET and FLAIR; each image interpolated once, onto the cohort's grid.

    Raises:
        DataError: an image that cannot be used, or a registration that failed; the message names the file.
    """
    native = read_person(raw, settings)
    name = f"{raw.subject.participant_id} ({raw.t1w})"
    t1w = np.where(native.mask, correct_bias(native.t1w, native.mask, native.grid), 0).astype(np.float32)
    native = replace(native, t1w=t1w)
    transform = register(
        t1w, native.grid, registration=settings.registration, engine=settings.engine, seed=settings.seed, name=name
    )
    prepared = _anatomy(native, transform, settings, name)
    prepared = _with_flair(prepared, raw, native, settings)
    prepared = _with_pet(prepared, raw, native, settings)
    return _with_lesion(prepared, raw, native, settings)


def _anatomy(native: Native, transform: Transform, settings: Settings, name: str) -> Prepared:
    """T1, brain mask and tissues on the cohort's grid."""
    target, grid = template_grid(settings.resolution_mm), native.grid

    def onto_target(image: NDArray) -> NDArray[np.float32]:
        """From the native T1's grid to the cohort's, (I, J, K) each, without aliasing."""
        smooth = antialias(image, grid, settings.resolution_mm)
        return resample(smooth, grid, target, transform.template_to_native)

    brain = (onto_target(native.mask) >= 0.5) & near_template_brain(target)
    warped = onto_target(native.t1w)
    _check_similarity(warped, template_images(target), settings, name)
    tissues = segment(native.t1w, native.mask, grid, transform, seed=settings.seed, name=name)
    shares = {tissue: np.clip(onto_target(tissues[tissue]), 0, 1) for tissue in TISSUES}
    brain = trim_to_tissue(brain, shares["gm"] + shares["wm"], target)
    images = {"t1w": scale_t1w(warped, brain), "brain_mask": brain}
    images |= {tissue: np.where(brain, share, 0) for tissue, share in shares.items()}
    measures = likeness(images, template_images(target)) | {
        f"native_{kind}_ml": volume_ml(image, grid) for kind, image in {"brain": native.mask, **tissues}.items()
    }
    return Prepared(images, transform, measures, native.whole, notes=native.notes, mask_from=native.mask_from)


def _with_lesion(prepared: Prepared, raw: RawSubject, native: Native, settings: Settings) -> Prepared:
    if native.lesion is None:
        return prepared
    (drawn, grid), transform, space = native.lesion, prepared.transform.template_to_native, settings.lesion_space
    if space != "t1w":
        transform = prepared.transform.template_to(space)
        brain = brain_on(space, native.mask, native.grid, grid, prepared.transform)
        check_drawn(drawn, brain, f"{raw.subject.participant_id} ({raw.lesion_mask})")
    lesion, measures, notes = lesion_on_template(drawn, grid, transform, template_grid(settings.resolution_mm))
    return replace(
        prepared,
        images={**prepared.images, "lesion_mask": lesion} if lesion.any() else prepared.images,
        measures={**prepared.measures, **measures},
        notes=(*prepared.notes, *notes),
    )


def _with_flair(prepared: Prepared, raw: RawSubject, native: Native, settings: Settings) -> Prepared:
    if native.flair is None:
        return prepared
    flair, grid = native.flair
    found = register_rigid(native.t1w, native.mask, native.grid, flair, grid, seed=settings.seed)
    transform = replace(prepared.transform, rigid={**prepared.transform.rigid, "flair": found})
    brain = prepared.images["brain_mask"]
    image = flair_on_template(
        flair, grid, transform, native.mask, native.grid, brain, template_grid(settings.resolution_mm),
        name=f"{raw.subject.participant_id} ({raw.flair})",
    )  # fmt: skip
    similarity = normalised_mutual_information(prepared.images["t1w"][brain], image[brain])
    measures = {**prepared.measures, "flair_mutual_information": similarity}
    return replace(prepared, images={**prepared.images, "flair": image}, transform=transform, measures=measures)


def _with_pet(prepared: Prepared, raw: RawSubject, native: Native, settings: Settings) -> Prepared:
    pet = native.pet
    if pet is None:
        return prepared
    name = f"{raw.subject.participant_id} ({raw.pet})"
    data, grid = measured_box(pet)
    found = register_rigid(native.t1w, native.mask, native.grid, data, grid, seed=settings.seed)
    transform = replace(prepared.transform, rigid={**prepared.transform.rigid, "pet": found})
    brain, target = prepared.images["brain_mask"], template_grid(settings.resolution_mm)
    made = pet_on_template(
        pet, transform.template_to("pet"), brain, target,
        suvr_reference=settings.suvr_reference, own_fwhm_mm=settings.own_fwhm_mm(raw.subject.site, name),
        smooth_to_fwhm_mm=settings.smooth_to_fwhm_mm, name=name,
    )  # fmt: skip
    alike = alignment(made.suvr, prepared.images["t1w"], prepared.images, brain, target)
    return replace(
        prepared,
        images={**prepared.images, "pet": made.suvr},
        transform=transform,
        measures={**prepared.measures, **made.measures, **alike},
        pet=made.about,
        notes=(*prepared.notes, *pet.notes, *made.notes),
    )


def _check_similarity(t1w: NDArray[np.float32], template: TemplateImages, settings: Settings, name: str) -> None:
    """Refuse a T1, (I, J, K) on the template's grid, that does not look like the template within its brain."""
    similarity = correlation(t1w, template.t1w, template.brain_mask)
    if not similarity >= settings.min_similarity:
        raise DataError(
            f"E_REGISTRATION {name}: correlation with the template {similarity:.2f}; expected at least "
            f"{settings.min_similarity} (min_similarity). Look at the T1's orientation and at the brain mask"
        )
