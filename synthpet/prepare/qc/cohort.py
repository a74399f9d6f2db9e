"""Quality control of a whole cohort: who is compared with whom, what stands out, in which order people are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from synthpet.plausibility.flags import MAD_TO_SD, Norm, Verdict, judge
from synthpet.plausibility.measures import COLUMNS, MEASURES
from synthpet.prepare.qc.person import Checked

MIN_SIDES = 8  # people from which left and right are compared; with fewer, the common asymmetry is too noisy
LEAST_SPREAD = 0.1  # of these correlations; 0.13 among 14 real people
COMMON_SIDES = 0.1  # median correlation from which there is a common asymmetry; 0.31 among 14 real people


@dataclass(frozen=True)
class Person:
    """One prepared person and what stands out; ``checked`` is None where quality control failed: see ``problem``."""

    participant_id: str
    checked: Checked | None
    verdict: Verdict = field(default_factory=Verdict)
    problem: str = ""

    @property
    def numbers(self) -> Mapping[str, float | None]:
        """By column; empty where quality control failed."""
        return {} if self.checked is None else self.checked.numbers

    @property
    def suspicion(self) -> tuple[bool, int, int, float]:
        """Sort key: the most suspicious last."""
        return (bool(self.problem), *self.verdict.suspicion)


def judge_cohort(checked: Mapping[str, Checked], problems: Mapping[str, str]) -> tuple[list[Person], Norm]:
    """Compare everybody with limits and with each other.

    Args:
        checked: of each person whose quality control could be done.
        problems: why it could not be, of each other prepared person.

    Returns:
        The people, the most suspicious first, and the cohort's norm.
    """
    sides = left_right({who: found.asymmetry for who, found in checked.items()})
    full = {
        who: replace(found, numbers={**found.numbers, "left_right": sides.get(who)}) for who, found in checked.items()
    }
    norm = Norm.of([found.numbers for found in full.values()])
    people = [Person(who, found, judge(found.numbers, norm)) for who, found in full.items()]
    people += [Person(who, None, problem=problem) for who, problem in problems.items()]
    people.sort(key=lambda person: person.participant_id)
    return sorted(people, key=lambda person: person.suspicion, reverse=True), norm


def left_right(asymmetries: Mapping[str, NDArray]) -> dict[str, float]:
    """How much likelier each person's sides are those of the others than swapped: log10 of the odds.

    Brains share an asymmetry (the petalias): a mirrored one has the opposite. The template is symmetric and cannot
    tell. A person's asymmetry correlates with the mean of the others by r, about as much as theirs do, m with a spread
    of s; that of a mirrored person by -r. Both normal, the odds are exp(2 m r / s^2): where people share little, or
    differ much, more is needed than a negative r. Sides cannot be compared with fewer than ``MIN_SIDES`` people, nor
    where they share none (simulated brains; half of a cohort mirrored): then nobody has a value.

    Args:
        asymmetries: (n,) each, from ``plausibility.measures.asymmetry``.
    """
    if len(asymmetries) < MIN_SIDES:
        return {}
    values = np.stack(list(asymmetries.values())).astype(np.float64)
    total = values.sum(0)
    found = [_correlation(own, total - own) for own in values]
    shared = float(np.median(found))
    if shared < COMMON_SIDES:
        return {}
    spread = max(MAD_TO_SD * float(np.median(np.abs(np.array(found) - shared))), LEAST_SPREAD)
    return {who: 2 * shared * r / spread**2 / np.log(10) for who, r in zip(asymmetries, found, strict=True)}


def _correlation(a: NDArray, b: NDArray) -> float:
    """Pearson's r of (n,) and (n,); 0 where one of them is constant."""
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0


def table_columns(people: Sequence[Person]) -> dict[str, str]:
    """The columns of ``qc.tsv`` with their meaning: those that somebody has."""
    present = dict.fromkeys(column for person in people for column in person.numbers)
    known = {column: words for column, words in COLUMNS.items() if column in present}
    more = {c: MEASURES.get(c, "measure of the preparation") for c in sorted(present) if c not in COLUMNS}
    return {
        "participant_id": "BIDS id",
        "verdict": "wrong?: beyond a limit; look: unusual; ok: nothing stands out; not prepared; not checked",
        "flags": "columns that stand out, the most serious first",
        **known,
        **more,
        "problem": "why the person could not be prepared or checked",
    }


def table_rows(people: Sequence[Person], refused: Mapping[str, str]) -> list[dict[str, object]]:
    """The rows of ``qc.tsv``: who could not be prepared, then everybody else, the most suspicious first."""
    rows: list[dict[str, object]] = [
        {"participant_id": who, "verdict": "not prepared", "problem": " ".join(problem.split())}
        for who, problem in refused.items()
    ]
    for person in people:
        flags = ";".join(flag.column for flag in person.verdict.flags)
        known = {"participant_id": person.participant_id, "verdict": verdict_word(person), "flags": flags}
        rows.append({**known, **person.numbers, "problem": person.problem})
    return rows


def verdict_word(person: Person) -> str:
    """``wrong?``, ``look``, ``ok`` or ``not checked``."""
    return "not checked" if person.problem else person.verdict.word
