"""What only shows when subjects are put side by side: units, grids, one person under two names."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from synthpet.checks.subject import COMPARED, Facts
from synthpet.cohort.images import Grid, read_grid
from synthpet.cohort.index import Cohort, Subject
from synthpet.cohort.problems import ERROR, WARNING, Problem
from synthpet.errors import DataError

POSSIBLE_SUVR = (0.1, 10.0)  # mean within the brain; outside it is kBq/mL, counts or a lost scale
USUAL_SUVR = (0.5, 2.5)  # whatever the reference region; SUV lies above
UNIT_RATIO = 10.0  # between the brain means of two subjects: no two people differ as much
REMEDY = "divide each PET by the mean of its reference region"
DOUBTFUL_GAIN = 0.01  # of ``own_gain``: less hardly tells the person from their mirror image
MOST_DOUBTFUL = 20  # people: with more, the PETs are too blurred to tell anybody
SHOWN = 8  # names in one message


def common_grid(cohort: Cohort) -> Grid | None:
    """The grid that most T1 images have; None where no header can be read."""
    grids = []
    for subject in cohort.subjects:
        try:
            grids.append(read_grid(cohort.path(subject.participant_id, "t1w")))
        except DataError:  # said when the image is read
            continue
    return Counter(grids).most_common(1)[0][0] if grids else None


def check_together(cohort: Cohort, facts: Sequence[Facts]) -> list[Problem]:
    """Problems of the cohort as a whole."""
    sound = [found for found in facts if all(problem.level == WARNING for problem in found.problems)]
    problems = [*_grid(common_grid(cohort)), *_units(sound), *_same_images(cohort.subjects, facts), *_folders(cohort)]
    return problems + _mixed_up(cohort, sound)


def _mixed_up(cohort: Cohort, facts: Sequence[Facts]) -> list[Problem]:
    """PETs that fit the T1 of somebody else, among those that hardly fit their own."""
    from synthpet.plausibility.subject import whose_pet

    doubtful = {f.participant_id for f in facts if f.own_gain is not None and f.own_gain < DOUBTFUL_GAIN}
    if not 2 <= len(doubtful) <= MOST_DOUBTFUL:
        return []
    cohort = replace(cohort, subjects=tuple(s for s in cohort.subjects if s.participant_id in doubtful))
    kinds = ("t1w", "brain_mask", "pet", "gm", "wm")
    people = {
        s.participant_id: {k: cohort.load(s.participant_id, k) for k in kinds if cohort.has(s.participant_id, k)}
        for s in cohort.subjects
    }
    words = (
        "the PET fits the T1 of {} far better than its own (correlations {:.2f} and {:.2f}): PETs of two people may be "
        "mixed up; expected each person's own; check where the files come from"
    )
    found = whose_pet(people, cohort.grid)
    return [Problem(who, "", "E_MIXED_UP", words.format(*other)) for who, other in found.items()]


def _grid(grid: Grid | None) -> list[Problem]:
    """A grid that evaluation can use: sides are compared and named by the first axis."""
    if grid is None or grid.mirrors:
        return []
    rows = np.round(grid.matrix[:3], 3).tolist()
    words = (
        f"the grid of the images, {grid}, affine {rows}, is sheared, turned, or does not mirror about x = 0; expected "
        "axes along those of the template and the middle of the first at x = 0; prepare the raw images by "
        "`python -m synthpet.prepare`, or resample them"
    )
    return [Problem("", "", "E_GRID", words)]


def _units(facts: Sequence[Facts]) -> list[Problem]:
    """PET on one scale: no gap of a factor of ten between people, and a mean that SUVR can have."""
    means = sorted((f.pet_mean, f.participant_id) for f in facts if f.pet_mean is not None)
    positive = [(mean, who) for mean, who in means if mean > 0]
    problems = [_odd_mean(mean, who) for mean, who in means if mean <= 0]
    ratios = [larger / smaller for (smaller, _), (larger, _) in pairwise(positive)]
    if ratios and max(ratios) > UNIT_RATIO:
        cut = ratios.index(max(ratios)) + 1
        groups = " and ".join(
            f"{_names(who for _, who in group)} ({group[0][0]:.3g} to {group[-1][0]:.3g})"
            for group in (positive[:cut], positive[cut:])
        )
        words = f"brain means of the PET in two groups: {groups}; expected SUVR of everybody; {REMEDY}"
        return [*problems, Problem("", "", "E_UNITS_MIXED", words)]
    return problems + [_odd_mean(m, who) for m, who in positive if not USUAL_SUVR[0] <= m <= USUAL_SUVR[1]]


def _odd_mean(mean: float, participant_id: str) -> Problem:
    """A mean that SUVR cannot have is an error; one that it hardly has, such as that of SUV, a warning."""
    possible = POSSIBLE_SUVR[0] <= mean <= POSSIBLE_SUVR[1]
    words = f"PET: mean {mean:.3g} in the brain; expected SUVR, about 1; {REMEDY}"
    return Problem(participant_id, "", "E_RANGE", words, WARNING if possible else ERROR)


def _same_images(subjects: Iterable[Subject], facts: Sequence[Facts]) -> list[Problem]:
    """The same voxels under two ids; several simulated patients may share one person's T1, which no control has."""
    roles = {subject.participant_id: subject.role for subject in subjects}
    problems = []
    for kind in COMPARED:
        owners: dict[str, list[str]] = {}
        for found in facts:
            if kind in found.digests:
                owners.setdefault(found.digests[kind], []).append(found.participant_id)
        for ids in (ids for ids in owners.values() if len(ids) > 1):
            shared_by_patients = kind == "t1w" and all(roles[i] == "patient" for i in ids)
            level = {"level": WARNING} if shared_by_patients else {}
            for who in ids:
                others = _names(other for other in ids if other != who)
                words = (
                    f"the {kind} has the same voxels as that of {others}; expected one id a person; keep one of them"
                )
                problems.append(Problem(who, "", "E_LEAK_SAME_IMAGE", words, **level))
    return problems


def _folders(cohort: Cohort) -> list[Problem]:
    """Folders of people who are not in the table."""
    known = {subject.participant_id for subject in cohort.subjects}
    found = sorted(p.name for p in cohort.root.glob("sub-*") if p.is_dir() and p.name not in known)
    words = "a folder, but no row in participants.tsv; expected both; not used"
    return [Problem(re.sub(r"[^0-9a-zA-Z-]", "?", name), "", "E_NOT_IN_TABLE", words, WARNING) for name in found]


def _names(ids: Iterable[str]) -> str:
    names = list(ids)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
