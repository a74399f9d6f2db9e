"""Options of ``compare``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from synthpet.quality.options import QualityStudy
from synthpet.runtime.options import Options


@dataclass(frozen=True)
class ComparedGenerators(Options):
    """What is compared.

    Args:
        generators: files of configs/gan.
        n_resamples: of the bootstrap over people.
    """

    generators: tuple[str, ...]
    n_resamples: int


@dataclass(frozen=True, kw_only=True)
class GeneratorsStudy(QualityStudy):
    """What ``synthpet.compare`` knows; ``evaluations``: the study of each generator, by the name of its file."""

    compare: ComparedGenerators
    evaluations: Mapping[str, QualityStudy] = field(default_factory=dict)
