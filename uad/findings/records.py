"""What a calibrated detector is, what it shows in held-out controls, and what it finds in one person."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid
from synthpet.cohort.manifest import Manifest
from synthpet.cohort.scan import Scan
from uad.detectors.base import EXPECTED_PET, Detector
from uad.detectors.zmap import ZMap
from uad.findings.clusters import Cluster, ClusterRule
from uad.findings.health import Health
from uad.findings.options import DetectionOptions
from uad.findings.threshold import Calibration, ClusterCounts


@dataclass(frozen=True)
class HeldOut:
    """What the held-out controls show.

    Args:
        counts: number of clusters at every threshold, by participant.
        kept: number of clusters at the calibrated threshold, by participant.
        strongest: score of the first cluster by each ranking, by participant, see ``clusters.strongest``.
        mean_z: (I, J, K), mean of ``|z|`` over the controls that have brain there.
        exceedance: (I, J, K), share of them above the threshold.
        edge: ``share_of_brain`` and ``share_above_threshold`` of voxels near the mask's edge.
    """

    counts: dict[str, ClusterCounts]
    kept: dict[str, int]
    strongest: dict[str, dict[str, float]]
    mean_z: NDArray[np.float32]
    exceedance: NDArray[np.float32]
    edge: dict[str, float | None]


@dataclass(frozen=True)
class CalibratedDetector:
    """A detector, the threshold of its clusters, and what healthy people look like at it.

    Args:
        detector: trained.
        t1w: signed z-map of the T1 alone.
        grid: of all images.
        options: of ``detection``.
        calibration: the threshold.
        heldout: of the controls it was calibrated on.
        manifest: of the calibration, for the provenance of what is found with it.
    """

    detector: Detector
    t1w: ZMap
    grid: Grid
    options: DetectionOptions
    calibration: Calibration
    heldout: HeldOut
    manifest: Manifest

    @property
    def rule(self) -> ClusterRule:
        """By which its clusters are found: as configured, at the calibrated threshold."""
        options = self.options
        return ClusterRule(self.calibration.threshold, options.min_volume_mm3, options.max_clusters, options.rank_by)

    @property
    def health(self) -> Health:
        """How strong the strongest cluster of each control is, by what clusters are ranked by."""
        by_control = {who: scores[self.options.rank_by] for who, scores in self.heldout.strongest.items()}
        return Health.of(by_control, self.options.healthy_share)


@dataclass(frozen=True)
class Findings:
    """What a calibrated detector finds in one person; every array is (I, J, K) on one grid.

    Args:
        scan: the images that were examined, and the brain mask.
        maps: ``z``, high = abnormal; ``z_t1w``, signed z of the T1 alone; ``z_pet``, that of the PET, negative = less
            uptake than normal, where the detector gives it; ``expected_pet``, SUVR, where it expects one from the T1.
        labels: rank of the cluster a voxel belongs to, 0: none.
        clusters: by rank.
    """

    scan: Scan
    maps: dict[str, NDArray[np.float32]]
    labels: NDArray[np.int16]
    clusters: list[Cluster]

    @property
    def candidates(self) -> list[Cluster]:
        """The clusters that few healthy scans match, by rank."""
        return [cluster for cluster in self.clusters if cluster.candidate]

    @property
    def weaker(self) -> list[Cluster]:
        """The other clusters, by rank."""
        return [cluster for cluster in self.clusters if not cluster.candidate]

    @property
    def t1w(self) -> NDArray[np.float32]:
        """As scaled by ``scale_t1w``."""
        return self.scan["t1w"]

    @property
    def pet(self) -> NDArray[np.float32] | None:
        """SUVR; None: there is no PET."""
        return self.scan.images.get("pet")

    @property
    def expected(self) -> NDArray[np.float32] | None:
        """The PET that the generators expect from the person's own T1, SUVR; None: the detector has none."""
        return self.maps.get(EXPECTED_PET)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Brain."""
        return self.scan.mask

    @property
    def z(self) -> NDArray[np.float32]:
        """The map that was thresholded, high = abnormal."""
        return self.maps["z"]

    @property
    def untested(self) -> NDArray[np.bool_]:
        """Brain that is not judged: there z is exactly 0."""
        return self.mask & (self.z == 0)
