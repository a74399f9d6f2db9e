"""Quality control of one prepared person: numbers that say whether brain, T1, PET and FLAIR lie where they should.

The numbers are taken at 3 mm, so that they mean the same at every resolution of the cohort.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.coverage import without_padding
from synthpet.cohort.images import Grid, read_form_distance
from synthpet.plausibility.alignment import correlation, own_side_gain, residual_motion, tissue_fit
from synthpet.template.icbm import TemplateImages, resample_template, template_grid, template_images
from synthpet.template.smoothing import FWHM_PER_SIGMA

GRID_MM = 3.0
INNER_MM = 6.0  # the brain without its rim, whose width depends on the tool that stripped it
PET_FWHM_MM = 6.0  # blur of the tissue maps that explain a PET
ASYMMETRY_SIGMA_MM = 7.5  # blur of the grey matter before its two sides are compared
GM, WM = 0.7, 0.9  # share of a voxel from which it counts as pure
TISSUES = ("gm", "wm")

COLUMNS = {
    "similarity": "correlation of T1 and template within the template's brain",
    "gm_correlation": "correlation of the grey matter maps of person and template",
    "mask_dice": "overlap (Dice) of the brain masks of person and template",
    "native_brain_ml": "volume of the brain mask in the person's own space, mL",
    "t1w_shift_mm": "shift that would bring the prepared T1 nearer to the template, mm; 0: none",
    "t1w_turn_deg": "turn that would, degrees; underestimated above 5",
    "missing_percent": f"share of the template's brain, {INNER_MM:g} mm and more from its edge, that lies outside the "
    "person's brain mask, %",
    "outside_image_percent": "share of the template's brain that lies outside the raw T1's field of view, %",
    "qform_sform_mm": "largest distance between where the two positions in the T1's header (qform, sform) put a corner "
    "of the image, mm; 0: they agree, or there is one",
    "sides_conflict": "1: qform and sform disagree on which side is left; 0: they do not",
    "left_right": "log10 of the odds that the person's sides are those of the others, by the asymmetry of the grey "
    "matter; negative: left and right may be swapped; n/a: fewer than 8 people, or no common asymmetry",
    "pet_coverage_percent": "share of the brain mask that the PET's field of view reaches, %",
    "pet_fit": "correlation of the PET with the mixture of the person's own grey and white matter that explains it "
    "best",
    "pet_own_gain": "pet_fit less that of the PET's mirror image: around 0 the PET is another person's, or blurred; "
    "below 0 its sides are those of the mirror image",
    "pet_shift_mm": "shift that would bring the PET nearer to the T1's tissues, mm",
    "pet_turn_deg": "turn that would, degrees; underestimated above 5",
    "pet_gm_wm_ratio": "mean uptake of grey matter / white matter",
    "pet_brain_suvr": "mean uptake of the brain, in units of the reference region",
    "pet_cerebellum_suvr": "mean uptake of the cerebellum's grey matter, in units of the reference region",
    "flair_fit": "as pet_fit, for the FLAIR",
    "flair_own_gain": "as pet_own_gain, for the FLAIR",
    "flair_shift_mm": "as pet_shift_mm, for the FLAIR",
    "flair_turn_deg": "as pet_turn_deg, for the FLAIR",
    "lesion_ml": "volume of the lesion mask on the template, mL",
    "lesion_outside_percent": "share of the lesion mask outside the brain mask, %",
}

MEASURES = {  # of the preparation, shown beside
    "native_gm_ml": "grey matter in the person's own space, mL",
    "native_wm_ml": "white matter in the person's own space, mL",
    "native_csf_ml": "cerebrospinal fluid within the brain mask in the person's own space, mL",
    "pet_coverage": "share of the brain mask that the PET's field of view reaches",
    "pet_frames": "frames that the PET is the mean of",
    "pet_frame_shift_mm": "how far the frame that lies farthest off lies from their mean, mm",
    "pet_body_mm": "length of the PET of the whole body that was cut to the head, mm",
    "pet_reference_mean": "mean of the reference region, in the PET's own unit",
    "pet_mutual_information": "normalised mutual information of PET and T1, 1 (nothing in common) to 2",
    "pet_gm_correlation": "correlation of the PET with the uptake expected from the person's tissues",
    "flair_mutual_information": "normalised mutual information of FLAIR and T1, 1 to 2",
    "lesion_native_ml": "volume of the lesion mask in the person's own space, mL",
}


@lru_cache(maxsize=2)
def coarse_template(grid: Grid) -> TemplateImages:
    """The template's images on the grid that people are measured on."""
    return template_images(grid)


