"""One new patient, examined with a detector and a threshold that were learned and calibrated on a cohort's controls."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from synthpet.cohort import Cohort
from synthpet.cohort.files import read_tsv, sha256, write_json
from synthpet.cohort.paths import Paths
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError, UsageError
from synthpet.generators.crossfit import ensure_cohort
from synthpet.prepare.spaces.native import NativeSpace
from synthpet.report.plain import plain_table
from synthpet.runtime.claim import PATIENT, Source, check_claim, claim, place_of
from synthpet.runtime.console import say
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from uad.detectors.base import SYNTHESIS
from uad.detectors.deviation import STATISTICS
from uad.detectors.options import DetectorOptions
from uad.detectors.train import detector_folder, ensure_detectors, with_translation
from uad.evaluation.run import ensure_evaluation, write_regions, write_table
from uad.findings.calibrated import check_heldout, ensure_calibrated
from uad.findings.clusters import COLUMNS
from uad.findings.examine import examine, write_maps
from uad.findings.records import CalibratedDetector, Findings
from uad.new_patient.images import PatientImages, check_files, check_stranger, check_units, read_patient
from uad.new_patient.options import DetectionStudy
from uad.new_patient.prepare import on_cohort_grid
from uad.normative.normal_image import normal_pet
from uad.normative.regional import regional_controls
from uad.normative.sets import NormativeSet
from uad.patient.facts import Who, facts
from uad.patient.native import NATIVE_COLUMNS, native_places, write_native_maps
from uad.patient.page import make_page, notices, provenance, settings_of
from uad.patient.pdf import write_report
from uad.patient.pictures import Case, projections_of
from uad.patient.regions import regional_uptake

IMAGES = ("t1w", "pet", "flair")  # options that give an image, by modality
N_COMPARED = 5  # controls whose PET says what the units are
SHOWN = ("rank", "side", "region", "peak_mm", "volume_mm3", "mean_z", "healthy_as_strong", "asymmetry_percent")
DEFINITIONS = {
    "n_candidates": "places that few healthy scans match; 0: no candidate",
    "n_weaker": "places that the threshold lets through, but that healthy people show as well",
    "healthy_share": "a place is a candidate if at most this share of healthy scans match it",
    "share_with_candidate_in_health": "share of the controls that have one, each judged by the others",
    "threshold": "clusters are voxels with z above it",
    "expected_in_health": "mean number of places of any strength in healthy controls, each at the others' threshold",
    "share_without_in_health": "share of them without any",
    "untested_share": "share of the brain that was not judged",
    "remarks": "what limits this examination",
}


def ensure_detection(study: DetectionStudy) -> Path:
    """Examine one new patient unless that is done; first run what is missing before it.

    Args:
        study: options of ``uad_detect``.

    Returns:
        The folder ``detect-<name>``: z-map, cluster labels, ``clusters.tsv``, ``summary.json``, ``report.html``,
        ``report.pdf``; with a PET, ``regions.tsv``; maps over the raw T1 where its place is known; ``prepared/`` where
        the images were not on the cohort's grid.

    Raises:
        UsageError: no T1, a name that is no name or another person's, or a detector that needs a PET and gets none.
        DataError: an image that cannot be used, or no held-out control.
        DataLeakageError: the images are those of a control that was learned from.
    """
    study, name = with_translation(study), patient_name(study)
    paths = {key: Path(path).expanduser() for key in IMAGES if (path := getattr(study, key)) is not None}
    t1w, mask = paths["t1w"], None if study.mask is None else Path(study.mask).expanduser()
    check_files(**paths, mask=mask)
    cohort = ensure_cohort(study)
    check_heldout(cohort)
    read_as = {path: sha256(path) for path in (*paths.values(), mask) if path is not None}
    folder, source = study.paths.patient(name), _source(study, t1w)
    # before the long work starts
    given = on_cohort_grid(paths, mask, cohort, folder, study.brain_mask_command, source, name)
    images = read_patient(given.images, given.mask, cohort.grid, given.raw)
    check_claim(folder, PATIENT, source)
    if images.synthetic and not study.force:
        raise DataError(
            f"E_SYNTHETIC {paths.get('pet', t1w)}: says that it is a synthetic PET, computed from a T1; expected a "
            "measured one: no lesion can be seen in what was never measured. Leave pet= out, or set force=true"
        )
    remarks = list(given.remarks)
    if missing := [name for name in study.detector.looks_at if name not in paths]:
        used = replace(study, detector=_detector_without(study, missing))
        remarks.append(cost_of_missing(study, used, cohort, missing))
        study = used
    cohort, normative, detectors = ensure_detectors(study)
    if not study.force:
        check_stranger(images, normative, cohort)
    if "pet" in paths and "pet" in normative.images:
        controls = ((scan["pet"], scan.mask) for scan in islice(normative.scans(), N_COMPARED))
        check_units(paths["pet"], images, controls)
    calibrated = ensure_calibrated(study, cohort, normative, detectors)
    native = NativeSpace.beside(given.images["t1w"])
    detection = NewPatient(
        study, cohort, normative, next(iter(calibrated.values())), name, images, tuple(remarks), native
    )
    stage = Stage(f"detection {name}", detection.folder, detection.config(), detection.inputs())
    claim(detection.folder, PATIENT, source)
    stage.ensure(detection.write, read_as)
    say_findings(detection.folder)
    return detection.folder


def _source(study: DetectionStudy, t1w: Path) -> Source:
    """Who the patient is: the T1 itself; another one in its place, too, where a name says who it is."""
    named = study.name is not None or _subject_of(t1w) is not None
    return Source(place_of(t1w) if named else "", {"t1w": sha256(t1w)})


def patient_name(study: DetectionStudy) -> str:
    """The name of the results: ``name``, or the BIDS subject of the T1 or of its nearest folder, or ``patient``.

    Raises:
        UsageError: no T1, or a name with other characters than letters, digits, ``-`` and ``_``.
    """
    if study.t1w is None:
        raise UsageError("t1w: expected the patient's T1 (t1w=<file.nii.gz>), and pet=<file.nii.gz> if there is one")
    name = str(study.name) if study.name is not None else _subject_of(Path(study.t1w)) or "patient"
    if not re.fullmatch(r"[0-9a-zA-Z][0-9a-zA-Z_-]{0,63}", name):
        raise UsageError(f"name={name[:80]!r}: expected 1 to 64 letters, digits, - or _")
    return name


def _subject_of(t1w: Path) -> str | None:
    """The BIDS subject that a file or its nearest folder is named after; other folders may bear people's names."""
    found = (re.match(r"sub-[0-9a-zA-Z]+", part) for part in reversed(t1w.absolute().parts))
    return next((subject[0] for subject in found if subject), None)


