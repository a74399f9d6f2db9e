"""A detector on the patients of a cohort: calibrated on held-out controls, clusters ranked, lesions found or missed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from synthpet.cohort import Cohort, Subject, write_image
from synthpet.cohort.files import sha256, write_bytes, write_json, write_tsv
from synthpet.cohort.names import sidecar_path
from synthpet.console import progress, say
from synthpet.errors import DataError
from synthpet.stage import Stage
from uad.calibration import Calibration, calibrate_threshold
from uad.clusters import COLUMNS as CLUSTER_COLUMNS
from uad.clusters import Cluster, find_clusters
from uad.detection import Detection, detect_lesion, summarise
from uad.normative import NormativeSet
from uad.rivals.deviation import STATISTICS
from uad.training import Detector, detector_folder, ensure_detectors
from uad.voxel_metrics import VoxelMetrics, mean_and_sd, voxel_metrics


def evaluation_folder(cfg: DictConfig) -> Path:
    """Where the results of this detector and normative set go."""
    return detector_folder(cfg, "evaluation")


def ensure_evaluation(cfg: DictConfig) -> Path:
    """Evaluate the detector unless that is done; first run what is missing before it.

    Returns:
        The folder: ``ranks.tsv``, ``clusters.tsv``, ``summary.json``, maps and projections of each patient.

    Raises:
        DataError: no patient, or no held-out control to calibrate on.
    """
    cohort, normative, detectors = ensure_detectors(cfg)
    patients, heldout = cohort.select("patient"), cohort.select("heldout")
    if not patients or not heldout:
        raise DataError(
            f"E_PATIENTS {cohort.root}: {len(patients)} patients and {len(heldout)} held-out controls with PET; "
            "expected at least one of each: the threshold is calibrated on controls that the detector has not seen"
        )
    folder = evaluation_folder(cfg)
    config = {
        "detection": OmegaConf.to_container(cfg.detection),
        "smooth_fwhm_mm": normative.smooth_fwhm_mm,
        "detectors": {s: sha256(detector_folder(cfg) / f"seed-{s}" / STATISTICS) for s in detectors},
    }
    inputs = cohort.files(("t1w", "pet", "brain_mask", "lesion_mask"), (*patients, *heldout))
    stage = Stage(f"evaluation {folder.name}", folder, config, tuple(inputs))
    stage.ensure(lambda: Evaluation(cfg, cohort, normative, folder).write(detectors))
    return folder


@dataclass(frozen=True)
class Evaluation:
    """Evaluate detectors (one a seed) on a cohort's patients and write the results.

    Args:
        cfg: configuration of ``uad_evaluate``.
        cohort: patients and held-out controls.
        normative: what the detectors have learned from; says how a measured PET is smoothed.
        folder: where to write.
    """

    cfg: DictConfig
    cohort: Cohort
    normative: NormativeSet
    folder: Path

    def write(self, detectors: dict[int, Detector]) -> list[Path]:
        """Everything of every seed; maps and projections are those of the first seed."""
        written: list[Path] = []
        detections: list[Detection] = []
        clusters: list[dict[str, Any]] = []
        summaries: dict[int, dict[str, Any]] = {}
        for seed, detector in detectors.items():
            first = not summaries
            calibration = self._calibrate(detector)
            found, metrics = [], []
            for patient in progress(self.cohort.select("patient"), f"patients, seed {seed}"):
                result = self._evaluate(patient, detector, calibration, seed)
                found.append(result.detection)
                metrics.append(result.metrics)
                clusters += [self._cluster_row(patient, seed, cluster) for cluster in result.clusters]
                written += self._write_maps(patient, result) if first else []
            detections += found
            summaries[seed] = self._summarise(detector, calibration, found, metrics)
        say_result(self.folder.name, summaries)
        columns = ("participant_id", "seed", *CLUSTER_COLUMNS)
        return [
            *written,
            write_tsv(self.folder / "ranks.tsv", [d.row() for d in detections]),
            write_tsv(self.folder / "clusters.tsv", clusters, columns),
            write_json(self.folder / "summary.json", {"seeds": summaries} | next(iter(summaries.values()))),
        ]

    def _maps(self, participant_id: str, detector: Detector) -> tuple[dict[str, NDArray], NDArray[np.bool_], NDArray]:
        scan = self.normative.evaluated(self.cohort, participant_id)
        return detector.z_map(*scan), scan.mask, scan.pet

    def _calibrate(self, detector: Detector) -> Calibration:
        options = self.cfg.detection
        return calibrate_threshold(
            (maps["z"] for maps, _, _ in self._heldout(detector)),
            (self.cohort.load_mask(s.participant_id) for s in self.cohort.select("heldout")),
            self.cohort.grid,
            min_volume_mm3=options.min_volume_mm3,
            false_per_scan=options.false_per_scan,
            max_clusters=options.max_clusters,
        )

    def _heldout(self, detector: Detector) -> Iterator[tuple[dict[str, NDArray], NDArray[np.bool_], NDArray]]:
        for subject in self.cohort.select("heldout"):
            yield self._maps(subject.participant_id, detector)

    def _clusters(
        self, maps: dict[str, NDArray], mask: NDArray[np.bool_], pet: NDArray, threshold: float
    ) -> tuple[list[Cluster], NDArray[np.int16]]:
        options = self.cfg.detection
        return find_clusters(
            maps["z"],
            mask,
            self.cohort.grid,
            threshold=threshold,
            min_volume_mm3=options.min_volume_mm3,
            rank_by=options.rank_by,
            max_clusters=options.max_clusters,
            t1w_z=maps.get("z_t1w"),
            pet_z=maps.get("z_pet"),
            pet=pet,
        )

    def _evaluate(self, patient: Subject, detector: Detector, calibration: Calibration, seed: int) -> "PatientResult":
        maps, mask, pet = self._maps(patient.participant_id, detector)
        clusters, labels = self._clusters(maps, mask, pet, calibration.threshold)
        lesion = self.cohort.load(patient.participant_id, "lesion_mask") > 0.5
        detection = detect_lesion(
            clusters,
            labels,
            lesion,
            self.cohort.grid,
            participant_id=patient.participant_id,
            lesion_site=patient.lesion_site or "n/a",
            seed=seed,
        )
        return PatientResult(maps["z"], labels, clusters, detection, voxel_metrics(maps["z"], lesion, mask))

    def _summarise(
        self, detector: Detector, calibration: Calibration, found: list[Detection], metrics: list[VoxelMetrics]
    ) -> dict[str, Any]:
        counts = [
            len(self._clusters(maps, mask, pet, calibration.threshold)[0])
            for maps, mask, pet in self._heldout(detector)
        ]
        return {
            **summarise(found, counts, max_clusters=self.cfg.detection.max_clusters),
            "calibration": calibration.__dict__,
            "voxel_metrics": {name: {"mean": m, "sd": sd} for name, (m, sd) in mean_and_sd(metrics).items()},
        }

    def _cluster_row(self, patient: Subject, seed: int, cluster: Cluster) -> dict[str, Any]:
        return {"participant_id": patient.participant_id, "seed": seed, **cluster.row()}

    def _write_maps(self, patient: Subject, result: "PatientResult") -> list[Path]:
        from uad.figures import projections

        who = patient.participant_id
        stem = f"{who}_space-{self.cohort.space}_res-{self.cohort.res}"
        z = write_image(self.folder / who / f"{stem}_desc-anomaly_zmap.nii.gz", result.z, self.cohort.grid)
        labels = write_image(
            self.folder / who / f"{stem}_desc-clusters_dseg.nii.gz", result.labels.astype(np.uint8), self.cohort.grid
        )
        lesion, mask = self.cohort.load(who, "lesion_mask") > 0.5, self.cohort.load_mask(who)
        picture = projections(result.z, result.labels, lesion, mask, self.cohort.grid)
        return [
            z,
            write_json(sidecar_path(z), {"Description": "anomaly, standard deviations of controls; high = abnormal"}),
            labels,
            write_json(sidecar_path(labels), {"Description": "clusters by rank, 1 = most suspicious; 0: none"}),
            write_bytes(self.folder / who / f"{who}_projections.png", picture),
        ]


@dataclass(frozen=True)
class PatientResult:
    """One patient: z-map and cluster labels (I, J, K), clusters by rank, what was found of the lesion."""

    z: NDArray[np.float32]
    labels: NDArray[np.int16]
    clusters: list[Cluster]
    detection: Detection
    metrics: VoxelMetrics


def say_result(name: str, summaries: dict[int, dict[str, Any]]) -> None:
    """The headline of an evaluation, a line a seed."""
    for seed, summary in summaries.items():
        rank = summary["mean_rank"]
        say(
            f"{name}, seed {seed}: {summary['n_detected']} of {summary['n_patients']} lesions detected, mean rank "
            f"{'n/a' if rank is None else f'{rank:.1f}'} (misses counted as {summary['rank_of_a_miss']}: "
            f"{summary['mean_rank_censored']:.1f}), {summary['false_clusters_per_control']:.1f} clusters per held-out "
            "control"
        )