def likeness(images: Mapping[str, NDArray], template: TemplateImages) -> dict[str, float]:
    """How alike person and template are: correlations within the template's brain, Dice of the masks.

    Args:
        images: (I, J, K) each on the template's grid: ``t1w``, ``brain_mask``, and ``gm`` where there is one.
        template: on the same grid.
    """
    inside, brain = template.brain_mask, images["brain_mask"] > 0.5
    found = {"similarity": correlation(images["t1w"], template.t1w, inside)}
    if "gm" in images:
        found["gm_correlation"] = correlation(images["gm"], template.gm, inside)
    return found | {"mask_dice": float(2 * (brain & inside).sum() / (brain.sum() + inside.sum()))}


def measure_images(images: Mapping[str, NDArray], grid: Grid) -> dict[str, float]:
    """The numbers that the prepared images themselves give.

    Args:
        images: (I, J, K) each on ``grid``: ``t1w`` (scaled), ``brain_mask``; where there are, ``gm``, ``wm``, ``pet``
            (SUVR), ``flair``, ``lesion_mask``.
        grid: of a cohort, symmetric about x = 0.

    Returns:
        Those of ``COLUMNS`` that these images can give.
    """
    coarse = grid if min(grid.spacing_mm) >= GRID_MM - 0.01 else template_grid(GRID_MM)
    template = coarse_template(coarse)
    images = {**images, "pet": without_padding(images["pet"])} if "pet" in images else images
    taken = {kind: _on(np.asarray(data, np.float32), grid, coarse) for kind, data in images.items()}
    brain = taken["brain_mask"] > 0.5
    shift, turn = residual_motion(taken["t1w"], [template.t1w], template.brain_mask, coarse)
    numbers = {"t1w_shift_mm": shift, "t1w_turn_deg": turn, "missing_percent": _missing_percent(brain, coarse)}
    if "pet" in taken:
        numbers |= _measure_pet(taken, brain, coarse)
    if "flair" in taken:
        numbers |= _measure_alignment("flair", taken["flair"], own_tissues(taken, coarse), brain, coarse)
    if "lesion_mask" in images:
        numbers |= _measure_lesion(images["lesion_mask"] > 0.5, images["brain_mask"] > 0.5, grid)
    return numbers


def _on(data: NDArray[np.float32], grid: Grid, coarse: Grid) -> NDArray[np.float32]:
    return data if grid.matches(coarse) else resample_template(data, grid, coarse)


def _missing_percent(brain: NDArray[np.bool_], grid: Grid) -> float:
    inner = inner_brain(coarse_template(grid), grid)
    return 100 * float((inner & ~brain).sum() / inner.sum())


def inner_brain(template: TemplateImages, grid: Grid) -> NDArray[np.bool_]:
    """The template's brain ``INNER_MM`` and more from its edge, (I, J, K)."""
    return ndimage.distance_transform_edt(template.brain_mask, sampling=grid.spacing_mm) >= INNER_MM


