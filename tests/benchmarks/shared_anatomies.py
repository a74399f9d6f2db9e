"""The table of docs/real_people.md: detectors on patients of whom several share an anatomy, over several studies.

``python tests/benchmarks/shared_anatomies.py outputs/semireal-5 outputs/semireal-16 ...`` reads what ``uad.compare``
wrote there, and prints for each detector and normative set how many lesions are found, the mean rank, the mean rank
with misses as the worst kept rank plus one, and the area under FROC; then the first detector less each other one.

Lesions in one anatomy are not independent. Values are therefore averaged over the lesions of an anatomy first; the
interval is a bootstrap over anatomies, p that of the exact sign-flip test over anatomies (Fisher 1935).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.report.plain import plain_table
from synthpet.statistics.paired import censored_ranks, paired_bootstrap
from uad.comparison.table import Outcome
from uad.scores.lesions import froc_areas

DETECTORS = (
    "residual_conditional", "zmap_conditional", "ocsvm_conditional", "residual_mirror", "residual", "asymmetry", "zmap",
    "zmap_6mm", "ocsvm_voxel",
)  # fmt: skip
COLUMNS = ("real", "synthetic-patch3d", "completed-patch3d")
MAX_CLUSTERS, FALSE_PER_SCAN = 10, 3.0


def read(study: Path, detector: str, column: str) -> Outcome | None:
    """One cell of a study's comparison; None where it was not evaluated."""
    found = [path for gan in ("", "-patch3d") if (path := study / f"evaluation-{detector}-{column}{gan}").is_dir()]
    return Outcome.read(found[0]) if found else None


def anatomy_of(patient: str) -> str:
    """``sub-03`` of ``sub-03lesion2``."""
    return patient.partition("lesion")[0]


def values(outcomes: Sequence[Outcome]) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Anatomy, rank (NaN: missed) and area under FROC of every patient of all studies."""
    who = [anatomy_of(patient) for outcome in outcomes for patient in outcome.patients]
    areas = [
        froc_areas(o.froc.found, o.froc.false_per_scan[:, None], up_to=FALSE_PER_SCAN)
        for o in outcomes
        if o.froc is not None
    ]
    return who, np.concatenate([o.first for o in outcomes]), np.concatenate(areas)


def by_anatomy(anatomies: Sequence[str], numbers: NDArray) -> NDArray[np.float64]:
    """Mean over the lesions of each anatomy, (anatomies,), in the order of their names."""
    names = np.array(anatomies)
    return np.array([numbers[names == name].mean() for name in np.unique(names)])


def sign_flip_p(differences: NDArray[np.float64]) -> float:
    """Two-sided exact p of a mean of 0 under all 2^n sign flips of (n,) differences; n up to about 24 for memory."""
    sums = np.zeros(1)
    for difference in differences:
        sums = np.concatenate([sums + difference, sums - difference])
    return float(np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12))


def compared(a: NDArray[np.float64], b: NDArray[np.float64]) -> str:
    """Difference of the means over anatomies with its 95 % interval and p, in words."""
    found = paired_bootstrap(a, b, seed=0)
    low, high = found.interval
    return f"{found.value:+.3f} ({low:+.3f} to {high:+.3f}), p = {sign_flip_p(a - b):.2g}"


def rows(studies: Sequence[Path], detectors: Sequence[str] = DETECTORS) -> list[dict[str, str]]:
    """The table, a row a detector and column that every study has."""
    table, first = [], {}
    for detector in detectors:
        for column in COLUMNS:
            outcomes = [read(study, detector, column) for study in studies]
            there = [outcome for outcome in outcomes if outcome is not None]
            if len(there) < len(studies):
                continue
            who, ranks, areas = values(there)
            found = by_anatomy(who, np.isfinite(ranks).astype(float))
            area = by_anatomy(who, areas)
            best = first.setdefault(column, (found, area))
            own = best[1] is area
            table.append({
                "detector": detector, "set": column, "found": f"{np.isfinite(ranks).sum()} of {ranks.size}",
                "rank": f"{np.nanmean(ranks):.1f}", "censored": f"{censored_ranks(ranks, MAX_CLUSTERS).mean():.1f}",
                "area": f"{areas.mean():.3f}", "first less this: area": "" if own else compared(best[1], area),
                "share found": "" if own else compared(best[0], found),
            })  # fmt: skip
    return table


if __name__ == "__main__":
    for line in plain_table(rows([Path(name) for name in sys.argv[1:]])).splitlines():
        print(line)
