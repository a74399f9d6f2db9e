"""The protocol of a detector, and what it is made for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.cohort.scan import Scan
from uad.normative.sets import NormativeSet

SHARED = ("name", "method", "seeds")  # of every group ``detector``; the others are those of its method
SYNTHESIS = "synthesis"  # expects a person's PET from the T1, by generators
EXPECTED_PET = "expected_pet"  # among the maps of a detector that does


@dataclass(frozen=True)
class Assignment:
    """What one detector is made for.

    Args:
        folder: of its training.
        seed: of whatever it draws.
        cohort: whose people it will see.
        accelerator: auto, cpu or gpu.
        synthetic: the synthetic PET of the cohort, where it is there.
        generators: that made it, ``gan-<name>``.
    """

    folder: Path
    seed: int
    cohort: Cohort
    accelerator: str = "auto"
    synthetic: Path | None = None
    generators: Path | None = None


class Detector(Protocol):
    """What every detector does.

    ``needs`` says what has to be made before it, such as ``SYNTHESIS``; pages and commands read that, not names.
    ``measured_only``: it learns from measured PET alone: sets that differ by their synthetic PET are one to it.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    measured_only: ClassVar[bool] = False
    images_vary: ClassVar[bool] = False  # whether it can do with fewer of its images, as its option ``images`` says

    @classmethod
    def looks_at(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the modalities that a detector of these options looks at."""

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Refuse values of its YAML file that it cannot work with, before any work.

        Raises:
            UsageError: an option that it does not have, or values that do not go together.
        """

    @classmethod
    def of(cls, options: Mapping[str, Any], assignment: Assignment) -> Self:
        """A detector that has learned nothing yet, from the values of its YAML file.

        Raises:
            UsageError: an option that it does not have, or values that do not go together.
        """

    def files(self, normative: NormativeSet, cohort: Cohort) -> tuple[Path, ...]:
        """Every image that determines what ``fit`` learns."""

    def fit(self, normative: NormativeSet, cohort: Cohort) -> Self:
        """Learn what is normal."""

    def save(self, folder: Path) -> list[Path]:
        """Write what was learned; return the files."""

    def restore(self, folder: Path, cohort: Cohort) -> None:
        """Read what ``save`` wrote."""

    def z_map(self, scan: Scan) -> dict[str, NDArray[np.float32]]:
        """Maps (I, J, K) of one person who has all that it looks at.

        ``z``: high = abnormal, 0 where it does not judge; where it has them, signed and by modality, ``z_pet``
        (negative = less uptake), ``z_t1w`` and others; ``expected_pet``, SUVR, where generators expect one.
        """
