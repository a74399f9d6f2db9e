"""One person's images, a calibrated detector: what stands out, where, and how strongly."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.modality import UNMEASURED, modality
from synthpet.cohort.names import sidecar_path
from synthpet.cohort.scan import Scan
from synthpet.runtime.compute import in_threads
from uad.findings.clusters import Cluster, Seen, find_clusters
from uad.findings.extent import CORE, cores, within
from uad.findings.records import CalibratedDetector, Findings


def examine(scan: Scan, calibrated: CalibratedDetector) -> Findings:
    """Find and describe the clusters of one person.

    Args:
        scan: the person's images, at the resolution that the detector has learned from: T1, and those that the detector
            looks at.
        calibrated: detector, threshold and options.

    Raises:
        DataError: the map is not finite.
    """
    seen = covered(scan)
    maps = dict(calibrated.detector.z_map(replace(scan, mask=seen)))
    if "z_t1w" not in maps:
        maps["z_t1w"] = calibrated.t1w.z_map(scan)["z_t1w"]
    images = {"t1w_z": maps["z_t1w"], "pet_z": maps.get("z_pet"), "pet": scan.images.get("pet")}
    grid, options, rule = calibrated.grid, calibrated.options, calibrated.rule
    maps["z"] = within(maps["z"], options.where, grid)
    clusters, labels = find_clusters(maps["z"], seen, grid, rule, **images)
    clusters = [_compared(cluster, calibrated) for cluster in clusters]
    if options.extent == CORE:
        clusters, labels = cores(clusters, labels, maps["z"], rule.threshold, Seen(grid, seen, **images))
    return Findings(scan, maps, labels, clusters)


def _compared(cluster: Cluster, calibrated: CalibratedDetector) -> Cluster:
    """The cluster with how many healthy scans match it."""
    health, score = calibrated.health, cluster.score(calibrated.options.rank_by)
    return replace(cluster, healthy_as_strong=health.as_strong(score), candidate=health.is_candidate(score))


def covered(scan: Scan) -> NDArray[np.bool_]:
    """The brain without what a field of view leaves out, as of a PET: no measured value is exactly 0; (I, J, K)."""
    seen = scan.mask
    for name, image in scan.images.items():
        if modality(name).zero == UNMEASURED:
            seen = seen & (image != 0)
    return seen


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
