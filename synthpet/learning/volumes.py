"""Volumes as training reads them: one file a person that can be memory-mapped, with a channel for each image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from synthpet.cohort import Cohort
from synthpet.cohort.files import write_array
from synthpet.errors import DataError
from synthpet.runtime.console import progress, say
from synthpet.runtime.stage import Stage, read_manifest

T1W, PET, MASK = range(3)  # channels


def cache_volumes(cohort: Cohort, participant_ids: Sequence[str], folder: Path) -> dict[str, Path]:
    """Write each subject's (T1, PET, mask) as one uncompressed (3, I, J, K) float32 file that can be memory-mapped.

    Returns:
        Path by participant id.
    """
    paths = {participant_id: folder / f"{participant_id}.npy" for participant_id in participant_ids}
    subjects = [s for s in cohort.subjects if s.participant_id in paths]
    inputs = cohort.files(("t1w", "pet", "brain_mask"), subjects)

    def write() -> list[Path]:
        for participant_id, path in progress(paths.items(), "reading the paired controls"):
            mask = cohort.load_mask(participant_id)
            volume = np.stack([cohort.load_t1w(participant_id), cohort.load(participant_id, "pet") * mask, mask])
            write_array(path, volume.astype(np.float32))
        return list(paths.values())

    stage = Stage("patch cache", folder, {"participants": list(paths)}, tuple(inputs))
    try:
        stage.check_outputs()
    except DataError as error:
        say(f"warning: {error}. It is made anew now")
        (folder / stage.manifest).unlink()
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
    cached = read_manifest(folder).get("inputs", {})
    if changed := [name for name, digest in inputs.items() if cached.get(name, digest) != digest]:
        raise DataError(
            f"E_REPLACED {changed[0]}: was replaced after it was read for training; expected images that do not "
            "change meanwhile; run the same command again"
        )