def _detector_without(study: DetectionStudy, missing: Sequence[str]) -> DetectorOptions:
    """What examines a person who lacks some of the detector's images: the same detector of the others, or of the T1."""
    left = [name for name in study.detector.looks_at if name not in missing]
    fewer = study.detector.seeing(left) if set(left) - {"t1w"} else None
    if fewer is not None:
        return fewer
    alone = study.t1w_detector
    if alone is None or alone.looks_at != ("t1w",):
        named = "none" if alone is None else alone.name
        needed = ", ".join(missing).replace("pet", "PET")
        raise UsageError(f"detect.without_pet={named}: needs a {needed}; expected zmap_t1w")
    return alone


def cost_of_missing(study: DetectionStudy, used: DetectionStudy, cohort: Cohort, missing: Sequence[str]) -> str:
    """What looking at fewer images costs: how many known lesions of the cohort's patients each detector finds."""
    lesions = [s for s in cohort.select("patient") if cohort.has(s.participant_id, "lesion_mask")]
    left = used.detector.looks_at
    seen = f"only the {_named(left)} {'was' if len(left) == 1 else 'were'} examined ({used.detector.name})"
    words = f"There is no {_named(missing)}: {seen}."
    if not lesions:
        return f"{words} What that costs is unknown: this cohort has no patients with known lesions."
    say(f"{words} To say what that costs, both detectors examine the {len(lesions)} patients of the cohort.")
    both, alone = (read_json_object(ensure_evaluation(options) / "summary.json") for options in (study, used))
    return (
        f"{words} What that costs: of {both['n_patients']} known lesions of this cohort's patients, "
        f"{_named(study.detector.looks_at)} together ({study.detector.name}) find {both['n_detected']}, the "
        f"{_named(left)} alone {alone['n_detected']}, both at the same accepted rate of false clusters."
    )


def _named(images: Sequence[str]) -> str:
    """Modalities in words: ``T1 and PET``."""
    kinds = [name.partition("_")[0] for name in images]
    words = ["T1" if kind == "t1w" else kind.upper() for kind in kinds]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


