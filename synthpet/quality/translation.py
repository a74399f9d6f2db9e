"""The translation that is evaluated, and the words of the pages, which are written for T1 -> PET, put into its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar, cast

from synthpet.cohort.modality import Modality, modality
from synthpet.generators.options import SOURCES, TARGET

T = TypeVar("T")


@dataclass(frozen=True)
class Translation:
    """Which images a generator is given, and which it makes; names of modalities."""

    sources: tuple[str, ...] = SOURCES
    target: str = TARGET

    @property
    def made(self) -> Modality:
        """The kind of image that is made."""
        return modality(self.target)

    @property
    def is_pet(self) -> bool:
        """Whether a PET is made."""
        return self.made.suffix == "pet"

    @property
    def is_default(self) -> bool:
        """Whether it is that of a configuration which names none."""
        return self == Translation()

    @property
    def images(self) -> tuple[str, ...]:
        """Sources and target."""
        return (*self.sources, self.target)

    def put(self, words: T) -> T:
        """Text, or texts within tables, pictures, lists and mappings (their values), in words of this translation."""
        if self.is_default:
            return words
        if isinstance(words, str):
            return cast(T, self._text(words))
        if isinstance(words, Mapping):
            return cast(T, {key: self.put(value) for key, value in words.items()})
        if isinstance(words, list | tuple):
            return cast(T, type(words)(self.put(value) for value in words))
        if is_dataclass(words) and not isinstance(words, type):
            return replace(words, **{f.name: self.put(getattr(words, f.name)) for f in fields(words)})
        return words

    def _text(self, text: str) -> str:
        given = " and ".join(modality(name).short for name in self.sources)
        own = {"T1 MRI": given, "T1": given}
        if not self.is_pet:
            made = self.made.short
            own |= {"FDG PET": made, "PETs": f"{made}s", "PET": made, "SUVR": "scaled units"}
            own |= {"hypometabolism": "lesion", "metabolism": "signal", "uptake": "signal"}
        found = "|".join(map(re.escape, own))
        return re.sub(rf"(?<![\w-])({found})(?![\w-])", lambda match: own[match[1]], text)
