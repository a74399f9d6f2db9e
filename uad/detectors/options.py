"""Options of ``detector=``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from synthpet.quality.options import QualityStudy
from synthpet.runtime.options import Group
from uad.detectors.registry import DETECTORS
from uad.normative.options import NormativeOptions


@dataclass(frozen=True)
class DetectorOptions(Group):
    """What every detector has; ``values`` also holds those of its own method.

    Args:
        method: of ``uad.detectors.registry``.
        seeds: one detector each.
    """

    method: str
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Group.of``; ``images`` that were not given are not among the values.

        Raises:
            UsageError: the method cannot work with these values.
        """
        found = super().of({key: value for key, value in values.items() if key != "images" or value})
        DETECTORS.load(found.method).check(found.values)
        return found

    def seeing(self, images: Sequence[str]) -> "DetectorOptions | None":
        """The same detector of some of its images only, under a name of its own; None: it cannot do with fewer."""
        if not DETECTORS.load(self.method).images_vary:
            return None
        name = "_".join([self.name, *images])
        return DetectorOptions.of({**self.values, "name": name, "images": list(images)})

    @property
    def looks_at(self) -> tuple[str, ...]:
        """Names of the modalities that it looks at."""
        return DETECTORS.load(self.method).looks_at(self.values)

    @property
    def learns_from(self) -> tuple[str, ...]:
        """Names of the modalities that each control has from whom it learns: T1 and those that it looks at.

        A detector of T1 or PET alone learns from those who have both, so that all of them see the same people.
        """
        looked_at = self.looks_at
        return ("t1w", "pet") if set(looked_at) <= {"t1w", "pet"} else tuple(dict.fromkeys(("t1w", *looked_at)))

    @property
    def needs(self) -> tuple[str, ...]:
        """What has to be made before it."""
        return DETECTORS.load(self.method).needs

    @property
    def measured_only(self) -> bool:
        """Whether it learns from measured PET alone, whatever synthetic PET a normative set holds."""
        return getattr(DETECTORS.load(self.method), "measured_only", False)


@dataclass(frozen=True, kw_only=True)
class DetectorStudy(QualityStudy):
    """What ``uad.train`` knows."""

    detector: DetectorOptions
    normative: NormativeOptions
