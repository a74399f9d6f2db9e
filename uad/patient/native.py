"""Results in the patient's own space: maps over the raw T1, and each cluster's place in scanner coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synthpet.cohort import Grid, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.names import sidecar_path
from uad.findings.clusters import Cluster
from uad.findings.records import Findings

if TYPE_CHECKING:
    from synthpet.prepare.spaces.native import NativeSpace

NATIVE_COLUMNS = {
    "peak_native_mm": "the same place as peak_mm in the patient's own T1, x, y, z in scanner space, RAS+",
    "centre_native_mm": "the same place as centre_mm in the patient's own T1, x, y, z in scanner space, RAS+",
}


@dataclass(frozen=True)
class NativePlace:
    """Where a cluster lies in the patient's own T1: peak and centre, RAS+ mm of the scanner."""

    peak_mm: tuple[float, float, float]
    centre_mm: tuple[float, float, float]

    def row(self) -> dict[str, str]:
        """The columns of ``NATIVE_COLUMNS``: points as "x y z", rounded to 0.1 mm."""
        points = (self.peak_mm, self.centre_mm)
        return {
            name: " ".join(f"{x + 0.0:.1f}" for x in np.round(point, 1))
            for name, point in zip(NATIVE_COLUMNS, points, strict=True)
        }


def native_places(clusters: Sequence[Cluster], native: "NativeSpace") -> list[NativePlace]:
    """Each cluster's place in the patient's own T1, in the clusters' order."""
    if not clusters:
        return []
    points = native.points(np.array([point for c in clusters for point in (c.peak_mm, c.centre_mm)]))
    rounded = [(float(x), float(y), float(z)) for x, y, z in points]
    return [NativePlace(*pair) for pair in zip(rounded[::2], rounded[1::2], strict=True)]


def write_native_maps(findings: Findings, grid: Grid, native: "NativeSpace", folder: Path, name: str) -> list[Path]:
    """Write z-map and cluster labels on the grid of the raw T1, each with its sidecar; return the files.

    Args:
        findings: of one person, in template space.
        grid: of the findings.
        native: the person's own space.
        folder: where to write.
        name: how the files' names begin.
    """
    stem = f"{name}_space-T1w"
    z = folder / f"{stem}_desc-anomaly_zmap.nii.gz"
    labels = folder / f"{stem}_desc-clusters_dseg.nii.gz"
    about = "on the grid of the patient's raw T1 (RAS+), by the transforms of its preparation"
    ranks = native.resample(findings.labels, grid, labels=True).astype(np.uint8)
    return [
        write_image(z, native.resample(findings.z, grid), native.grid, space="scanner"),
        write_json(
            sidecar_path(z),
            {
                "Description": f"anomaly, standard deviations of controls; high = abnormal; {about}",
                "Interpolation": "linear, after the decision; 0: not judged",
            },
        ),
        write_image(labels, ranks, native.grid, space="scanner"),
        write_json(
            sidecar_path(labels),
            {
                "Description": f"clusters by rank, 1 = most suspicious; 0: none; {about}",
                "Interpolation": "nearest neighbour",
            },
        ),
    ]
