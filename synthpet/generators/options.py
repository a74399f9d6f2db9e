"""Options of ``gan=``."""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from synthpet.learning.options import TrainerOptions
from synthpet.runtime.options import Group, own_options, plain
from synthpet.tracking.options import TrackedStudy

# every generator has these, each read where it is used; all others are those of its method
SHARED = (
    "name", "method", "patch_size", "stride", "batch_size", "coordinates", "n_steps", "n_folds", "sources", "target",
)  # fmt: skip
# set by studies, whatever the method: one that has no such option passes it over
SET_BY_STUDIES = ("n_warmup_steps", "generator", "discriminator", "learning_rate")
SAMPLING = ("n_samples", "sampling_steps", "shift")  # how samples are drawn; of inference, as the stride
SOURCES, TARGET = ("t1w",), "pet"  # of a configuration which names none
T = TypeVar("T")


@dataclass(frozen=True)
class GeneratorOptions(Group):
    """What every generator has; ``values`` also holds those of its own method (``gan.method``).

    Args:
        method: of ``synthpet.generators.registry``.
        patch_size: (pi, pj, pk), voxels.
        stride: steps between the patches of inference, voxels.
        batch_size: patches at a time.
        coordinates: whether the generator is given the template coordinates.
        n_steps: of training.
        n_folds: of the paired controls.
        sources: modalities that the generator is given.
        target: the modality that it makes of them.
        unpaired: whether it is also given the sources of controls without a target; a method that can learn from them
            has this among its own options.
    """

    patch_size: tuple[int, int, int]
    stride: tuple[int, int, int]
    batch_size: int
    coordinates: bool
    n_steps: int
    n_folds: int
    method: str = "conditional_gan"
    sources: tuple[str, ...] = SOURCES
    target: str = TARGET
    unpaired: bool = False

    @property
    def translation(self) -> str:
        """In words, such as ``t1w+flair -> pet``."""
        return f"{'+'.join(self.sources)} -> {self.target}"

    @property
    def is_default(self) -> bool:
        """Whether the translation is that of a configuration which names none."""
        return (self.sources, self.target) == (SOURCES, TARGET)

    def own(self, kind: type[T]) -> T:
        """The options of a method.

        Args:
            kind: a dataclass of those that it has beside ``SHARED``.

        Raises:
            UsageError: there are others, or one without a default was not given.
        """
        passed_over = set(SET_BY_STUDIES) - {field.name for field in fields(kind)}  # type: ignore[arg-type]
        return own_options(kind, "gan", self.values, {*SHARED, *passed_over})

    @property
    def folder_name(self) -> str:
        """Part of the names of folders: ``name``, and the translation where it is not the usual one."""
        if self.is_default:
            return self.name
        return f"{self.name}-{'+'.join(self.sources)}-to-{self.target}"

    @property
    def sampling(self) -> dict[str, Any]:
        """The options of inference that a generator which draws samples has beside the stride."""
        return {key: self.values[key] for key in SAMPLING if key in self.values}

    def of_training(self) -> dict[str, Any]:
        """The values that determine a training: not those of inference; the usual translation stays unsaid."""
        unsaid = ("stride", *SAMPLING, *(("sources", "target") if self.is_default else ()))
        return {key: value for key, value in plain(self.values).items() if key not in unsaid}


@dataclass(frozen=True, kw_only=True)
class TrainingStudy(TrackedStudy):
    """What ``synthpet.train`` knows."""

    gan: GeneratorOptions
    trainer: TrainerOptions
