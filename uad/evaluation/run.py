"""A detector on the patients of a cohort: calibrated on held-out controls, clusters ranked, lesions found or missed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort, Subject
from synthpet.cohort.files import sha256, write_bytes, write_json, write_text, write_tsv
from synthpet.cohort.paths import Paths
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError
from synthpet.prepare.spaces.native import NativeSpace
from synthpet.runtime.console import progress, say
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.tracking import Run
from uad.detectors.base import SYNTHESIS
from uad.detectors.deviation import STATISTICS
from uad.detectors.train import detector_folder, detector_run, ensure_detectors, named_by, with_translation
from uad.evaluation.records import FOUND_COLUMNS, FROC_COLUMNS, WHO, PatientResult, SeedResult, headline, summarise_seed
from uad.findings.calibrated import check_heldout, ensure_calibrated, sweep
from uad.findings.clusters import COLUMNS as CLUSTER_COLUMNS
from uad.findings.examine import examine, side_by_side, write_maps
from uad.findings.options import EvaluationStudy
from uad.findings.records import CalibratedDetector, Findings
from uad.normative.normal_image import normal_pet
from uad.normative.regional import regional_controls
from uad.normative.sets import NormativeSet
from uad.patient.facts import Who, facts
from uad.patient.native import native_places
from uad.patient.page import make_page, notices, provenance, settings_of
from uad.patient.pdf import write_report
from uad.patient.pictures import Case, projections_of
from uad.patient.regions import COLUMNS as REGION_COLUMNS
from uad.patient.regions import RegionalUptake, regional_uptake
from uad.scores.lesions import COLUMNS as RANK_COLUMNS
from uad.scores.lesions import Detection, detect_lesion, found_over_thresholds, froc
from uad.scores.voxel_metrics import DEFINITIONS as METRICS
from uad.scores.voxel_metrics import voxel_metrics
from uad.tracking.stages import track_evaluation


def evaluation_folder(study: EvaluationStudy) -> Path:
    """Where the results of this detector and normative set go."""
    return study.paths.evaluation(*named_by(study))


def ensure_evaluation(study: EvaluationStudy) -> Path:
    """Evaluate the detector unless that is done; first run what is missing before it.

    Returns:
        The folder: ``report.html``, ``ranks.tsv``, ``clusters.tsv``, ``voxel_metrics.tsv``, ``froc.tsv``,
        ``froc_found.tsv``, ``summary.json``; maps and projections of each patient and, with ``patient_pages``,
        ``regions.tsv``, a page and a sheet (``report.pdf``).

    Raises:
        DataError: no patient, or no held-out control to calibrate on.
    """
    study = with_translation(study)
    if not study.cohort.is_simulated:  # which is there already: better to fail before the long work than after it
        found = open_cohort(study)
        check_patients(found, study.detector.learns_from)
        check_heldout(found)
    with detector_run(study) as run:  # of which the training is part, where it is missing
        return _ensure_evaluation(study, run)


def _ensure_evaluation(study: EvaluationStudy, run: Run) -> Path:
    cohort, normative, detectors = ensure_detectors(study)
    patients = check_patients(cohort, normative.images)
    calibrated = ensure_calibrated(study, cohort, normative, detectors)
    folder = evaluation_folder(study)
    config = {
        "detection": plain(study.detection),
        "display": plain(study.display),
        "smooth_fwhm_mm": normative.smooth_fwhm_mm,
        "calibration": {s: [found.manifest.config, found.manifest.outputs] for s, found in calibrated.items()},
        "t1w": sha256(Paths.t1w(detector_folder(study)) / STATISTICS),
        **cohort.told(patients),
    }
    inputs = cohort.files((*normative.images, "brain_mask", "lesion_mask"), patients)
    stage = Stage(f"evaluation {folder.name}", folder, config, tuple(inputs))
    if not study.patient_pages and not stage.is_current():  # one with pages serves as well
        stage = replace(stage, config=config | {"patient_pages": False})
    if stage.ensure(lambda: Evaluation(study, cohort, normative, folder).write(calibrated)):
        track_evaluation(run, folder, {"detection": plain(study.detection), "seeds": list(detectors)})
    return folder


def say_evaluation(folder: Path) -> None:
    """What was found, and where the page is."""
    for seed, summary in read_json_object(folder / "summary.json")["seeds"].items():
        for line in headline(summary):
            say(f"{folder.name}, seed {seed}: {line}")
    say(f"written: {folder / 'report.html'}")


def check_patients(cohort: Cohort, images: Sequence[str] = ("t1w", "pet")) -> tuple[Subject, ...]:
    """The patients, each with brain mask and all of these images; a lesion mask is not needed.

    Raises:
        DataError: there is none, or images are missing; all are named.
    """
    patients, kinds = cohort.select("patient"), (*images, "brain_mask")
    missing = [cohort.path(s.participant_id, k) for s in patients for k in kinds if not cohort.has(s.participant_id, k)]
    if missing or not patients:
        raise DataError(
            f"E_PATIENTS {cohort.root}: {len(patients)} patients; expected at least one, each with "
            f"{', '.join(images)} and brain mask (`python -m uad.detect` examines one person who is in no cohort).\n  "
            + "\n  ".join(f"missing: {path.relative_to(cohort.root)}" for path in missing)
        )
    return patients


@dataclass(frozen=True)
class Evaluation:
    """Evaluate detectors (one a seed) on a cohort's patients and write the results.

    Args:
        study: options of ``uad_evaluate``.
        cohort: patients and held-out controls.
        normative: what the detectors have learned from; says how a measured PET is smoothed.
        folder: where to write.
    """

    study: EvaluationStudy
    cohort: Cohort
    normative: NormativeSet
    folder: Path

    def write(self, calibrated: Mapping[int, CalibratedDetector]) -> list[Path]:
        """Everything of every seed; maps and pages of the patients are those of the first seed."""
        from uad.evaluation.page import make_report

        first = next(iter(calibrated))
        results = [self._examine(seed, found, first=seed == first) for seed, found in calibrated.items()]
        summaries = {result.seed: result.summary for result in results}
        page = make_report(self.study, self.cohort, self.normative, results, self.folder)
        return [
            *(path for result in results for patient in result.patients for path in patient.written),
            *self._write_tables(results),
            write_json(
                self.folder / "summary.json",
                {"seeds": summaries, "left_out": list(self.cohort.left_out)} | summaries[first],
            ),
            write_text(self.folder / "report.html", page.render()),
        ]

    def _examine(self, seed: int, calibrated: CalibratedDetector, *, first: bool) -> SeedResult:
        patients = self.cohort.select("patient")
        thresholds = sweep(calibrated.heldout, calibrated.calibration.threshold)
        work = partial(self._examine_patient, seed=seed, calibrated=calibrated, thresholds=thresholds, first=first)
        running = side_by_side(work, patients, self.study.compute.n_jobs)
        found = list(progress(running, f"patients, seed {seed}", len(patients)))
        false = np.array([[scan.at(t) for scan in calibrated.heldout.counts.values()] for t in thresholds])
        scored = [result.found for result in found if result.detection is not None]
        result = SeedResult(
            seed, calibrated, found, thresholds, froc(thresholds, np.array(scored).T, false) if scored else []
        )
        result.summary.update(summarise_seed(result))
        return result

    def _examine_patient(
        self, patient: Subject, *, seed: int, calibrated: CalibratedDetector, thresholds: Sequence[float], first: bool
    ) -> PatientResult:
        who = patient.participant_id
        findings = examine(self.normative.evaluated(self.cohort, who), calibrated)
        lesion = self._lesion(who, findings.mask)
        detection = metrics = None
        found = np.zeros(0)
        if lesion is not None:
            site = patient.lesion_site or "n/a"
            detection = detect_lesion(
                findings.clusters, findings.labels, lesion, calibrated.grid, participant_id=who, lesion_site=site,
                seed=seed,
            )  # fmt: skip
            metrics = voxel_metrics(findings.z, lesion, findings.mask, findings.untested)
            found = found_over_thresholds(
                findings.z, findings.mask, lesion, calibrated.grid, thresholds=thresholds,
                min_volume_mm3=calibrated.options.min_volume_mm3, max_clusters=calibrated.options.max_clusters,
            )  # fmt: skip
        written = self._write_patient(who, findings, calibrated, lesion, detection) if first else []
        return PatientResult(patient, findings.clusters, detection, metrics, found, written)

    def _lesion(self, participant_id: str, mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """The lesion, (I, J, K); None where the patient has no lesion mask or an empty one."""
        if not self.cohort.has(participant_id, "lesion_mask"):
            return None
        lesion = self.cohort.load_lesion(participant_id)
        if not lesion.any():
            return None
        if not (lesion & mask).any():
            path = self.cohort.path(participant_id, "lesion_mask").relative_to(self.cohort.root)
            raise DataError(
                f"E_NO_LESION {path}: none of its {int(lesion.sum())} voxels lies in the brain mask; expected a lesion "
                "of the brain, on the cohort's grid"
            )
        return lesion

    def _write_patient(
        self, who: str, findings: Findings, calibrated: CalibratedDetector, lesion: NDArray[np.bool_] | None,
        detection: Detection | None,
    ) -> list[Path]:  # fmt: skip
        folder, grid = self.folder / who, self.cohort.grid
        picture = projections_of(findings, lesion, grid, self.study.display)
        written = [
            *write_maps(findings, grid, folder, f"{who}_space-{self.cohort.space}_res-{self.cohort.res}"),
            write_bytes(folder / f"{who}_projections.png", picture),
        ]
        for stale in (folder / name for name in ("report.html", "report.pdf", "regions.tsv", "regions.json")):
            stale.unlink(missing_ok=True)  # of other results
        if self.study.patient_pages:
            case = self._case(who, findings, calibrated, lesion, detection)
            page = make_page(case, findings, calibrated.calibration, calibrated.health, grid, picture)
            written += [*write_regions(folder, case.regions), *write_report(folder, page, case, findings, calibrated)]
        return written

    def _case(
        self, who: str, findings: Findings, calibrated: CalibratedDetector, lesion: NDArray[np.bool_] | None,
        detection: Detection | None,
    ) -> Case:  # fmt: skip
        subject = next(s for s in self._patients if s.participant_id == who)
        images = self.cohort.files((*self.normative.images, "brain_mask"), [subject])
        about = {
            "configuration": {k: plain(getattr(self.study, k)) for k in ("detector", "normative", "detection")},
            "images": {path.name: sha256(path) for path in images},
        }
        person = Who.in_cohort(self.cohort, subject)
        paths = {name: self.cohort.path(who, name) for name in self.normative.images}
        native = NativeSpace.beside(self.cohort.path(who, "t1w"))
        return Case(
            who,
            [
                *notices(
                    self.cohort,
                    self.normative,
                    patient_simulated=self.cohort.is_simulated,
                    expects_pet=SYNTHESIS in self.study.detector.needs,
                ),
                *person.warning(),
            ],
            facts=facts(person, paths),
            display=self.study.display,
            provenance=provenance(calibrated.manifest, **about),
            lesion=lesion,
            detection=detection,
            native=native_places(findings.clusters, native) if native is not None else (),
            normal=normal_pet(self.normative),
            settings=settings_of(self.study, self.normative, calibrated.calibration, self.cohort.grid),
            regions=regional_uptake(findings, regional_controls(self.normative), self.cohort.grid),
        )

    @property
    def _patients(self) -> tuple[Subject, ...]:
        return self.cohort.select("patient")

    def _write_tables(self, results: Sequence[SeedResult]) -> list[Path]:
        scored = [(result.seed, patient) for result in results for patient in result.scored]
        clusters = [
            {"participant_id": p.patient.participant_id, "seed": result.seed, **cluster.row()}
            for result in results
            for p in result.patients
            for cluster in p.clusters
        ]
        metrics = [
            {"participant_id": p.patient.participant_id, "seed": seed, **asdict(p.metrics)}
            for seed, p in scored
            if p.metrics is not None
        ]
        curves = [
            {"seed": r.seed, "threshold": p.setting, "sensitivity": p.sensitivity, "false_per_scan": p.false_per_scan}
            for r in results
            for p in r.curve
        ]
        found = [
            {"participant_id": p.patient.participant_id, "seed": r.seed, "threshold": threshold, "found": int(hit)}
            for r in results
            for p in r.scored
            for threshold, hit in zip(r.thresholds, p.found, strict=True)
        ]
        ranks = [p.detection.row() for _, p in scored if p.detection is not None]
        return [
            *write_table(self.folder / "ranks.tsv", ranks, RANK_COLUMNS),
            *write_table(self.folder / "clusters.tsv", clusters, {**WHO, **CLUSTER_COLUMNS}),
            *write_table(self.folder / "voxel_metrics.tsv", metrics, {**WHO, **METRICS}),
            *write_table(self.folder / "froc.tsv", curves, FROC_COLUMNS),
            *write_table(self.folder / "froc_found.tsv", found, FOUND_COLUMNS),
        ]


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[Path]:
    """Write a TSV and the JSON beside it that says what each column means; return both."""
    about = {name: {"Description": words} for name, words in columns.items()}
    return [write_tsv(path, rows, columns), write_json(path.with_suffix(".json"), about)]


def write_regions(folder: Path, found: RegionalUptake | None) -> list[Path]:
    """Write ``regions.tsv`` and the JSON beside it; nothing without a PET."""
    return [] if found is None else write_table(folder / "regions.tsv", found.table(), REGION_COLUMNS)
