"""A person's PET on the template: rigid to the T1, one resolution, one interpolation, SUVR."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's customary name
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.coverage import FLOOR
from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from synthpet.prepare.pet import RawPet
from synthpet.prepare.reference import reference_uptake
from synthpet.prepare.spaces.itk import antialias_fwhm_mm, resample
from synthpet.template.smoothing import FWHM_PER_SIGMA, smooth_within

COVERAGE_REFUSED, COVERAGE_NOTED = 0.5, 0.95  # share of the brain that the field of view reaches
NEGATIVE_SHARE = 0.05  # of the brain: more is no uptake
EXPECTED = {"gm": 1.243, "wm": 0.554, "csf": 0.360}  # group-mean uptake (Blazey et al.), for the similarity
EXPECTED_FWHM_MM = 6.0
NMI_BINS = 32


@dataclass(frozen=True)
class TemplatePet:
    """``suvr`` (I, J, K) on the cohort's grid, exactly 0 where nothing was measured; and how it was made."""

    suvr: NDArray[np.float32]
    about: dict[str, Any]
    measures: dict[str, float]
    notes: tuple[str, ...]


def pet_on_template(
    pet: RawPet, to_pet: sitk.Transform, brain: NDArray[np.bool_], target: Grid, *,
    suvr_reference: str, own_fwhm_mm: float | None, smooth_to_fwhm_mm: float | None, name: str,
) -> TemplatePet:  # fmt: skip
    """Bring a PET to its resolution and onto the template, and scale it.

    Args:
        pet: in the scanner's unit on its own grid.
        to_pet: maps points of the template to points of the PET.
        brain: (I, J, K) on ``target``.
        target: the cohort's grid.
        suvr_reference: the region whose mean is 1.
        own_fwhm_mm: the scanner's resolution, if known.
        smooth_to_fwhm_mm: the resolution that is wanted; None: the scanner's.
        name: the subject and its file, for messages.

    Raises:
        DataError: the field of view misses half of the brain or the reference region, or the brain's uptake is
            negative.
    """
    extra_mm, fwhm_mm, notes = _widening(own_fwhm_mm, smooth_to_fwhm_mm)
    widths = np.sqrt(np.square(antialias_fwhm_mm(pet.grid, min(target.spacing_mm))) + extra_mm**2)
    smooth = smooth_within(pet.data, pet.view, widths, pet.grid.spacing_mm, mode="constant")
    share = resample(pet.view.astype(np.float32), pet.grid, target, to_pet)
    seen = share >= 0.5
    values = np.where(seen, resample(smooth, pet.grid, target, to_pet) / np.maximum(share, 0.5), 0)
    coverage = float((seen & brain).sum() / brain.sum())
    notes = (*notes, *_check_view(values[seen & brain], coverage, name))
    reference = reference_uptake(values, seen, brain, target, suvr_reference=suvr_reference, name=name)
    suvr = np.where(seen, np.maximum(values / reference.mean, FLOOR), 0).astype(np.float32)
    about = {
        **pet.about,
        "Units": "arbitrary",
        "SourceUnits": pet.about.get("Units", "n/a"),
        "SUVRReferenceRegion": reference.words,
        "ReferenceMean": reference.mean,
        "ReferenceShareInView": reference.seen,
        "OutsideFieldOfView": "exactly 0",
    }
    if fwhm_mm is not None:
        about |= {"PointSpreadFunctionFWHM": round(fwhm_mm, 3), "SmoothedByFWHM": round(extra_mm, 3)}
    measures = {**pet.measures, "pet_coverage": coverage, "pet_reference_mean": reference.mean}
    return TemplatePet(suvr, about, measures, notes)


def _widening(own_mm: float | None, wanted_mm: float | None) -> tuple[float, float | None, tuple[str, ...]]:
    """FWHM of the Gaussian that is missing, the resolution after it, and a note."""
    if wanted_mm is None or own_mm is None:
        return 0.0, own_mm, ()
    if own_mm > wanted_mm:
        note = (
            f"PET: its own resolution of {own_mm:g} mm is coarser than smooth_to_fwhm_mm={wanted_mm:g}; left as it is"
        )
        return 0.0, own_mm, (note,)
    return float(np.sqrt(wanted_mm**2 - own_mm**2)), wanted_mm, ()


def _check_view(uptake: NDArray[np.float32], coverage: float, name: str) -> tuple[str, ...]:
    """Refuse what is no image of the brain by its uptake there, (n,), in any unit; notes on what is worth a look."""
    if coverage < COVERAGE_REFUSED:
        raise DataError(
            f"E_COVERAGE {name}: the PET's field of view reaches {coverage:.0%} of the brain; expected at least "
            f"{COVERAGE_REFUSED:.0%}. Look at the PET's field of view, and at its orientation and origin"
        )
    negative = float((uptake < 0).mean())
    if negative > NEGATIVE_SHARE:
        raise DataError(
            f"E_RANGE {name}: {negative:.0%} of the brain has negative uptake; expected a PET of the tracer's uptake, "
            "not a difference or a parametric map"
        )
    notes = []
    if coverage < COVERAGE_NOTED:
        notes.append(f"PET: its field of view reaches {coverage:.0%} of the brain; the rest is not tested")
    if negative > 0:
        notes.append(f"PET: {negative:.1%} of the brain has negative uptake, set to {FLOOR:g} SUVR")
    return tuple(notes)


def alignment(suvr: NDArray, t1w: NDArray, tissues: dict[str, NDArray], brain: NDArray[np.bool_], grid: Grid) -> dict:
    """How alike a PET and its T1 are where both were measured.

    Args:
        suvr: (I, J, K), 0 where not measured.
        t1w: (I, J, K), scaled.
        tissues: ``gm``, ``wm``, ``csf``, shares, (I, J, K) each.
        brain: (I, J, K).
        grid: of all.

    Returns:
        ``pet_mutual_information``: normalised, 1 (nothing in common) to 2; ``pet_gm_correlation``: Pearson's r with
        the uptake expected from the person's tissues.
    """
    seen = brain & (suvr != 0)
    sigma = EXPECTED_FWHM_MM / FWHM_PER_SIGMA / np.asarray(grid.spacing_mm)
    mixture = sum(uptake * np.asarray(tissues[tissue], np.float32) for tissue, uptake in EXPECTED.items())
    expected = ndimage.gaussian_filter(mixture, sigma)
    return {
        "pet_mutual_information": normalised_mutual_information(t1w[seen], suvr[seen]),
        "pet_gm_correlation": float(np.corrcoef(expected[seen], suvr[seen])[0, 1]),
    }


def normalised_mutual_information(a: NDArray, b: NDArray) -> float:
    """(H(a) + H(b)) / H(a, b) of two lists of values (n,), on 32 bins from the 0.5th to the 99.5th percentile.

    Source: Studholme et al., Pattern Recognition 32 (1999) 71. 1: nothing in common; 2: each tells the other.
    """
    bins = []
    for values in (a, b):
        low, high = np.percentile(values, [0.5, 99.5])
        scaled = (values - low) / max(high - low, 1e-12) * NMI_BINS
        bins.append(np.clip(scaled, 0, NMI_BINS - 1).astype(np.int64))
    joint = np.bincount(bins[0] * NMI_BINS + bins[1], minlength=NMI_BINS**2).reshape(NMI_BINS, NMI_BINS) / len(a)

    def entropy(p: NDArray) -> float:
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

    return (entropy(joint.sum(0)) + entropy(joint.sum(1))) / max(entropy(joint.ravel()), 1e-12)