def _measure_pet(taken: Mapping[str, NDArray], brain: NDArray[np.bool_], grid: Grid) -> dict[str, float]:
    from synthpet.template.regions import named_regions

    pet = taken["pet"]
    seen = brain & (pet > 0)
    found = {"pet_coverage_percent": 100 * float(seen.sum() / max(1, brain.sum()))}
    regions = named_regions(grid)
    cerebellum = np.isin(regions.labels, [1 + k for k, name in enumerate(regions.names) if "cerebellum" in name])
    found |= {"pet_brain_suvr": _mean(pet, seen), "pet_cerebellum_suvr": _mean(pet, seen & cerebellum)}
    if "gm" in taken and "wm" in taken:
        gm, wm = (_mean(pet, seen & (taken[kind] > share)) for kind, share in (("gm", GM), ("wm", WM)))
        found["pet_gm_wm_ratio"] = gm / wm
    return found | _measure_alignment("pet", pet, own_tissues(taken, grid, PET_FWHM_MM), seen, grid)


def _mean(image: NDArray, where: NDArray[np.bool_]) -> float:
    return float(image[where].mean(dtype=np.float64)) if where.any() else np.nan


def own_tissues(taken: Mapping[str, NDArray], grid: Grid, fwhm_mm: float = 0.0) -> list[NDArray]:
    """Maps of the person's own tissues, (I, J, K) each; of the T1's brightness where there are none; blurred."""
    maps = [taken[kind] for kind in TISSUES if kind in taken] or [taken["t1w"], np.square(taken["t1w"])]
    sigma = fwhm_mm / FWHM_PER_SIGMA / np.asarray(grid.spacing_mm)
    return [ndimage.gaussian_filter(tissue, sigma) for tissue in maps] if fwhm_mm else maps


def _measure_alignment(
    name: str, image: NDArray, tissues: list[NDArray], inside: NDArray[np.bool_], grid: Grid
) -> dict[str, float]:
    if inside.sum() < 1000:  # too little to judge
        return {}
    shift, turn = residual_motion(image, tissues, inside, grid)
    return {
        f"{name}_fit": tissue_fit(image, tissues, inside),
        f"{name}_own_gain": own_side_gain(image, tissues, inside),
        f"{name}_shift_mm": shift,
        f"{name}_turn_deg": turn,
    }


def _measure_lesion(lesion: NDArray[np.bool_], brain: NDArray[np.bool_], grid: Grid) -> dict[str, float]:
    n = int(lesion.sum())
    outside = 100 * float((lesion & ~brain).sum()) / n if n else np.nan
    return {"lesion_ml": n * float(np.prod(grid.spacing_mm)) / 1000, "lesion_outside_percent": outside}


def asymmetry(gm: NDArray, grid: Grid) -> NDArray[np.float16]:
    """Right minus left of the blurred grey matter, (n,): to be compared with the same of other people.

    Args:
        gm: (I, J, K) share of grey matter on ``grid``.
        grid: of a cohort, symmetric about x = 0.
    """
    coarse = grid if min(grid.spacing_mm) >= GRID_MM - 0.01 else template_grid(GRID_MM)
    smooth = ndimage.gaussian_filter(
        _on(np.asarray(gm, np.float32), grid, coarse), ASYMMETRY_SIGMA_MM / np.asarray(coarse.spacing_mm)
    )
    brain = coarse_template(coarse).brain_mask
    right = brain & brain[::-1]
    right[: right.shape[0] // 2 + 1] = False
    return (smooth - smooth[::-1])[right][::2].astype(np.float16)


def measure_header(path: Path) -> dict[str, float]:
    """How far apart qform and sform of an image's header lie, and whether they disagree on left and right."""
    apart_mm, _, sides = read_form_distance(path)
    return {"qform_sform_mm": apart_mm, "sides_conflict": float(sides)}


def brain_points_mm(n: int = 5000) -> NDArray[np.float64]:
    """About ``n`` points spread over the template's brain, (n, 3), RAS+ mm."""
    grid = template_grid(GRID_MM)
    voxels = np.argwhere(template_images(grid).brain_mask)
    return voxels[:: max(1, len(voxels) // n)] @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
