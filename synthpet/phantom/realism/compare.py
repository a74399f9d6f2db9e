"""Every figure of simulated people beside its real counterpart.

Source: hedyPET (see ``synthpet.phantom.variation``); correlation by distance of 537 cognitively normal people of ADNI,
from the table in fdg-neurosegmenter 1.0.1 (MIT; Silva et al., Brain 2026, doi 10.1093/brain/awag314); anatomy: see
``synthpet.phantom.realism.anatomy``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.realism import anatomy as t1w
from synthpet.phantom.realism import uptake as pet
from synthpet.phantom.realism.people import OLDEST_OF_YOUNG, Seen
from synthpet.phantom.variation import real_people

TOLERANCE, FACTOR, SHARE = 0.15, 1.5, 0.9  # of medians; of single regions, for this share of them
CORRELATION_BY_DISTANCE = (0.52, 0.36, 0.21, 0.03, -0.08, -0.18)  # ADNI, regions of one side
HELD = ("t1w_sd_0mm", "t1w_sd_6mm")
HEDY, YOUNG_HEDY, ADNI = "hedyPET", "hedyPET, 18-49", "ADNI"


@dataclass(frozen=True)
class Figure:
    """One figure of the simulated people beside that of real ones.

    Args:
        name: what is measured, in words.
        simulated: its value.
        real: its value in real people; None where there is none.
        source: of whom.
        held: whether it is within the tolerance; None where there is none.
    """

    name: str
    simulated: float
    real: float | None
    source: str
    held: bool | None = None

    @classmethod
    def of(cls, name: str, simulated: np.floating | float, real: np.floating | float, source: str) -> "Figure":
        """A figure that has to be within ``TOLERANCE`` of the real one."""
        return cls(name, float(simulated), float(real), source, abs(float(simulated) / float(real) - 1) <= TOLERANCE)


def compare(people: Sequence[Seen], registration: str, grey: NDArray[np.bool_]) -> list[Figure]:
    """Every figure beside its real counterpart.

    Args:
        people: of all ages.
        registration: ``syn`` or ``affine``: what the people are as.
        grey: (I, J, K) the template's grey matter on their grid.
    """
    young = np.stack([seen.uptake for seen in people if seen.age <= OLDEST_OF_YOUNG])
    anatomy = _anatomy([seen for seen in people if seen.age <= OLDEST_OF_YOUNG], registration, grey)
    return [*_spreads(young), *_with_age(people), *_by_distance(young), *anatomy]


def _spreads(uptake: NDArray[np.float64]) -> list[Figure]:
    """How people differ by region, of log uptake (people, n, 2)."""
    real, sd = real_people(), pet.spread(uptake)
    near = float(np.mean((sd / real.sd < FACTOR) & (real.sd / sd < FACTOR)))
    return [
        Figure.of("SD between people of a region's uptake (median, log)", np.median(sd), np.median(real.sd),
                  YOUNG_HEDY),
        Figure(f"share of regions whose SD is within a factor of {FACTOR:g}", near, None, YOUNG_HEDY, near >= SHARE),
        Figure.of("correlation of a region with its mirror image (median)", np.median(pet.mirror_correlation(uptake)),
                  np.median(np.diag(real.other_side)), HEDY),
        Figure.of("SD of left minus right (median, log)", np.median(pet.asymmetry_sd(uptake)),
                  np.nanmedian(real.asymmetry_sd), HEDY),
    ]  # fmt: skip


def _with_age(people: Sequence[Seen]) -> list[Figure]:
    real, slope = real_people(), pet.slopes(people)
    return [
        Figure.of("size of the change per decade of age (median, log)", np.median(np.abs(slope)),
                  np.median(np.abs(real.slope)), HEDY),
        Figure("change per decade: correlation over regions with the real one",
               float(np.corrcoef(slope, real.slope)[0, 1]), None, HEDY),
        Figure.of("share of a region's variance that age and volumes explain (median)",
                  np.median(pet.explained_by_volume(people)), np.median(real.explained), HEDY),
        Figure("share that the expected PET explains: all that a T1 -> PET method can know (median)",
               float(np.median(pet.explained_by_expected(people))), None, "(only a simulation tells)"),
    ]  # fmt: skip


def _by_distance(uptake: NDArray[np.float64]) -> list[Figure]:
    """How regions go together by distance, of log uptake (people, n, 2)."""
    ends = ("0", *(f"{mm:g}" for mm in pet.DISTANCE_MM), "")
    names = [f"{low} to {high} mm" if high else f"beyond {low} mm" for low, high in pairwise(ends)]
    found = zip(names, pet.correlation_by_distance(uptake), pet.mean_by_distance(real_people().same_side),
                CORRELATION_BY_DISTANCE, strict=True)  # fmt: skip
    return [
        Figure(f"correlation of regions of one side, {name}", simulated, real, f"{HEDY}; {ADNI} {adni:.2f}")
        for name, simulated, real, adni in found
    ]


def _anatomy(people: Sequence[Seen], registration: str, grey: NDArray[np.bool_]) -> list[Figure]:
    """How T1s and tissues differ; ``grey``: (I, J, K) on their grid."""
    t1ws, masks = (np.stack([getattr(seen, kind) for seen in people]) for kind in ("t1w", "mask"))
    found = t1w.anatomy_figures(t1ws.astype(np.float32), masks, grey)
    source = f"ds002748, {'SyN' if registration == 'syn' else 'affine'}"
    return [
        Figure.of(t1w.WORDS[name], found[name], real, source) if name in HELD
        else Figure(t1w.WORDS[name], found[name], real, source)
        for name, real in t1w.REAL[registration].items()
    ]  # fmt: skip
