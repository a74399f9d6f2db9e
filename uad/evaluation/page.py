"""The page of an evaluation: who was found, at which price, and whether healthy controls look healthy."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthpet.cohort import Cohort
from synthpet.report.assemble import Parts, assemble
from synthpet.report.display import Display
from synthpet.report.html import Link, Page, Picture, Table
from synthpet.runtime.options import plain
from uad.detectors.base import SYNTHESIS
from uad.evaluation.records import DEFINITIONS, PatientResult, SeedResult, headline
from uad.findings.options import EvaluationStudy
from uad.findings.records import CalibratedDetector
from uad.normative.sets import NormativeSet
from uad.patient.page import notices, provenance, settings_of
from uad.patient.words import control_words, range_words, settings_table
from uad.pictures.figures import controls, froc_curve

MOST_PICTURES = 40  # projections on the page; the others are in the patients' own pages


def make_report(
    study: EvaluationStudy, cohort: Cohort, normative: NormativeSet, results: Sequence[SeedResult], folder: Path
) -> Page:
    """Put the page of an evaluation together.

    Args:
        study: options of ``uad_evaluate``.
        cohort: patients and held-out controls.
        normative: what the detectors have learned from.
        results: one a seed; tables, maps and projections are of the first.
        folder: where the patients' projections lie.
    """
    first = results[0]
    parts: Parts = {
        "headlines": [f"Seed {r.seed}: {line}." for r in results for line in headline(r.summary)],
        "patients": _patients_table(first, links=study.patient_pages),
        "free": _free_words(first),
        "froc": _froc(results) if first.scored else None,
        "control_words": _control_words(first.calibrated),
        "controls": _controls(first.calibrated, cohort, study.display),
        "projections": _projections(first, folder),
        "settings": settings_table(settings_of(study, normative, first.calibrated.calibration, cohort.grid)),
        "definitions": Table(("in summary.json", "meaning"), list(DEFINITIONS.items()), "Definitions.", prose=True),
    }
    options = {key: plain(getattr(study, key)) for key in ("detector", "normative", "detection")}
    return assemble(
        __package__,
        "page.yaml",
        parts,
        {"detector": study.detector.name, "normative": study.normative.name},
        notices(
            cohort, normative, patient_simulated=cohort.is_simulated, expects_pet=SYNTHESIS in study.detector.needs
        ),
        provenance(first.calibrated.manifest, **options),
    )


def _free_words(result: SeedResult) -> list[str]:
    n = len(result.patients) - len(result.scored)
    return [f"{n} patients have no known lesion: they are examined, but count in no sensitivity."] if n else []


def _patients_table(result: SeedResult, *, links: bool) -> Table:
    header = ("Patient", "Known lesion", "Detected", "Rank", "Detected, strict", "Candidates")
    caption = (
        "Detected: a candidate or a weaker place touches the lesion; strict: its centre lies, besides, within 10 mm of "
        "it. Rank: of the first such place, 1 is the most suspicious. Candidates: few healthy scans match them."
    )
    if not links:
        caption += " `python -m uad.evaluate` with this detector and normative set also makes a page of every patient."
    return Table(header, [_patient_row(patient, links) for patient in result.patients], caption, prose=True)


def _patient_row(result: PatientResult, links: bool) -> list[str | Link]:
    who, found = result.patient.participant_id, result.detection
    link = Link(who, f"{who}/report.html") if links else who
    strong = sum(cluster.candidate for cluster in result.clusters)
    weaker = len(result.clusters) - strong
    n = ", ".join([str(strong) if strong else "no candidate", *([f"{weaker} weaker"] if weaker else [])])
    if found is None:
        return [link, "none known", "–", "–", "–", n]
    rank = "–" if found.rank is None else str(found.rank)
    return [link, found.lesion_site, _yes(found.detected), rank, _yes(found.detected_strict), n]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _froc(results: Sequence[SeedResult]) -> Picture:
    rate = results[0].calibrated.calibration.achieved
    return Picture(
        froc_curve({f"seed {result.seed}": result.curve for result in results}, rate),
        f"Share of the {len(results[0].scored)} lesions that a candidate touches, while the threshold falls and more "
        "false clusters appear in real controls. Dotted: the calibrated threshold. Further up and to the left is "
        "better; with few patients, each step is one of them.",
        "FROC curve: sensitivity against false clusters per real control.",
    )


def _control_words(calibrated: CalibratedDetector) -> list[str]:
    found, calibration = calibrated.heldout, calibrated.calibration
    counts = ", ".join(f"{who} {n}" for who, n in found.kept.items())
    return [
        f"Threshold z > {calibration.threshold:.2f}: {control_words(calibration)} keep "
        f"{calibration.achieved:.2f} clusters each (95 % interval {calibration.interval.low:.2f} to "
        f"{calibration.interval.high:.2f}; asked for: at most {calibration.false_per_scan:g}). {_left_out(calibrated)}",
        f"Clusters of each: {counts}.",
        edge_words(found.edge),
    ]


def _controls(calibrated: CalibratedDetector, cohort: Cohort, display: Display) -> Picture:
    return Picture(
        controls(calibrated.heldout.mean_z, calibrated.heldout.exceedance, cohort.grid, display),
        "Held-out controls, who are healthy. Above: mean of |z|, which should be about 0.8 everywhere; a bright rim or "
        "bright ventricles would say that anatomy is taken for disease. Below: how many of them lie above the "
        "threshold; it should be dark, without a place that is bright in many. "
        f"{display.sides()}",
        "Mean absolute z and share above threshold of the held-out controls in three planes.",
    )


def _left_out(calibrated: CalibratedDetector) -> str:
    calibration = calibrated.calibration
    if calibration.left_out is None or calibration.left_out_empty is None:
        return "With a single control nothing can be said about the next one."
    return (
        f"Each at the threshold of the others: {calibration.left_out:.2f}{range_words(calibration)}, which is what to "
        f"expect of a healthy person, and {100 * calibration.left_out_empty:.0f} % of them have no candidate."
    )


def edge_words(edge: Mapping[str, Any]) -> str:
    """Whether the brain's edge dominates what is found in held-out controls."""
    share, above = 100 * edge["share_of_brain"], edge["share_above_threshold"]
    near = f"within {edge['within_mm']:g} mm of the brain mask's edge"
    if above is None:
        return f"No voxel of a real control lies above the threshold ({share:.0f} % of the brain is {near})."
    return (
        f"Of the voxels above the threshold in held-out controls, {100 * above:.0f} % lie {near}; of all brain voxels, "
        f"{share:.0f} % do. "
        + ("The edge shows more than its share." if above * 100 > share else "The edge shows no excess.")
    )


def _projections(result: SeedResult, folder: Path) -> list[Picture]:
    pictures = []
    for patient in result.patients[:MOST_PICTURES]:
        who, found = patient.patient.participant_id, patient.detection
        state = "no known lesion" if found is None else f"{found.lesion_site} (green)"
        rank = "" if found is None else f", found at rank {found.rank}" if found.detected else ", missed"
        pictures.append(
            Picture(
                (folder / who / f"{who}_projections.png").read_bytes(),
                f"{who}: {state}{rank}. Numbers: candidates by rank.",
                f"Maximum-intensity projections of {who}.",
            )
        )
    return pictures
