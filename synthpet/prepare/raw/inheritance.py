"""What the JSON files beside and above an image say of it: BIDS inheritance, the nearest wins."""

import re
from pathlib import Path
from typing import Any

from synthpet.cohort.names import sidecar_path
from synthpet.cohort.text import read_json_object
from synthpet.prepare.raw.walk import leads_out


def sidecar_files(image: Path) -> tuple[Path, ...]:
    """The JSON files that describe an image in BIDS, the nearest last: the inheritance principle.

    Args:
        image: with a BIDS name; any other name has the JSON beside it only.
    """
    beside = sidecar_path(image)
    entities, _, suffix = beside.stem.rpartition("_")
    of_image = set(entities.split("_"))
    found = []
    for folder in _up_to_root(image):
        for path in sorted(folder.glob(f"*{suffix}.json"), key=lambda p: p.name.count("_")):
            theirs, _, their_suffix = path.stem.rpartition("_")
            if path != beside and their_suffix == suffix and set(theirs.split("_")) - {""} <= of_image:
                found.append(path)
    return tuple(path for path in (*found, beside) if path.is_file() and not _strange(path, image))


def _strange(path: Path, image: Path) -> bool:
    """Whether a sidecar is a link that leads out of the data set, while the image does not."""
    root = _up_to_root(image)[0]
    return leads_out(path, root) and not leads_out(image, root) and image.resolve().is_relative_to(root.resolve())


def _up_to_root(image: Path) -> list[Path]:
    """The folders from the data set's root down to the image's; only its own where no ``sub-`` folder is above."""
    parents = list(image.parents)
    depth = max((k for k, p in enumerate(parents) if re.fullmatch(r"sub-[0-9a-zA-Z]+", p.name)), default=-1)
    return parents[: depth + 2][::-1] if depth >= 0 else parents[:1]


def read_sidecar(image: Path) -> dict[str, Any]:
    """What the sidecars of an image say together; empty where there are none.

    Raises:
        DataError: one of them is no JSON object.
    """
    about: dict[str, Any] = {}
    for path in sidecar_files(image):
        about |= read_json_object(path)
    return about
