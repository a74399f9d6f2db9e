"""One person's images by the name of their modality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.index import Cohort
from synthpet.errors import DataError


@dataclass(frozen=True)
class Scan:
    """Images on one grid.

    Args:
        images: name of the modality to (I, J, K) float32 in RAS+, in the modality's unit (a T1 scaled by
            ``scale_t1w``, a PET in SUVR).
        mask: (I, J, K), brain.
    """

    images: Mapping[str, NDArray[np.float32]]
    mask: NDArray[np.bool_]

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """One image.

        Raises:
            DataError: there is none of this modality.
        """
        if name not in self.images:
            raise DataError(f"E_MISSING {name}: this person has {', '.join(self.images)} only; expected it, too")
        return self.images[name]

    def stacked(self, names: Sequence[str]) -> NDArray[np.float32]:
        """The images of these names as (C, I, J, K) float32."""
        return np.stack([self[name] for name in names]).astype(np.float32, copy=False)

    def put(self, **images: NDArray[np.float32]) -> "Scan":
        """The same person with further or other images."""
        return replace(self, images={**self.images, **images})


def load_scan(cohort: Cohort, participant_id: str, names: Sequence[str]) -> Scan:
    """Images of one person, each scaled as its modality says.

    Raises:
        DataError: one is missing or cannot be used.
        UsageError: no such modality.
    """
    mask = cohort.load_mask(participant_id)
    return Scan({name: cohort.load_image(participant_id, name) for name in names}, mask)
