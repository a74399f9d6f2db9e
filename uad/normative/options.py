"""Options of ``normative=``."""

from dataclasses import dataclass

from synthpet.runtime.options import Options


@dataclass(frozen=True)
class NormativeOptions(Options):
    """Whom a detector learns from.

    Args:
        name: a key of ``uad.normative.sets.KINDS``.
        smooth_fwhm_mm: Gaussian for measured PET, FWHM in mm; "match": to the resolution of the synthetic PET.
        force: take synthetic PETs although their quality is unknown or bad.
    """

    name: str
    smooth_fwhm_mm: float | str
    force: bool
