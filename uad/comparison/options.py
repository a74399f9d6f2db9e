"""Options of ``compare``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from synthpet.runtime.options import Options
from uad.findings.options import EvaluationStudy

Cell = tuple[str, str]  # detector, column


@dataclass(frozen=True)
class CompareOptions(Options):
    """What is compared.

    Args:
        detectors: files of configs/detector.
        columns: normative set, and after a hyphen the generator where synthetic PET is used.
        reference: the column that the others are tested against.
        n_resamples: of the bootstrap over patients.
    """

    detectors: tuple[str, ...]
    columns: tuple[str, ...]
    reference: str
    n_resamples: int


@dataclass(frozen=True, kw_only=True)
class ComparisonStudy(EvaluationStudy):
    """What ``uad.compare`` knows; ``evaluations``: the study of each detector and column."""

    compare: CompareOptions
    evaluations: Mapping[Cell, EvaluationStudy] = field(default_factory=dict)
