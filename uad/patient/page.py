"""The page about one person: what stands out, where, and what it may and may not mean."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, Grid
from synthpet.cohort.manifest import Manifest
from synthpet.report.assemble import Parts, assemble
from synthpet.report.html import Page, Picture, Section
from synthpet.report.viewer import Layer, Viewer, make_viewer
from uad.findings.clusters import Cluster
from uad.findings.options import EvaluationStudy
from uad.findings.records import Findings
from uad.findings.threshold import Calibration
from uad.normative.normal_image import change_percent
from uad.normative.sets import NormativeSet
from uad.patient.native import NativePlace
from uad.patient.regions import RegionalUptake, regional_parts
from uad.patient.words import (
    candidate_words,
    candidates_table,
    control_words,
    definitions,
    known_words,
    place,
    point,
    result_words,
    settings_table,
    untested_words,
)
from uad.pictures.figures import LESION_COLOUR, other_layer, pet_layer, planes, projections, t1w_layer, z_layer
from uad.scores.lesions import Detection


@dataclass(frozen=True)
class Case:
    """What the page says beside the findings.

    Args:
        name: whose page it is.
        notices: what the reader must know first.
        remarks: sentences of the result that depend on how the person came to be examined.
        provenance: heading to text.
        lesion: (I, J, K), the lesion where it is known.
        detection: how the clusters compare with it.
        native: where each cluster lies in the person's own T1, where that is known.
        normal: (I, J, K), the controls' mean PET from ``normal_pet``; None: not known.
        settings: what determined the result, from ``settings_of``.
        native_labels: name of the written image of the candidates in the person's own space, if there is one.
        regions: the PET by gyrus and nucleus, from ``regional_uptake``.
    """

    name: str
    notices: Sequence[str]
    remarks: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    lesion: NDArray[np.bool_] | None = None
    detection: Detection | None = None
    native: Sequence[NativePlace] = ()
    normal: NDArray[np.float32] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    native_labels: str = ""
    regions: RegionalUptake | None = None


def make_page(case: Case, findings: Findings, calibration: Calibration, grid: Grid, picture: bytes) -> Page:
    """Put the page together.

    Args:
        case: about the person.
        findings: of the person.
        calibration: of the detector, for how often healthy people show as much.
        grid: of the images.
        picture: the projections, from ``projections_of``.
    """
    clusters, layers = findings.clusters, _layers(case, findings)
    changes = [_change(case, findings, cluster) for cluster in clusters]
    parts: Parts = {
        "result": result_words(clusters, calibration),
        "remarks": list(case.remarks),
        "known": known_words(case.detection),
        "inputs": _inputs(layers, findings, grid),
        "candidates_table": candidates_table(clusters, changes, case.native) if clusters else None,
        "projections": _overview(case, picture),
        "native": _native_words(case) if clusters else None,
        "each_candidate": [
            _candidate(c, change, layers, findings, grid) for c, change in zip(clusters, changes, strict=True)
        ],
        "viewer": _viewer(case, layers, findings, grid),
        "regions": regional_parts(case.regions),
        "untested": untested_words(findings, grid),
        "settings": settings_table(case.settings),
        "definitions": definitions(native=bool(case.native_labels)),
    }
    words = {
        "images": _images(findings),
        "name": case.name,
        "overview": "All candidates at a glance" if clusters else "The anomaly map",
    }
    return assemble(__package__, "page.yaml", parts, words, case.notices, case.provenance)


def projections_of(case: Case, findings: Findings, grid: Grid) -> bytes:
    """The projections of one person's map as PNG, with the lesion where it is known."""
    return projections(findings.z, findings.labels, case.lesion, findings.mask, grid)


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
        "Ranked by": f"{study.detection.rank_by}; the first {study.detection.max_clusters} are kept",
        "Voxels": f"{' x '.join(f'{mm:g}' for mm in grid.spacing_mm)} mm",
    }


def _layers(case: Case, findings: Findings) -> list[Layer]:
    pet = [] if findings.pet is None else [pet_layer(findings.pet * findings.mask, case.normal)]  # shows no face
    others = {name: image for name, image in findings.scan.images.items() if name not in ("t1w", "pet")}
    shown = [other_layer(name, image * findings.mask) for name, image in others.items()]
    return [t1w_layer(findings.t1w), *shown, *pet]


def _images(findings: Findings) -> str:
    """What was examined, in words: ``T1 and PET``."""
    names = ["T1", *(name.upper() for name in findings.scan.images if name != "t1w")]
    return "T1 alone" if len(names) == 1 else " and ".join([", ".join(names[:-1]), names[-1]])


def _change(case: Case, findings: Findings, cluster: Cluster) -> float | None:
    if case.normal is None or findings.pet is None:
        return None
    return change_percent(findings.pet, case.normal, findings.labels == cluster.rank)


def _inputs(layers: Sequence[Layer], findings: Findings, grid: Grid) -> Picture:
    same = (
        ""
        if len(layers) == 1
        else f"{'Both' if len(layers) == 2 else 'All'} images must show the same brain in the same place. "
    )
    return Picture(
        planes(layers, findings.mask, grid, outlined=findings.mask),
        "What was examined, with the outline of the brain mask. The left of the picture is the left of the patient "
        f"(L), as neurologists show it and not as radiologists do. {same}The outline must follow the brain; otherwise "
        "disregard this page.",
        "The examined images in three planes with the outline of the brain mask.",
    )


def _overview(case: Case, picture: bytes) -> Picture:
    return Picture(
        picture,
        "The strongest deviation along each line of sight, seen from above, from the front and from the side; brighter "
        "is more suspicious, on the same scale for everybody. A number is the rank of a candidate."
        + (" Green: the known lesion." if case.lesion is not None else ""),
        f"Maximum-intensity projections of the anomaly map of {case.name}.",
    )


def _native_words(case: Case) -> list[str]:
    if not case.native_labels:
        return []
    return [
        f"Open {case.native_labels} over the raw T1 in any viewer to see the candidates in the patient's own space."
    ]


def _candidate(
    cluster: Cluster, change: float | None, layers: Sequence[Layer], findings: Findings, grid: Grid
) -> Section:
    picture = Picture(
        planes(layers, findings.mask, grid, cluster.peak_mm, outlined=findings.labels == cluster.rank),
        f"Planes through the strongest deviation at {point(cluster.peak_mm)} mm; cyan: the candidate. Is there a "
        "change of cortex or uptake within the line, and none at the same place of the other side? Left of the "
        "picture: left of the patient.",
        f"Candidate {cluster.rank} outlined in three planes.",
    )
    return Section(f"Candidate {cluster.rank}: {place(cluster)}", [candidate_words(cluster, change), picture])


def _viewer(case: Case, layers: Sequence[Layer], findings: Findings, grid: Grid) -> Viewer:
    outlined: list[tuple[str, str, NDArray]] = [("candidates", "cyan", findings.labels)]
    if case.lesion is not None:
        outlined.append(("known lesion", LESION_COLOUR, case.lesion))
    return make_viewer(
        [*layers, z_layer(findings.z)],
        findings.mask,
        grid,
        outlined=outlined,
        places=[(f"Candidate {c.rank}: {place(c)}", c.peak_mm) for c in findings.clusters],
        caption=f"{', '.join(layer.title for layer in layers)} and anomaly map at the same place. Click into a picture "
        "or use the sliders; the wheel (after a click) and the keys page up and page down go through the slices, arrow "
        "keys move the crosshair. Any image can be laid over the T1. A lesion should be seen in neighbouring slices "
        "and in more than one plane.",
    )
