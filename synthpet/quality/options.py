"""Options of ``evaluate``."""

from dataclasses import dataclass

from synthpet.completion.options import CompletionStudy
from synthpet.runtime.options import Options


@dataclass(frozen=True)
class QualityOptions(Options):
    """``data_range``: SUVR, of SSIM and PSNR; None: maximum in the brain of the mean real PET of paired controls."""

    data_range: float | None


@dataclass(frozen=True, kw_only=True)
class QualityStudy(CompletionStudy):
    """What ``synthpet.evaluate`` knows."""

    evaluate: QualityOptions
