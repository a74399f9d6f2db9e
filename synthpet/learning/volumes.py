"""Volumes as training reads them: one file a person that can be memory-mapped, with a channel for each image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from synthpet.cohort import Cohort
from synthpet.cohort.files import write_array
from synthpet.cohort.manifest import Manifest
from synthpet.errors import DataError
from synthpet.runtime.console import progress, say
from synthpet.runtime.stage import Stage

T1W, PET = range(2)  # channels of a file with T1, PET and mask
TARGET, MASK = -2, -1  # channels of every file


def cache_volumes(
    cohort: Cohort,
    participant_ids: Sequence[str],
    folder: Path,
    sources: Sequence[str] = ("t1w",),
    target: str | None = "pet",
) -> dict[str, Path]:
    """Write each subject's images as one uncompressed (S + 2, I, J, K) float32 file that can be memory-mapped.

    Args:
        cohort: the cohort.
        participant_ids: whose images.
        folder: where the files go; one translation a folder.
        sources: modalities of the first channels.
        target: modality of the last but one, 0 outside the brain; the last is the brain mask. None: of unpaired
            people, no image of whom is read as a target; 0 everywhere.

    Returns:
        Path by participant id.
    """
    paths = {participant_id: folder / f"{participant_id}.npy" for participant_id in participant_ids}
    subjects = [s for s in cohort.subjects if s.participant_id in paths]
    read = sources if target is None else (*sources, target)
    inputs = cohort.files((*read, "brain_mask"), subjects)
    config: dict[str, Any] = {"participants": list(paths)}
    if (*sources, target) != ("t1w", "pet"):
        config |= {"sources": list(sources), "target": target}

    def write() -> list[Path]:
        people = "unpaired" if target is None else "paired"
        for participant_id, path in progress(paths.items(), f"reading the {people} controls"):
            mask = cohort.load_mask(participant_id)
            given = [cohort.load_image(participant_id, name) for name in sources]
            made = np.zeros(mask.shape) if target is None else cohort.load_image(participant_id, target) * mask
            write_array(path, np.stack([*given, made, mask]).astype(np.float32))
        return list(paths.values())

    stage = Stage("patch cache", folder, config, tuple(inputs))
    try:
        stage.check_outputs()
    except DataError as error:
        say(f"warning: {error}. It is made anew now")
        stage.forget()
    stage.ensure(write)
    return paths


def check_cached(folder: Path, inputs: Mapping[str, str]) -> None:
    """Hold cached volumes to the images that a training names as its own.

    Args:
        folder: that ``cache_volumes`` wrote.
        inputs: SHA-256 by name, of the training's manifest.

    Raises:
        DataError: an image was replaced after it was cached.
    """
    cached = Manifest.read(folder).inputs
    if changed := [name for name, digest in inputs.items() if cached.get(name, digest) != digest]:
        raise DataError(
            f"E_REPLACED {changed[0]}: was replaced after it was read for training; expected images that do not "
            "change meanwhile; run the same command again"
        )
