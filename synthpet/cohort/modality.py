"""Kinds of images on a cohort's grid: a file each in ``modalities``; a scanner or protocol is an entity of its name."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from synthpet.errors import DataError, UsageError

ENTITIES = ("acq", "ce", "trc", "rec", "dir", "run", "echo")  # that a name may have, in the order of BIDS
OUTSIDE, UNMEASURED = "outside", "unmeasured"


@dataclass(frozen=True)
class Modality:
    """A named kind of image.

    Args:
        name: ``t1w``, ``flair`` or ``pet``; ``t1w_acq-B``: of one scanner or protocol.
        folder: of BIDS, such as ``anat``.
        desc: label of the measured image in a cohort.
        suffix: of BIDS, such as ``T1w``.
        scaling: a key of ``SCALINGS``: how its values are made comparable between people.
        unit: of what ``scaled`` returns, in words.
        words: what pages call it.
        colours: a colour map of matplotlib.
        zero: what exactly 0 means: ``outside`` the brain, or ``unmeasured``.
        entities: of BIDS with their labels, those that stand before the space.
    """

    name: str
    folder: str
    desc: str
    suffix: str
    scaling: str
    unit: str
    words: str
    colours: str
    zero: str
    entities: tuple[tuple[str, str], ...] = ()

    @property
    def short(self) -> str:
        """What sentences call it: PET, T1, FLAIR."""
        return {"pet": "PET", "T1w": "T1"}.get(self.suffix, self.suffix)

    def scaled(self, image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Values that can be compared between people.

        Args:
            image: (I, J, K), any unit.
            mask: (I, J, K) brain.

        Returns:
            (I, J, K) in ``unit``.

        Raises:
            DataError: the image is constant within the brain, so that it has no scale.
        """
        try:
            return SCALINGS[self.scaling](image, mask)
        except ValueError as error:
            raise DataError(f"E_CONSTANT {self.suffix}: {error}") from error

    def of_protocol(self, entities: dict[str, str]) -> "Modality":
        """The same kind of image of one scanner or protocol, such as ``acq`` B."""
        own = tuple((key, entities[key]) for key in ENTITIES if key in entities)
        both = dict(self.entities) | dict(own)
        name = "_".join([self.name, *(f"{key}-{label}" for key, label in own)])
        return replace(self, name=name, entities=tuple((key, both[key]) for key in ENTITIES if key in both))


@cache
def modality(name: str) -> Modality:
    """The kind of image of a name such as ``t1w`` or ``t1w_acq-B``.

    Raises:
        UsageError: no such kind, or an entity that no name has.
    """
    kind, *parts = name.split("_")
    found = [re.fullmatch(rf"({'|'.join(ENTITIES)})-([0-9A-Za-z]+)", part) for part in parts]
    entities = {match[1]: match[2] for match in found if match}
    if kind not in modality_names() or len(entities) < len(parts):
        raise UsageError(
            f"{name!r} is not a modality; expected one of {', '.join(modality_names())}, such as t1w_acq-B"
        )
    return _read(kind).of_protocol(entities)


@cache
def modality_names() -> tuple[str, ...]:
    """All kinds of images, without scanners and protocols."""
    folder = files("synthpet.cohort") / "modalities"
    return tuple(sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml")))


def _read(kind: str) -> Modality:
    import yaml

    values = yaml.safe_load((files("synthpet.cohort") / "modalities" / f"{kind}.yaml").read_text("utf-8"))
    return Modality(kind, **values | {"entities": tuple(values.get("entities", {}).items())})


def _brain_percentiles(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """From any unit, (I, J, K), to 0 and 1 at the 1st and 99th percentile within the mask."""
    low, high = np.percentile(image[mask], [1, 99])
    if not high > low:
        raise ValueError("constant within the brain mask; expected an anatomical image")
    return np.where(mask, np.clip((image - low) / (high - low), -0.2, 1.5), 0).astype(np.float32)


def _as_it_is(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The (I, J, K) of an image that has its scale already."""
    return image


SCALINGS: dict[str, Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]] = {
    # the brain's 1st and 99th percentile to 0 and 1, clipped to [-0.2, 1.5], 0 outside: robust against bright vessels,
    # and idempotent up to the clipping, so that a prepared image is not changed by it
    "brain_percentiles": _brain_percentiles,
    "none": _as_it_is,
}
