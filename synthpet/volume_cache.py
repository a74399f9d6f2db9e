"""Volumes as training reads them: one file a person that can be memory-mapped, with a channel for each image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from synthpet.cohort import Cohort
from synthpet.console import progress
from synthpet.stage import Stage

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
            np.save(path, volume.astype(np.float32))
        return list(paths.values())

    Stage("patch cache", folder, {"participants": list(paths)}, tuple(inputs)).ensure(write)
    return paths
