"""A detector with its threshold: calibrated once on real controls, for the evaluation and for new patients.

They are the held-out controls and, where the detector can leave one of its own controls out, those as well
(``detectors.left_out``).
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort import Cohort, Grid, Subject
from synthpet.cohort.files import write_bytes, write_json
from synthpet.cohort.manifest import OF_CALIBRATION, Manifest
from synthpet.cohort.paths import Paths
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError
from synthpet.learning.model_files import read_arrays
from synthpet.runtime.console import progress
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.statistics.intervals import Interval
from uad.detectors.base import Detector
from uad.detectors.left_out import LOWEST_Z, LeftOut
from uad.detectors.train import detector_folder
from uad.detectors.zmap import ZMap
from uad.findings.clusters import strongest
from uad.findings.examine import covered, side_by_side
from uad.findings.extent import within
from uad.findings.options import EvaluationStudy
from uad.findings.records import CalibratedDetector, HeldOut
from uad.findings.threshold import Calibration, ClusterCounts, calibrate_counts, cluster_counts
from uad.normative.sets import NormativeSet

CALIBRATION, CONTROLS = "calibration.json", "calibration.npz"
OPTIONS = ("false_per_scan", "min_volume_mm3", "max_clusters", "where")  # those that the threshold depends on
EDGE_MM = 6.0  # Not in the paper: what counts as near the edge of the brain mask
DEFINITIONS = {
    "threshold": "clusters are voxels with z above it",
    "false_per_scan": "the accepted mean number of kept clusters per real control",
    "achieved": "that number at the threshold",
    "interval": "of achieved: 95 %, exact Poisson; too narrow where controls differ in their own rate",
    "left_out": "mean number in each control at the threshold calibrated on the others: what to expect of a new scan",
    "left_out_interval": "of left_out: 95 %, exact Poisson, widened by how much more than at random the numbers differ",
    "n_learned_from": "of the controls, those that the detector has learned from: their maps are as if left out",
    "left_out_empty": "share of controls without any cluster, each at the threshold calibrated on the others",
    "n_scans": "held-out controls, and those learned from where the detector can leave them out",
    "control_counts": "kept clusters of each of these controls at the threshold",
    "control_strongest": "of each of these controls the score of its first cluster at the threshold, by mass, size "
    "and mean z above the threshold; 0: no cluster",
    "edge": f"voxels within {EDGE_MM:g} mm of the brain mask's edge: their share of all brain voxels, and of those "
    "above the threshold (null: none is), over the held-out controls; equal shares: the edge does not dominate",
}


def ensure_calibrated(
    study: EvaluationStudy, cohort: Cohort, normative: NormativeSet, detectors: Mapping[int, Detector]
) -> dict[int, CalibratedDetector]:
    """Calibrate the detector of each seed on the held-out controls unless that is done; no patient is needed.

    Raises:
        DataError: no held-out control, or one without its images.
    """
    controls = check_heldout(cohort, normative.images)
    t1w = _ensure_t1w(study, cohort, normative)
    return {seed: _ensure(study, cohort, normative, controls, t1w, seed, found) for seed, found in detectors.items()}


def check_heldout(cohort: Cohort, images: Sequence[str] = ("t1w", "pet")) -> tuple[Subject, ...]:
    """The held-out controls, each with brain mask and all of these images.

    Raises:
        DataError: there is none, or images are missing; all are named.
    """
    controls = cohort.select("heldout")
    kinds = (*images, "brain_mask")
    missing = [cohort.path(s.participant_id, k) for s in controls for k in kinds if not cohort.has(s.participant_id, k)]
    if missing or not controls:
        raise DataError(
            f"E_HELDOUT {cohort.root}: {len(controls)} held-out controls; expected at least one, each with "
            f"{', '.join(images)} and brain mask: the threshold is calibrated on controls that the detector has not "
            "seen. Set the role of some controls with PET to `heldout` in participants.tsv.\n  "
            + "\n  ".join(f"missing: {path.relative_to(cohort.root)}" for path in missing)
        )
    return controls


def _ensure_t1w(study: EvaluationStudy, cohort: Cohort, normative: NormativeSet) -> ZMap:
    folder = Paths.t1w(detector_folder(study))
    t1w = ZMap(image="t1w", direction="both")
    inputs = tuple(path for member in normative.members for path in (member.path("t1w"), member.mask))
    stage = Stage(
        f"z-map of the T1 for {folder.parent.name}", folder, {"smooth_fwhm_mm": t1w.options.smooth_fwhm_mm}, inputs
    )
    stage.ensure(lambda: t1w.fit(normative, cohort).save(folder))
    stage.check_outputs()
    t1w.restore(folder, cohort)
    return t1w


def _ensure(
    study: EvaluationStudy, cohort: Cohort, normative: NormativeSet, controls: tuple[Subject, ...], t1w: ZMap,
    seed: int, detector: Detector,
) -> CalibratedDetector:  # fmt: skip
    folder = Paths.seed(detector_folder(study), seed)
    options: Any = plain(study.detection)
    config = {
        "detection": {name: options[name] for name in OPTIONS},
        "smooth_fwhm_mm": normative.smooth_fwhm_mm,
        "detector": Manifest.read(folder).hashes(),
        "told": list(DEFINITIONS),  # a calibration that does not tell all of it is made anew
    }
    inputs = tuple(cohort.files((*normative.images, "brain_mask"), controls))
    stage = Stage(f"calibration of {folder.parent.name} seed {seed}", folder, config, inputs, OF_CALIBRATION)
    calibrator = _Calibrator(cohort, normative, controls, detector, options)
    stage.ensure(lambda: calibrator.write(folder, study.compute.n_jobs))
    stage.check_outputs()
    calibration, heldout = read_calibration(folder)
    return CalibratedDetector(detector, t1w, cohort.grid, study.detection, calibration, heldout, stage.read_manifest())


def read_calibration(folder: Path) -> tuple[Calibration, HeldOut]:
    """Read ``calibration.json`` and ``calibration.npz``.

    Raises:
        DataError: either is not as it was written.
    """
    found = read_json_object(folder / CALIBRATION)
    try:
        kept, top, edge = (found.pop(name) for name in ("control_counts", "control_strongest", "edge"))
        del found["definitions"]
        expected = found["left_out_interval"]
        limits = {"interval": Interval(*found["interval"]), "left_out_interval": expected and Interval(*expected)}
        calibration = Calibration(**found | limits)
        names = [f"{who}_{what}" for who in kept for what in ("levels", "changes")]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"E_CALIBRATION {folder / CALIBRATION}: not as a calibration is written ({error}); expected all of its "
            f"keys. Delete {OF_CALIBRATION} beside it to have it made anew"
        ) from error
    arrays = read_arrays(folder / CONTROLS, ("mean_z", "exceedance", *names))
    counts = {who: ClusterCounts(arrays[f"{who}_levels"], arrays[f"{who}_changes"]) for who in kept}
    return calibration, HeldOut(counts, kept, top, arrays["mean_z"], arrays["exceedance"], edge)


def sweep(heldout: HeldOut, threshold: float, n: int = 40) -> list[float]:
    """Thresholds for a FROC curve, falling: from where no control has a cluster to where they have the most.

    Below, clusters of controls join, and their number says nothing any more.

    Args:
        heldout: the controls.
        threshold: the calibrated one, which is always among them.
        n: how many at most.
    """
    levels = np.unique(np.concatenate([scan.levels for scan in heldout.counts.values()]))[::-1]
    if not levels.size:
        return [threshold]
    total = np.array([sum(scan.at(level) for scan in heldout.counts.values()) for level in levels])
    rising = levels[: int(total.argmax()) + 1]
    chosen = rising[np.unique(np.linspace(0, rising.size - 1, n).round().astype(int))]
    as_written = {f"{level:.6g}": float(level) for level in (*chosen, threshold)}  # tables tell them apart by 6 digits
    return sorted(as_written.values(), reverse=True)


@dataclass(frozen=True)
class _Scanned:
    """One held-out control: z-map and brain mask (I, J, K), number of clusters at every threshold."""

    z: NDArray[np.float32]
    mask: NDArray[np.bool_]
    counts: ClusterCounts


@dataclass(frozen=True)
class _Calibrator:
    cohort: Cohort
    normative: NormativeSet
    controls: tuple[Subject, ...]
    detector: Detector
    options: Mapping[str, Any]

    def write(self, folder: Path, n_jobs: int) -> list[Path]:
        """Calibrate, and keep of the controls what later steps ask for."""
        sums = _Sums(self.cohort.grid)
        counts: dict[str, ClusterCounts] = {}
        running = side_by_side(self._scan, self.controls, n_jobs)
        for control, scanned in zip(
            self.controls, progress(running, "held-out controls", total=len(self.controls)), strict=True
        ):
            counts[control.participant_id] = scanned.counts
            sums.add(scanned.z, scanned.mask)
        heldout, own = list(counts), LeftOut.load(folder)
        counts |= {who: self._counts(self._within(z), self.cohort.load_mask(who)) for who, z in own.maps()}
        options = {name: self.options[name] for name in ("false_per_scan", "max_clusters")}
        calibration = replace(calibrate_counts(counts.values(), **options), n_learned_from=len(own.high))
        exceedance, edge = sums.above(calibration.threshold)
        maps = chain(zip(heldout, sums.maps(), strict=True), ((who, self._within(z)) for who, z in own.maps()))
        content = {
            **asdict(calibration),
            "interval": list(calibration.interval),
            "left_out_interval": calibration.left_out_interval and list(calibration.left_out_interval),
            "control_counts": {who: scan.at(calibration.threshold) for who, scan in counts.items()},
            "control_strongest": {who: self._strongest(z, calibration.threshold) for who, z in maps},
            "edge": edge,
            "definitions": DEFINITIONS,
        }
        arrays: dict[str, Any] = {"mean_z": sums.mean_z, "exceedance": exceedance}
        for who, scan in counts.items():
            arrays |= {f"{who}_levels": scan.levels, f"{who}_changes": scan.changes}
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)
        return [write_json(folder / CALIBRATION, content), write_bytes(folder / CONTROLS, stream.getvalue())]

    def _scan(self, control: Subject) -> _Scanned:
        scan = self.normative.evaluated(self.cohort, control.participant_id)
        seen = covered(scan)
        z = self._within(self.detector.z_map(replace(scan, mask=seen))["z"])
        return _Scanned(z, seen, self._counts(z, seen))

    def _within(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        return within(z, self.options["where"], self.cohort.grid)

    def _strongest(self, z: NDArray[np.float32], threshold: float) -> dict[str, float]:
        return strongest(z, z > LOWEST_Z, self.cohort.grid, threshold, self.options["min_volume_mm3"])

    def _counts(self, z: NDArray[np.float32], mask: NDArray[np.bool_]) -> ClusterCounts:
        options = {name: self.options[name] for name in ("min_volume_mm3", "max_clusters")}
        return cluster_counts(z, mask, self.cohort.grid, **options)


class _Sums:
    """Adds up z-maps of controls; keeps of each only the voxels above ``LOWEST_Z``, so memory stays small."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.n = np.zeros(grid.shape, np.int32)
        self.total = np.zeros(grid.shape)
        self.n_edge = 0
        self.high: list[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]] = []

    def add(self, z: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """One control's z-map and brain mask, (I, J, K)."""
        edge = near_edge(mask, self.grid)
        self.n += mask
        self.total += np.abs(z) * mask
        self.n_edge += int(edge.sum())
        where = np.flatnonzero(mask & (z > LOWEST_Z))
        self.high.append((where, z.ravel()[where], edge.ravel()[where]))

    def maps(self) -> Iterator[NDArray[np.float32]]:
        """The controls' z-maps within the brain, 0 up to ``LOWEST_Z``."""
        for where, z, _ in self.high:
            volume = np.zeros(self.grid.shape, np.float32)
            volume.ravel()[where] = z
            yield volume

    @property
    def mean_z(self) -> NDArray[np.float32]:
        """Mean of ``|z|`` over those with brain at the voxel, (I, J, K)."""
        return (self.total / np.maximum(self.n, 1)).astype(np.float32)

    def above(self, threshold: float) -> tuple[NDArray[np.float32], dict[str, float | None]]:
        """Share of controls above the threshold, (I, J, K), and how much of that lies near the edge."""
        found = np.zeros(self.n.size, np.int32)
        n_above = n_edge = 0
        for where, z, edge in self.high:
            found[where] += z > threshold
            n_above += int((z > threshold).sum())
            n_edge += int((edge & (z > threshold)).sum())
        share = (found.reshape(self.grid.shape) / np.maximum(self.n, 1)).astype(np.float32)
        return share, {
            "within_mm": EDGE_MM,
            "share_of_brain": self.n_edge / int(self.n.sum()),
            "share_above_threshold": n_edge / n_above if n_above else None,
        }


def near_edge(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """Brain voxels within ``EDGE_MM`` of a voxel outside the mask, (I, J, K)."""
    return mask & (ndimage.distance_transform_edt(np.pad(mask, 1), grid.spacing_mm)[1:-1, 1:-1, 1:-1] <= EDGE_MM)
