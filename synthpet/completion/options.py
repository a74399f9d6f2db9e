"""Options of ``complete``."""

from dataclasses import dataclass

from synthpet.generators.options import TrainingStudy
from synthpet.runtime.options import Options


@dataclass(frozen=True)
class CompletionOptions(Options):
    """How synthetic images are made.

    Args:
        generators: a folder ``gan-<name>`` trained on another cohort; None: those of this one.
        smooth_fwhm_mm: Gaussian smoothing of the synthetic PET, FWHM in mm.
        histogram_matching: whether each synthetic PET is matched to the real PETs of its generator's controls.
        residual: resampled (also a second set with the residual of another paired control) or none.
        batch_size: patches at a time.
    """

    generators: str | None
    smooth_fwhm_mm: float
    histogram_matching: bool
    residual: str
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class CompletionStudy(TrainingStudy):
    """What ``synthpet.complete`` knows."""

    complete: CompletionOptions
