"""One person's images, a calibrated detector: what stands out, where, and how strongly."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.names import sidecar_path
from synthpet.runtime.compute import in_threads
from uad.findings.clusters import find_clusters
from uad.findings.records import CalibratedDetector, Findings


def examine(
    t1w: NDArray[np.float32], pet: NDArray[np.float32] | None, mask: NDArray[np.bool_], calibrated: CalibratedDetector
) -> Findings:
    """Find and describe the clusters of one person.

    Args:
        t1w: (I, J, K), scaled by ``scale_t1w``.
        pet: (I, J, K), SUVR, at the resolution that the detector has learned from; None for a detector of the T1.
        mask: (I, J, K), brain.
        calibrated: detector, threshold and options.

    Raises:
        DataError: the map is not finite.
    """
    seen = covered(pet, mask)
    # a detector of the T1 does not look at what stands in for the PET
    maps = dict(calibrated.detector.z_map(t1w, np.zeros_like(t1w) if pet is None else pet, seen))
    if "z_t1w" not in maps:
        maps["z_t1w"] = calibrated.t1w.z_map(t1w, t1w, mask)["z_t1w"]
    options = calibrated.options
    clusters, labels = find_clusters(
        maps["z"],
        seen,
        calibrated.grid,
        threshold=calibrated.calibration.threshold,
        min_volume_mm3=options["min_volume_mm3"],
        rank_by=options["rank_by"],
        max_clusters=options["max_clusters"],
        t1w_z=maps["z_t1w"],
        pet_z=maps.get("z_pet"),
        pet=pet,
    )
    return Findings(t1w, pet, mask, maps, labels, clusters)


def covered(pet: NDArray[np.float32] | None, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The brain without what the PET's field of view leaves out: no measured value is exactly 0; (I, J, K)."""
    return mask if pet is None else mask & (pet != 0)


def write_maps(findings: Findings, grid: Grid, folder: Path, stem: str) -> list[Path]:
    """Write the z-map and the cluster labels, each with its sidecar; return the files.

    Args:
        findings: of one person.
        grid: of the maps.
        folder: where to write.
        stem: how the names begin, up to the last ``desc-``.
    """
    z = write_image(folder / f"{stem}_desc-anomaly_zmap.nii.gz", findings.z, grid)
    labels = write_image(folder / f"{stem}_desc-clusters_dseg.nii.gz", findings.labels.astype(np.uint8), grid)
    return [
        z,
        write_json(sidecar_path(z), {"Description": "anomaly, standard deviations of controls; high = abnormal"}),
        labels,
        write_json(sidecar_path(labels), {"Description": "clusters by rank, 1 = most suspicious; 0: none"}),
    ]


def side_by_side(work: Callable[[Any], Any], people: Iterable[Any], n_jobs: int) -> Iterator[Any]:
    """Do the same for several people at once, in order; each gets its share of the cores.

    Threads, not processes: they share the detector instead of copying it, and nothing has to start.

    Args:
        work: what to do for one person.
        people: for whom.
        n_jobs: how many at once.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // n_jobs))
    try:
        yield from in_threads(work, people, n_jobs)
    finally:
        torch.set_num_threads(before)
