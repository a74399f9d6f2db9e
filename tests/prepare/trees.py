"""Folders as they are met, with images of a few voxels."""

from pathlib import Path

import numpy as np

from synthpet.cohort.files import write_json
from synthpet.cohort.images import Grid, write_image
from synthpet.prepare.raw import RawData, RawSubject

TINY = Grid.of((4, 5, 6), np.diag([40.0, 40, 40, 1]))
OTHER = Grid.of((4, 5, 7), np.diag([40.0, 40, 40, 1]))


def make(root: Path, *names: str, grid: Grid = TINY) -> Path:
    """Write a tiny image under each name; anything but ``.nii.gz`` becomes an empty file."""
    for name in names:
        path = root / name
        if name.endswith(".nii.gz"):
            write_image(path, np.ones(grid.shape, np.float32), grid)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def with_sidecar(root: Path, name: str, **about: object) -> Path:
    """An image and the JSON beside it."""
    make(root, name)
    write_json(root / (name.removesuffix(".nii.gz") + ".json"), about)
    return root


def reasons(raw: RawData) -> dict[str, str]:
    """Why each image that is not used is not."""
    return {line.path: line.reason for line in raw.not_used}


def only(raw: RawData) -> RawSubject:
    """The one person of a folder."""
    (person,) = raw.people
    return person
