"""The page about one person: what stands out, where, and what it may and may not mean."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, Grid
from synthpet.cohort.manifest import Manifest
from synthpet.report.assemble import Parts, assemble
from synthpet.report.html import Link, Page, Section, Table
from uad.findings.clusters import Cluster
from uad.findings.health import Health
from uad.findings.options import EvaluationStudy
from uad.findings.records import Findings
from uad.findings.threshold import Calibration
from uad.normative.normal_image import change_percent
from uad.normative.sets import NormativeSet
from uad.patient.pictures import Case, Shown, overview
from uad.patient.regions import regional_parts
from uad.patient.words import (
    Change,
    candidate_words,
    candidates_table,
    control_words,
    definitions,
    facts_table,
    known_words,
    place,
    result_words,
    settings_table,
    untested_words,
)


def make_page(
    case: Case, findings: Findings, calibration: Calibration, health: Health, grid: Grid, picture: bytes
) -> Page:
    """Put the page together.

    Args:
        case: about the person.
        findings: of the person.
        calibration: the detector's threshold.
        health: what healthy people show at it.
        grid: of the images.
        picture: the projections, from ``projections_of``.
    """
    clusters, shown = findings.clusters, Shown.of(case, findings, grid)
    changes = {cluster.rank: change_of(case, findings, cluster) for cluster in clusters}
    parts: Parts = {
        "result": result_words(clusters, health, calibration),
        "remarks": list(case.remarks),
        "known": known_words(case.detection),
        "sheet": Link("This result on one sheet of paper (PDF)", "report.pdf"),
        "facts": facts_table(case.facts),
        "inputs": shown.inputs(),
        "candidates_table": _table(findings.candidates, changes, case, health),
        "projections": overview(case, picture),
        "native": _native_words(case) if clusters else None,
        "each_candidate": [
            Section(
                f"Candidate {c.rank}: {place(c)}",
                [candidate_words(c, changes[c.rank], health), shown.candidate(c)],
            )
            for c in findings.candidates
        ],
        "weaker_table": _table(findings.weaker, changes, case, health),
        "viewer": shown.viewer(),
        "regions": regional_parts(case.regions, case.display),
        "untested": untested_words(findings, grid),
        "settings": settings_table(case.settings),
        "definitions": definitions(native=bool(case.native_labels)),
    }
    words = {
        "images": images_in_words(findings),
        "name": case.name,
        "overview": "All places at a glance" if clusters else "The anomaly map",
    }
    return assemble(__package__, "page.yaml", parts, words, case.notices, case.provenance)


def notices(
    cohort: Cohort, normative: NormativeSet, *, patient_simulated: bool, has_pet: bool = True,
    expects_pet: bool = False,
) -> list[str]:  # fmt: skip
    """What the reader must know first: who was learned from, and which images are simulated or synthetic.

    Args:
        cohort: the controls'.
        normative: whom the detector learned from.
        patient_simulated: whether the examined people are.
        has_pet: whether their PET was examined.
        expects_pet: whether the detector compares each PET with one computed from the T1.
    """
    n, n_synthetic = len(normative.members), sum(bool(member.synthetic) for member in normative.members)
    simulated = cohort.is_simulated
    found = [
        f"NORMAL is what {n} {'simulated ' if simulated else ''}healthy controls show (normative set: "
        f"{normative.name})."
        + ("" if has_pet else " Only their T1 was used.")
        + ("" if n_synthetic or not has_pet else " None of their PETs is synthetic.")
    ]
    if n_synthetic and has_pet:
        found.append(
            f"SYNTHETIC: the PET of {n_synthetic} of these {n} controls was computed from their T1 MRI by a neural "
            "network; nobody measured it."
        )
    if expects_pet:
        found.append(
            "SYNTHETIC: each PET, the patient's too, is compared with the one that a neural network expects from the "
            "person's own T1."
        )
    if patient_simulated:
        found.append(
            "SIMULATED: the images on this page come from a computer model; these people do not exist. The page shows "
            "how the method works, not how well it does on patients."
        )
    elif simulated:
        found.append(
            "SIMULATED CONTROLS: the detector has only learned from people who do not exist. What it says about a real "
            "patient means nothing."
        )
    return [*found, *cohort.notices]


def provenance(manifest: Manifest, **own: Any) -> dict[str, str]:
    """Parameters, versions and hashes as text, for the foot of a page.

    Args:
        manifest: of the calibration.
        own: what else made the page: configuration, hashes.
    """
    from synthpet import __version__

    content = {"This page": {"synthpet": __version__, **own}, "Manifest of the calibration": manifest.told()}
    return {name: json.dumps(found, indent=1, default=str, ensure_ascii=False) for name, found in content.items()}


def settings_of(
    study: EvaluationStudy, normative: NormativeSet, calibration: Calibration, grid: Grid
) -> dict[str, str]:
    """What determined the result, in words.

    Args:
        study: with ``detector`` and ``detection``.
        normative: whom the detector learned from.
        calibration: its threshold.
        grid: of all images.
    """
    n_synthetic = sum(bool(member.synthetic) for member in normative.members)
    smoothed = f", measured PET smoothed by {normative.smooth_fwhm_mm:.1f} mm" if normative.smooth_fwhm_mm else ""
    return {
        "Detector": str(study.detector.name),
        "Normative set": f"{normative.name}: {len(normative.members)} controls, PET of {n_synthetic} of them synthetic"
        + smoothed,
        "Threshold": f"z > {calibration.threshold:.2f}, calibrated on {control_words(calibration)}: at "
        f"most {calibration.false_per_scan:g} candidates each on average",
        "Smallest candidate": f"{study.detection.min_volume_mm3:g} mm³",
        "Clusters": f"{study.detection.extent}, in {study.detection.where.replace('_', ' ')}",
        "Ranked by": f"{study.detection.rank_by}; the first {study.detection.max_clusters} are kept",
        "Voxels": f"{' x '.join(f'{mm:g}' for mm in grid.spacing_mm)} mm",
    }


def images_in_words(findings: Findings) -> str:
    """What was examined, in words: ``T1 and PET``."""
    names = ["T1", *(name.upper() for name in findings.scan.images if name != "t1w")]
    return "T1 alone" if len(names) == 1 else " and ".join([", ".join(names[:-1]), names[-1]])


def change_of(case: Case, findings: Findings, cluster: Cluster) -> Change:
    """A cluster's PET against what it is compared with."""

    def against(usual: NDArray[np.float32] | None) -> float | None:
        if usual is None or findings.pet is None:
            return None
        return change_percent(findings.pet, usual, findings.labels == cluster.rank)

    return Change(against(findings.expected), against(case.normal))


def _table(clusters: Sequence[Cluster], changes: Mapping[int, Change], case: Case, health: Health) -> Table | None:
    if not clusters:
        return None
    native = [case.native[c.rank - 1] for c in clusters] if case.native else ()
    return candidates_table(clusters, [changes[c.rank] for c in clusters], health, native)


def _native_words(case: Case) -> list[str]:
    if not case.native_labels:
        return []
    return [
        f"Open {case.native_labels} over the raw T1 in any viewer to see the candidates in the patient's own space."
    ]
