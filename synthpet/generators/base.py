"""The protocol of a generator: how it is made, trained, used afterwards and built again from what was stored."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from synthpet.generators.options import GeneratorOptions
from synthpet.learning.options import TrainerOptions

if TYPE_CHECKING:
    from torch import Tensor, nn


class Generator(Protocol):
    """What every generator does, beside being a LightningModule that trains on ``patches.data.Batch``.

    ``Options``: a frozen dataclass of the options that it has beside those of every generator (``options.SHARED``).
    """

    step: "Tensor"
    """A buffer, int64: batches seen so far. A continued training goes on with the batch of this number."""

    @property
    def network(self) -> "nn.Module":
        """What is kept and used afterwards: (B, S or S + 3, pi, pj, pk) sources (and coordinates) to (B, 1, ...).

        One that does not make a volume patch by patch has a method ``sample``, see ``patchwise.synthesise``.
        """

    @classmethod
    def of(cls, options: GeneratorOptions, trainer: TrainerOptions, seed: int) -> Self:
        """A generator that has learned nothing yet.

        Raises:
            UsageError: an option that it does not have, or values that do not go together.
        """

    @classmethod
    def build(cls, gan: Mapping[str, Any]) -> "nn.Module":
        """``network`` without its weights, from the options that were stored beside them.

        They may be a stranger's: a size that takes long to build has to be refused.

        Raises:
            ValueError: no network has these options; also KeyError or TypeError.
        """
