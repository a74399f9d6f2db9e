"""What determines a prepared image besides the raw one: the options of the command, checked before work starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from synthpet.cohort.header import check_xform
from synthpet.cohort.lesions import Label, check_label
from synthpet.errors import DataError, UsageError
from synthpet.prepare.mask_command import check_mask_command
from synthpet.prepare.reference import check_reference
from synthpet.prepare.spaces.registration import Engine, choose_engine
from synthpet.runtime.options import Options


@dataclass(frozen=True)
class Settings(Options):
    """Options that change what is written of one person; the defaults are those of ``configs/prepare.yaml``.

    Args:
        resolution_mm: spacing of the cohort's grid.
        registration: syn, affine or rigid.
        engine: that is installed for it.
        min_similarity: correlation with the template below which a registration counts as failed.
        seed: of samples that are drawn.
        brain_mask_command: program that writes a brain mask.
        suvr_reference: the region whose mean uptake is 1: a name, or a mask on the template.
        pet_window_min: start and end of the frames that are averaged, minutes after injection; None: all frames.
        smooth_to_fwhm_mm: common resolution of the PETs; None: the scanners' own.
        pet_fwhm_mm: the scanners' own resolution, one number or one a site; None: not known.
        xform: sform or qform, which holds where an image's header has two places; None: such an image is refused.
        lesion_space: t1w, flair or pet, the image that lesion masks were drawn on.
        lesion_label: the value that lesions have in their masks; None: 0/1, 0/255 or a probability.
    """

    resolution_mm: float
    registration: str = "syn"
    engine: Engine = "ants"
    min_similarity: float = 0.4
    seed: int = 0
    brain_mask_command: str | None = None
    suvr_reference: str = "brain"
    pet_window_min: tuple[float, float] | None = None
    smooth_to_fwhm_mm: float | None = None
    pet_fwhm_mm: float | Mapping[str, float] | None = None
    xform: str | None = None
    lesion_label: Label = None
    lesion_space: str = "t1w"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Options.of``, each value checked; the engine is the one that is installed.

        Raises:
            UsageError: naming the option whose value cannot be used.
        """
        checked = {name: check(values[name]) for name, check in CHECKS.items() if name in values}
        engine = choose_engine(checked.get("registration", cls.registration))
        settings = super().of({**checked, "engine": engine})
        if settings.smooth_to_fwhm_mm is not None and settings.pet_fwhm_mm is None:
            raise UsageError(
                f"smooth_to_fwhm_mm={settings.smooth_to_fwhm_mm:g} needs the scanners' own resolution: pet_fwhm_mm=6, "
                "or one a site, 'pet_fwhm_mm={siteA: 5.5, siteB: 7}'"
            )
        return settings

    def own_fwhm_mm(self, site: str | None, name: str) -> float | None:
        """The resolution of the scanner of a site; None where it is not known and nothing is smoothed.

        Args:
            site: of the person, as in participants.tsv.
            name: the subject and its file, for messages.

        Raises:
            DataError: there is one a site, but none for this.
        """
        if not isinstance(self.pet_fwhm_mm, Mapping):
            return self.pet_fwhm_mm
        if site is not None and site in self.pet_fwhm_mm:
            return self.pet_fwhm_mm[site]
        if self.smooth_to_fwhm_mm is None:
            return None
        raise DataError(
            f"E_SITE {name}: site {site or 'n/a'}; pet_fwhm_mm has {', '.join(self.pet_fwhm_mm)}. "
            "Add the site to participants.tsv, or its resolution to pet_fwhm_mm"
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the options name."""
        path = Path(self.suvr_reference)
        return (path,) if path.is_file() else ()


def _positive(value: Any, option: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 < number < float("inf"):
        raise UsageError(f"{option}={value!r}: expected a number of mm above 0")
    return number


def _optional(value: Any, option: str) -> float | None:
    return None if value is None else _positive(value, option)


def _of_sites(value: Any) -> float | dict[str, float] | None:
    if isinstance(value, Mapping):
        return {str(site): _positive(fwhm, f"pet_fwhm_mm.{site}") for site, fwhm in value.items()}
    return _optional(value, "pet_fwhm_mm")


def _window(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        start, end = (float(minutes) for minutes in value)
    except (TypeError, ValueError):
        start, end = 0.0, 0.0
    if not start < end:
        raise UsageError(f"pet_window_min={value}: expected [start, end] in minutes after injection, such as [30, 60]")
    return start, end


CHECKS: Mapping[str, Callable[[Any], Any]] = {  # value to value, by option; all but the engine
    "resolution_mm": lambda mm: _positive(mm, "cohort.resolution_mm"),
    "registration": str,
    "min_similarity": float,
    "seed": int,
    "brain_mask_command": lambda command: None if command is None else check_mask_command(command),
    "suvr_reference": lambda region: check_reference(str(region)),
    "pet_window_min": _window,
    "smooth_to_fwhm_mm": lambda mm: _optional(mm, "smooth_to_fwhm_mm"),
    "pet_fwhm_mm": _of_sites,
    "xform": check_xform,
    "lesion_space": str,
    "lesion_label": check_label,
}