@dataclass(frozen=True)
class NewPatient:
    """Examine one person and write the results.

    Args:
        study: options of ``uad_detect``, with the detector that is used.
        cohort: the controls'.
        normative: whom the detector has learned from.
        calibrated: the detector.
        name: of the results.
        images: the person's.
        remarks: what limits the examination.
        native: the person's own space, where the T1's preparation kept it.
    """

    study: DetectionStudy
    cohort: Cohort
    normative: NormativeSet
    calibrated: CalibratedDetector
    name: str
    images: PatientImages
    remarks: tuple[str, ...]
    native: NativeSpace | None = None

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.study.paths.patient(self.name)

    def config(self) -> dict[str, Any]:
        """What determines the result beside the images."""
        return {
            **{key: plain(getattr(self.study, key)) for key in ("detector", "normative", "detection", "display")},
            "smooth_fwhm_mm": self.normative.smooth_fwhm_mm,
            "calibration": [self.calibrated.manifest.config, self.calibrated.manifest.outputs],
            "t1w": sha256(Paths.t1w(detector_folder(self.study)) / STATISTICS),
            "remarks": self.remarks,
            "force": self.study.force,
            "person": [self.study.patient_age, self.study.patient_sex],
            **self.cohort.told(),
        }

    def inputs(self) -> dict[str, Path]:
        """The files, by what they are: a patient's folders may be called as the patient is."""
        native = self.native.files if self.native is not None else ()
        return dict(self.images.files) | {f"transforms/{f.name}": f for f in native}

    def write(self) -> list[Path]:
        """Maps, tables and the page."""
        grid, images = self.cohort.grid, self.images
        scan, target = images.scan, self.normative.target
        if target in scan.images:
            scan = scan.put(**{target: self.normative.smooth(scan[target], scan.mask)})
        findings = examine(scan, self.calibrated)
        about = {"configuration": self.config(), "images": {path.name: sha256(path) for path in images.files.values()}}
        places = native_places(findings.clusters, self.native) if self.native is not None else []
        case = Case(
            self.name,
            self._notices(),
            self.remarks,
            provenance(self.calibrated.manifest, **about),
            facts=facts(self._who, images.files),
            display=self.study.display,
            native=places,
            normal=None if findings.pet is None else normal_pet(self.normative),
            settings=settings_of(self.study, self.normative, self.calibrated.calibration, grid),
            native_labels=f"{self.name}_space-T1w_desc-clusters_dseg.nii.gz" if self.native is not None else "",
            regions=None
            if findings.pet is None
            else regional_uptake(findings, regional_controls(self.normative), grid),
        )
        picture = projections_of(findings, case.lesion, grid, case.display)
        calibration, health = self.calibrated.calibration, self.calibrated.health
        page = make_page(case, findings, calibration, health, grid, picture)
        summary = {
            "name": self.name,
            "detector": self.study.detector.name,
            "normative": self.study.normative.name,
            "pet": findings.pet is not None,
            "n_candidates": len(findings.candidates),
            "n_weaker": len(findings.weaker),
            "healthy_share": health.share,
            "share_with_candidate_in_health": health.n_with_candidate / health.n,
            "threshold": calibration.threshold,
            "expected_in_health": calibration.left_out,
            "share_without_in_health": calibration.left_out_empty,
            "n_controls": calibration.n_scans,
            "untested_share": float(findings.untested.sum() / findings.mask.sum()),
            "remarks": self.remarks,
            "definitions": DEFINITIONS,
        }
        rows = [cluster.row() for cluster in findings.clusters]
        for row, place in zip(rows, places, strict=False):
            row |= place.row()
        columns = {**COLUMNS, **(NATIVE_COLUMNS if self.native is not None else {})}
        return [
            *write_maps(findings, grid, self.folder, f"{self.name}_space-{self.cohort.space}_res-{self.cohort.res}"),
            *self._write_native(findings),
            *write_table(self.folder / "clusters.tsv", rows, columns),
            *write_regions(self.folder, case.regions),
            write_json(self.folder / "summary.json", summary),
            *write_report(self.folder, page, case, findings, self.calibrated),
        ]

    @property
    def _who(self) -> Who:
        return Who.of(self.cohort, self.study.patient_age, self.study.patient_sex)

    def _write_native(self, findings: Findings) -> list[Path]:
        """Maps over the raw T1, where it is known where that lies."""
        if self.native is None:
            return []
        return write_native_maps(findings, self.cohort.grid, self.native, self.folder, self.name)

    def _notices(self) -> list[str]:
        images = self.images
        found = self._who.warning()
        found += notices(
            self.cohort,
            self.normative,
            patient_simulated=images.simulated,
            has_pet="pet" in images.scan.images,
            expects_pet=SYNTHESIS in self.study.detector.needs,
        )
        if images.synthetic:
            found.append("SYNTHETIC: this person's PET was computed from a T1; nobody measured it (force=true).")
        if self.study.force:
            found.append("FORCED: nobody has checked whether these images belong to a control (force=true).")
        return found


def say_findings(folder: Path) -> None:
    """The candidates as a table, what limits them, and where the page is."""
    summary, rows = read_json_object(folder / "summary.json"), read_tsv(folder / "clusters.tsv")
    for remark in summary["remarks"]:
        say(remark)
    strong = [row for row in rows if row["candidate"] == "true"]
    share = f"at most {100 * summary['healthy_share']:.0f} % of healthy scans"
    if strong:
        say(plain_table([{key: _short(row[key]) for key in SHOWN} for row in strong]))
    else:
        say(f"No candidate: nothing is so unusual that {share} show as much.")
    if weaker := summary["n_weaker"]:
        say(f"{weaker} weaker places, such as more than that show, are on the page and in clusters.tsv.")
    say(
        f"Of {summary['n_controls']} healthy controls, {100 * summary['share_with_candidate_in_health']:.0f} % have a "
        "candidate, each judged by the others."
    )
    say(f"written: {folder / 'report.html'}")


def _short(cell: str) -> str:
    try:
        return f"{float(cell):.1f}".removesuffix(".0")
    except ValueError:
        return cell
