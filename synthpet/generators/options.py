"""Options of ``gan=``."""

from dataclasses import dataclass

from synthpet.learning.options import TrainerOptions
from synthpet.runtime.options import Group
from synthpet.tracking.options import TrackedStudy


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
    """

    patch_size: tuple[int, int, int]
    stride: tuple[int, int, int]
    batch_size: int
    coordinates: bool
    n_steps: int
    n_folds: int
    method: str = "conditional_gan"
    sources: tuple[str, ...] = ("t1w",)
    target: str = "pet"

    @property
    def translation(self) -> str:
        """In words, such as ``t1w+flair -> pet``."""
        return f"{'+'.join(self.sources)} -> {self.target}"


@dataclass(frozen=True, kw_only=True)
class TrainingStudy(TrackedStudy):
    """What ``synthpet.train`` knows."""

    gan: GeneratorOptions
    trainer: TrainerOptions
