"""One person's images in template space held to all rules: what is wrong for certain, what deserves a look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.coverage import without_padding
from synthpet.cohort.images import Grid
from synthpet.cohort.index import scale_t1w
from synthpet.cohort.problems import ERROR, WARNING
from synthpet.plausibility.alignment import correlation, own_side_gain, tissue_fit
from synthpet.plausibility.flags import Norm, judge
from synthpet.plausibility.measures import GRID_MM, PET_FWHM_MM, coarse_template, likeness, measure_images, own_tissues
from synthpet.template.icbm import TemplateImages, resample_template, template_grid

COPY = 0.995  # correlation of PET and T1 in the brain, from which one is computed from the other
BETTER = 0.2  # correlation by which another reading of an image has to be the better one
OVERLAP = 0.6  # of an image with its turned self, so that the two can be compared
ALIKE = 0.5  # correlation that this other reading has to have
MIXED = 0.05  # correlation by which a PET fits somebody else's T1 better
OWN_FIT, OWN_GAIN = 0.9, 0.01  # of a T1 to its own tissue maps: 0.97 and 0.1; to those of others 0.8 and 0
OTHERS = "one of the two is another person's; expected both of one person; check where the files come from"
OWN = "pet_own_gain"
AXES = {1: "front to back", 2: "upside down"}
SWAPPED = "is like the template's T1 and the T1 is not: T1 and PET may be swapped; expected each in its own place"


@dataclass(frozen=True)
class Finding:
    """A broken rule: of which image (``kind``), its code, in words with what to do, error or warning."""

    kind: str
    code: str
    message: str
    level: str = ERROR


def look_at(images: Mapping[str, NDArray], grid: Grid) -> tuple[list[Finding], float | None]:
    """Hold a person's images to the rules.

    Args:
        images: (I, J, K) each on ``grid``: ``t1w``, ``brain_mask``; where there are, ``pet`` (SUVR), ``gm``, ``wm``,
            ``flair``, ``lesion_mask``.
        grid: in template space.

    Returns:
        What is broken, and ``pet_own_gain`` where there is a PET that can be judged.
    """
    taken, coarse = _coarse(images, grid)
    brain, template = taken["brain_mask"] > 0.5, coarse_template(coarse)
    if brain.sum() < 100 or not np.ptp(taken["t1w"][brain]) > 0:
        return [], None  # said by those who read the images
    found = _sure(taken, brain, template)
    if found:
        return found, None
    taken["t1w"] = scale_t1w(taken["t1w"], brain)
    if {"gm", "wm"} <= set(taken) and _of_another(taken["t1w"], [taken["gm"], taken["wm"]], brain):
        found.append(Finding("t1w", "E_LOOK", f"the T1 does not fit its own tissue maps: {OTHERS}", WARNING))
    numbers = likeness(taken, template) | measure_images(taken, coarse)
    for flag in judge(numbers, Norm()).flags:
        if flag.level == "alarm" or flag.column == OWN:
            words = f"{flag.words} ({flag.numbers}). {flag.advice}"
            found.append(Finding(_kind(flag.column), "E_LOOK", words, WARNING))
    return found, numbers.get(OWN)


def whose_pet(people: Mapping[str, Mapping[str, NDArray]], grid: Grid) -> dict[str, tuple[str, float, float]]:
    """Whose T1 a PET fits far better than its own.

    Args:
        people: by id, images as for ``look_at`` with a PET each.
        grid: in template space.

    Returns:
        By the PET's id: the T1's, its fit with that, its fit with its own. Empty where everybody has their own.
    """
    taken = {who: _coarse(images, grid) for who, images in people.items()}
    tissues, found = {}, {}
    for who, (images, coarse) in taken.items():
        images["t1w"] = scale_t1w(images["t1w"], images["brain_mask"] > 0.5)
        tissues[who] = own_tissues(images, coarse, PET_FWHM_MM)
    for who, (images, _) in taken.items():
        seen = (images["brain_mask"] > 0.5) & (images["pet"] > 0)
        fits = {other: tissue_fit(images["pet"], maps, seen) for other, maps in tissues.items()}
        best = max(fits, key=lambda other: fits[other])
        if fits[best] >= ALIKE and fits[best] - fits[who] > MIXED:
            found[who] = (best, fits[best], fits[who])
    return found


def _coarse(images: Mapping[str, NDArray], grid: Grid) -> tuple[dict[str, NDArray[np.float32]], Grid]:
    """The images on a grid of the template of 3 mm or more."""
    coarse = template_grid(max(GRID_MM, round(min(grid.spacing_mm), 2)))
    data = {kind: np.asarray(image, np.float32) for kind, image in images.items()}
    if "pet" in data:
        data["pet"] = without_padding(data["pet"])
    if not grid.matches(coarse):
        data = {kind: resample_template(image, grid, coarse) for kind, image in data.items()}
    return data, coarse


def _kind(column: str) -> str:
    """The image that a number is about, as ``cohort.names`` calls it."""
    kinds = {"pet": "pet", "flair": "flair", "lesion": "lesion_mask"}
    return kinds.get(column.split("_")[0], "t1w")


def _sure(taken: Mapping[str, NDArray], brain: NDArray[np.bool_], template: TemplateImages) -> list[Finding]:
    """What leaves no doubt: a copy, T1 and PET swapped, an image that lies the right way only when it is turned."""
    t1w, pet = taken["t1w"], taken.get("pet")
    inside = template.brain_mask
    alike = correlation(t1w, template.t1w, inside)
    if pet is not None:
        if correlation(pet, t1w, brain) >= COPY:
            return [
                Finding("pet", "E_SAME", "the PET is the T1 times a number; expected a PET; check where it comes from")
            ]
        if (other := correlation(pet, template.t1w, inside)) >= max(ALIKE, alike + BETTER):
            return [Finding("t1w", "E_SWAPPED", f"the PET {SWAPPED} (correlations {other:.2f} and {alike:.2f})")]
    found = []
    if how := _turned(t1w, [template.t1w], inside):
        found.append(_wrong_way("t1w", how))
    tissues = [taken[kind] for kind in ("gm", "wm") if kind in taken] or [template.gm, template.wm]
    if pet is not None and not found and (how := _turned(pet, tissues, brain & (pet > 0))):
        found.append(_wrong_way("pet", how))
    return found


def _of_another(t1w: NDArray, tissues: Sequence[NDArray], brain: NDArray[np.bool_]) -> bool:
    """Whether a T1 hardly shows the tissues that were found in it, nor this person's asymmetries."""
    return tissue_fit(t1w, tissues, brain) < OWN_FIT and own_side_gain(t1w, tissues, brain) < OWN_GAIN


def _wrong_way(kind: str, how: str) -> Finding:
    words = f"it lies {how}: turned it fits far better; expected the head upright, face in front; correct its header"
    return Finding(kind, "E_ORIENTATION", words)


def _turned(image: NDArray, references: Sequence[NDArray], inside: NDArray[np.bool_]) -> str:
    """How an image lies the wrong way round; empty where no turn about the middle explains it far better."""
    best: tuple[int, ...] = ()
    most = max(ALIKE, tissue_fit(image, references, inside) + BETTER)
    for axes in (axes for n in (1, 2) for axes in combinations(AXES, n)):
        both = inside & np.flip(image != 0, axes)
        if both.sum() < OVERLAP * inside.sum():  # of a PET that is cut
            continue
        if (fit := tissue_fit(np.flip(image, axes), references, both)) >= most:
            best, most = axes, fit
    return " and ".join(AXES[axis] for axis in best)
