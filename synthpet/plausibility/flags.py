"""What stands out in a person's numbers: against fixed limits, and against the others of the cohort.

The limits are ours: set wide of 16 real people and of the simulated cohort, and within what deliberately bad subjects
show (tests/prepare/test_qc.py). Outliers: robust z from median and median absolute deviation, Iglewicz and
Hoaglin, How to Detect and Handle Outliers (1993).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Level = Literal["alarm", "notice"]
Row = Mapping[str, float | None]

MIN_COHORT = 5  # people with the number, from which outliers are looked for
OUTLIER_Z = 5.0  # 3.5 is usual for one number of one person; here some twenty numbers of each are looked at
MAD_TO_SD = 1.4826

T1W = "Look at the first row of pictures. Is the raw T1 upright and complete, the brain mask right? Then prepare again."
PET = "Compare PET and T1 in the pictures. Is it this person's PET, and is the raw file's orientation right?"
FLAIR = "Compare FLAIR and T1 in the pictures. Is it this person's FLAIR?"
SIDES = (
    "Ask whoever exported or converted the images which side is left (a marker, a known asymmetry); convert again from "
    "DICOM. Do not use this person before that is settled."
)


@dataclass(frozen=True)
class Check:
    """How one column is judged.

    Args:
        alarm: below the first or above the second limit something is wrong; None: no limit.
        notice: the same, for what deserves a look.
        outlier: which side of the cohort's median stands out: "low", "high", "both" or "" (never).
        least_sd: spread below which the cohort's is not taken: keeps tiny differences from standing out.
        short: the same as words, for a table.
        words: what a value beyond a limit means.
        advice: what to do.
    """

    short: str
    words: str
    advice: str
    alarm: tuple[float | None, float | None] = (None, None)
    notice: tuple[float | None, float | None] = (None, None)
    outlier: str = ""
    least_sd: float = 0.02


@dataclass(frozen=True)
class Flag:
    """One thing that stands out: an alarm (beyond a limit) or a notice (unusual), in words, with what to do.

    ``numbers``: the value and what it was compared with.
    """

    column: str
    level: Level
    short: str
    words: str
    numbers: str
    advice: str

    def __str__(self) -> str:
        return f"{'▲' if self.level == 'alarm' else '△'} {self.words} ({self.numbers})"


@dataclass(frozen=True)
class Verdict:
    """What stands out in one person; ``deviation``: the largest robust z among the columns that are judged."""

    flags: tuple[Flag, ...] = ()
    deviation: float = 0.0

    @property
    def alarms(self) -> int:
        """Number of alarms."""
        return sum(flag.level == "alarm" for flag in self.flags)

    @property
    def word(self) -> str:
        """``wrong?``, ``look`` or ``ok``."""
        return "wrong?" if self.alarms else "look" if self.flags else "ok"

    @property
    def advice(self) -> str:
        """What to do, each thing once."""
        return " ".join(dict.fromkeys(flag.advice for flag in self.flags))

    @property
    def suspicion(self) -> tuple[int, int, float]:
        """Sort key: the most suspicious last."""
        return (self.alarms, len(self.flags), self.deviation)


def _moved(which: str, advice: str, notice: float | None = None) -> dict[str, Check]:
    """Shift in mm and turn in degrees, which share their limits: a degree moves the cortex by about a millimetre."""
    name = which.upper() if which != "t1w" else "T1"
    target = "the template" if which == "t1w" else "the T1"
    return {
        f"{which}_shift_mm": Check(
            f"{name} off", f"the {name} lies off {target}", advice, (None, 3.0), (None, notice), "high", 0.15
        ),
        f"{which}_turn_deg": Check(
            f"{name} tilted",
            f"the {name} is tilted against {target}",
            advice,
            (None, 3.0),
            (None, notice),
            "high",
            0.15,
        ),
    }


def _matched(which: str, advice: str) -> dict[str, Check]:
    name = which.upper()
    return {
        f"{which}_fit": Check(
            f"{name} unlike T1", f"the {name} does not show this person's anatomy", advice, (0.3, None), outlier="low"
        ),
        f"{which}_own_gain": Check(
            f"{name} of another or mirrored",
            f"the {name} fits the mirrored T1 as well as the T1: another person's {name}, or sides swapped",
            f"{advice} {SIDES}",
            (-0.01, None),
            (0.01, None),
        ),
        **_moved(which, advice),
    }


CHECKS: Mapping[str, Check] = {
    "similarity": Check("T1 unlike template", "the T1 is unlike the template", T1W, (0.5, None), outlier="low"),
    "gm_correlation": Check(
        "GM unlike template", "the grey matter is not where the template has it", T1W, (0.35, None), outlier="low"
    ),
    "mask_dice": Check(
        "mask's shape",
        "the brain mask does not have the shape of a brain",
        T1W,
        (0.9, None),
        outlier="low",
        least_sd=0.005,
    ),
    "native_brain_ml": Check(
        "brain volume",
        "unusual brain volume: a part is missing, or the mask holds more than the brain",
        "Look at the mask's outline; give a better one (brain_mask, brain_mask_command).",
        notice=(850.0, 1950.0),
        outlier="both",
        least_sd=60.0,
    ),
    **_moved("t1w", T1W, 1.5),
    "missing_percent": Check(
        "brain cut",
        "a part of the brain is missing",
        "Look where the red outline ends. Is the raw T1 cut, or the mask?",
        (None, 3.0),
        (None, 1.0),
        "high",
        0.2,
    ),
    "outside_image_percent": Check(
        "raw T1 cut",
        "the raw T1 ends before the brain does",
        "What lies outside cannot be examined. Is there a complete T1?",
        (None, 5.0),
        (None, 1.0),
    ),
    "sides_conflict": Check(
        "header: sides",
        "the header's two positions (qform, sform) disagree on which side is left; the sform was taken",
        SIDES,
        (None, 0.5),
    ),
    "qform_sform_mm": Check(
        "header: position",
        "the header holds two positions (qform, sform) that disagree; the sform was taken",
        "Harmless if a program moved the image on purpose (sform aligned). Otherwise convert again from DICOM.",
        notice=(None, 1.0),
    ),
    "left_right": Check(
        "sides swapped", "left and right may be swapped, compared with the others", SIDES, (-2.0, None), (0.0, None)
    ),
    "pet_coverage_percent": Check(
        "PET cut",
        "the PET does not reach the whole brain",
        "What it does not reach stays untested. If it should reach: is the PET cut, or off the T1?",
        (80.0, None),
        (99.0, None),
    ),
    "pet_body_mm": Check(
        "PET of the body",
        "the PET is of the whole body and was cut to what is highest in it",
        "Compare PET and T1 in the pictures. Is it the head, or are arms raised above it?",
        notice=(None, 0.0),
    ),
    **_matched("pet", PET),
    "pet_gm_wm_ratio": Check(
        "PET: GM like WM",
        "grey and white matter hardly differ in the PET",
        f"{PET} Is it FDG, and static late uptake?",
        (1.0, None),
        (1.1, None),
        "low",
        0.05,
    ),
    "pet_brain_suvr": Check(
        "PET: scale",
        "unusual mean uptake: the reference region may be wrong",
        "Look at the reference region and at the PET's units.",
        (0.2, 5.0),
        outlier="both",
        least_sd=0.05,
    ),
    "pet_cerebellum_suvr": Check(
        "PET: cerebellum",
        "unusual uptake of the cerebellum",
        "Does the PET reach it? Is it crossed diaschisis, drugs, or the reference?",
        outlier="both",
        least_sd=0.05,
    ),
    **_matched("flair", FLAIR),
    "lesion_ml": Check(
        "lesion empty",
        "the lesion mask is empty on the template",
        "Look at the lesion mask and its space (the T1's).",
        (1e-6, None),
    ),
    "lesion_outside_percent": Check(
        "lesion outside",
        "the lesion mask reaches out of the brain",
        "Is it drawn on this T1, and the brain mask right?",
        (None, 50.0),
        (None, 10.0),
    ),
}


@dataclass(frozen=True)
class Norm:
    """Median and robust standard deviation of each column over the cohort; empty below ``MIN_COHORT``."""

    centre: dict[str, float] = field(default_factory=dict)
    sd: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Norm":
        """From the numbers of all people."""
        norm = cls()
        for column, check in CHECKS.items():
            values = [v for row in rows if (v := row.get(column)) is not None and np.isfinite(v)]
            if len(values) >= MIN_COHORT:
                centre = float(np.median(values))
                spread = MAD_TO_SD * float(np.median(np.abs(np.array(values) - centre)))
                norm.centre[column], norm.sd[column] = centre, max(spread, check.least_sd)
        return norm

    def z(self, column: str, value: float) -> float:
        """Robust z of a value; 0 where the cohort says nothing."""
        return (value - self.centre[column]) / self.sd[column] if column in self.centre else 0.0


def judge(row: Row, norm: Norm) -> Verdict:
    """What stands out in one person's numbers; columns that are missing or null are not judged."""
    flags, deviation = [], 0.0
    for column, check in CHECKS.items():
        value = row.get(column)
        if value is None or not np.isfinite(value):
            continue
        z = norm.z(column, value)
        off = {"low": -z, "high": z, "both": abs(z)}.get(check.outlier, 0.0)
        deviation = max(deviation, off)
        if (flag := _flag(column, check, value, off, norm)) is not None:
            flags.append(flag)
    flags.sort(key=lambda flag: flag.level)
    return Verdict(tuple(flags), deviation)


def _flag(column: str, check: Check, value: float, off: float, norm: Norm) -> Flag | None:
    shown = f"{column} {value:.3g}"
    for level, limits in (("alarm", check.alarm), ("notice", check.notice)):
        limit = _crossed(value, limits)
        if limit is not None:
            return Flag(column, level, check.short, check.words, f"{shown}, limit {limit:g}", check.advice)  # type: ignore[arg-type]
    if off >= OUTLIER_Z:
        others = f"{shown}, the cohort's median is {norm.centre[column]:.3g}, robust z {off:.0f}"
        return Flag(column, "notice", check.short, check.words, others, check.advice)
    return None


def _crossed(value: float, limits: tuple[float | None, float | None]) -> float | None:
    low, high = limits
    if low is not None and value < low:
        return low
    return high if high is not None and value > high else None
