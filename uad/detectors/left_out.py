"""Z-maps of the controls that a detector has learned from, each as if that control had been left out.

They calibrate its threshold beside held-out controls: what a person who was not learned from shows is what each of them
shows then.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.cohort.files import write_bytes
from synthpet.learning.model_files import read_arrays
from uad.normative.sets import NormativeSet

LOWEST_Z = 1.0  # Not in the paper: no threshold below it is looked at; fewer false clusters are then accepted
FILE = "left-out.npz"


class LeftOut:
    """Maps of controls with a measured PET; of each only what is above ``LOWEST_Z``, so memory stays small."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.high: dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]] = {}

    def add(self, participant_id: str, z: NDArray[np.float32]) -> None:
        """One control's map, (I, J, K), 0 where it is not judged."""
        where = np.flatnonzero(z > LOWEST_Z)
        self.shape, self.high[participant_id] = z.shape, (where, z.ravel()[where])

    def maps(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Of each control its id and map, 0 where z is at most ``LOWEST_Z``."""
        for participant_id, (where, z) in self.high.items():
            volume = np.zeros(self.shape, np.float32)
            volume.ravel()[where] = z
            yield participant_id, volume

    def save(self, folder: Path) -> Path:
        """Write ``FILE`` without pickled objects, whole or not at all."""
        stream = io.BytesIO()
        parts = {
            f"{who}_{name}": part for who, pair in self.high.items() for name, part in zip("vz", pair, strict=True)
        }
        np.savez_compressed(stream, shape=np.array(self.shape, np.int64), **parts)  # type: ignore[arg-type]
        return write_bytes(folder / FILE, stream.getvalue())

    @classmethod
    def load(cls, folder: Path) -> "LeftOut":
        """Read what ``save`` wrote; nobody where it wrote nothing."""
        found = cls()
        if (folder / FILE).is_file():
            arrays = read_arrays(folder / FILE, ("shape",))
            found.shape = tuple(arrays["shape"].tolist())
            ids = [name.removesuffix("_v") for name in arrays if name.endswith("_v")]
            found.high = {who: (arrays[f"{who}_v"], arrays[f"{who}_z"]) for who in ids}
        return found


@runtime_checkable
class LeavesOut(Protocol):
    """A detector that can tell what each of its controls would show had it not learned from that control."""

    def left_out(self, normative: NormativeSet, cohort: Cohort) -> LeftOut:
        """After ``fit`` from the same set."""
