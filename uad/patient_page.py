"""The page about one person: what stands out, where, and what it may and may not mean."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, Grid
from synthpet.regions import named_regions
from synthpet.report.html import Page, Picture, Section, Table
from uad.calibration import Calibration
from uad.clusters import COLUMNS, Cluster
from uad.detection import Detection
from uad.figures import Layer, pet_layer, planes, projections, t1w_layer
from uad.native_space import NATIVE_COLUMNS, NativePlace
from uad.normative import NormativeSet
from uad.patient import Findings

UNTESTED_SHARE = 0.2  # a region is named as not tested from this share of its grey matter
PET_WORDS = {"hypo": "lower", "hyper": "higher"}


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
    """

    name: str
    notices: Sequence[str]
    remarks: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    lesion: NDArray[np.bool_] | None = None
    detection: Detection | None = None
    native: Sequence[NativePlace] = ()


def make_page(case: Case, findings: Findings, calibration: Calibration, grid: Grid, picture: bytes) -> Page:
    """Put the page together.

    Args:
        case: about the person.
        findings: of the person.
        calibration: of the detector, for how often healthy people show as much.
        grid: of the images.
        picture: the projections, from ``projections_of``.
    """
    sections = [
        Section("Result", [*result_words(findings.clusters, calibration), *case.remarks, *_known(case)]),
        Section("First check: are these the right images?", (), (), [_inputs(findings, grid)]),
    ]
    overview = Picture(
        picture,
        "The strongest deviation along each line of sight, seen from above, from the front and from the side; brighter "
        "is more suspicious, on the same scale for everybody. A number is the rank of a candidate."
        + (" Cyan: the known lesion." if case.lesion is not None else ""),
        f"Maximum-intensity projections of the anomaly map of {case.name}.",
    )
    if findings.clusters:
        sections.append(
            Section("Candidates", _table_words(case), [candidates_table(findings.clusters, case.native)], [overview])
        )
        sections += [_candidate(cluster, findings, grid) for cluster in findings.clusters]
    else:
        sections.append(Section("The anomaly map", (), (), [overview]))
    sections += [
        Section("What was not tested", untested_words(findings, grid)),
        Section("What the columns mean", (), [_definitions(case)]),
    ]
    images = "T1 alone" if findings.pet is None else "T1 and PET"
    return Page(f"Suspicious places in the {images}: {case.name}", sections, case.notices, case.provenance)


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
    n, n_synthetic = len(normative.members), sum(member.synthetic for member in normative.members)
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
    return found


def result_words(clusters: Sequence[Cluster], calibration: Calibration) -> list[str]:
    """The result in sentences, with how often healthy people show as much."""
    n = calibration.n_scans
    healthy = f"{n} healthy control{'s' if n > 1 else ''} that the detector had never seen"
    empty = calibration.left_out_empty
    if not clusters:
        often = "" if empty is None else f" Of {healthy}, {100 * empty:.0f} % have no candidate either."
        return [
            "No candidate. Nothing in these images deviates from the controls by more than the threshold over a large "
            f"enough volume.{often}",
            "This does not rule out a lesion: it may be smaller or fainter than this method can see, or lie where it "
            "does not look.",
        ]
    rate = calibration.achieved if calibration.left_out is None else calibration.left_out
    none = "" if empty is None else f", and {100 * empty:.0f} % of them have none"
    return [
        f"{len(clusters)} candidate{'s' if len(clusters) > 1 else ''}. The most suspicious one: {place(clusters[0])}, "
        f"{clusters[0].volume_mm3 / 1000:.1f} cm³, mean z {clusters[0].mean_z:.1f}.",
        f"What this is worth: {healthy} have {rate:.1f} candidates each on average at the same threshold{none}. Some "
        "or all of the candidates here may therefore be normal. Look at them in the order of their rank, and ask "
        "whether each fits the seizures and the other examinations.",
    ]


def place(cluster: Cluster) -> str:
    """Where a cluster lies, in words."""
    return cluster.region if cluster.side == "midline" else f"{cluster.side} {cluster.region}"


def candidates_table(clusters: Sequence[Cluster], native: Sequence[NativePlace] = ()) -> Table:
    """The ranked candidates; ``native``: their places in the person's own T1."""
    own = ("Peak in own T1, mm",) if native else ()
    header = (
        "Rank", "Side", "Region (mm to it)", "Peak x y z, mm", "Centre x y z, mm", *own, "Volume, mm³", "Mean z",
        "z in T1", "z in PET", "PET", "Asymmetry, %",
    )  # fmt: skip
    rows = [
        [
            str(c.rank),
            c.side,
            f"{c.region} ({c.region_distance_mm:.0f})",
            _point(c.peak_mm),
            _point(c.centre_mm),
            *([_point(native[k].peak_mm)] if native else []),
            f"{c.volume_mm3:.0f}",
            f"{c.mean_z:.1f}",
            _signed(c.mean_t1w_z),
            _signed(c.mean_pet_z),
            c.pet_direction or "–",
            "–" if c.asymmetry_percent is None else f"{c.asymmetry_percent:+.0f}",
        ]
        for k, c in enumerate(clusters)
    ]
    caption = (
        "Candidates by rank. Millimetres are MNI template coordinates (x grows to the right). hypo: less uptake than "
        "normal, hyper: more."
        + (" Own T1: scanner coordinates (RAS+) of the raw image, as a viewer shows them." if native else "")
    )
    return Table(header, rows, caption)


def untested_words(findings: Findings, grid: Grid) -> list[str]:
    """How much of the brain has no judgement, and in which regions."""
    voxel_cm3, untested = float(np.prod(grid.spacing_mm)) / 1000, findings.untested
    words = [
        f"{untested.sum() * voxel_cm3:.1f} cm³ of the brain ({100 * untested.sum() / findings.mask.sum():.1f} %) were "
        "not judged: fewer than half of the controls have brain there, the PET does not reach there, or the detector "
        "does not look there. Nothing outside the brain mask was judged."
    ]
    regions = named_regions(grid)
    here, missed = (
        np.bincount(regions.labels[where], minlength=len(regions.names) + 1)[1:] for where in (findings.mask, untested)
    )
    share = missed / np.maximum(here, 1)
    missing = [f"{name} ({100 * s:.0f} %)" for name, s in zip(regions.names, share, strict=True) if s > UNTESTED_SHARE]
    if missing:
        words.append(
            f"Regions of which more than {100 * UNTESTED_SHARE:.0f} % of the grey matter was not judged: "
            f"{', '.join(missing)}."
        )
    return words


def provenance(manifest: Mapping[str, Any], **own: Any) -> dict[str, str]:
    """Parameters, versions and hashes as text, for the foot of a page.

    Args:
        manifest: of the calibration.
        own: what else made the page: configuration, hashes.
    """
    from synthpet import __version__

    without_time = {key: value for key, value in manifest.items() if key != "seconds"}
    content = {"This page": {"synthpet": __version__, **own}, "Manifest of the calibration": without_time}
    return {name: json.dumps(found, indent=1, default=str, ensure_ascii=False) for name, found in content.items()}


def _known(case: Case) -> list[str]:
    found = case.detection
    if found is None:
        return []
    if not found.detected:
        return [f"Known lesion ({found.lesion_site}): missed, no candidate touches it."]
    strict = "" if found.detected_strict else " No candidate that touches it is also centred within 10 mm of it."
    return [f"Known lesion ({found.lesion_site}): found, touched by candidate {found.rank}.{strict}"]


def _inputs(findings: Findings, grid: Grid) -> Picture:
    same = "" if findings.pet is None else "Both images must show the same brain in the same place. "
    return Picture(
        planes(_layers(findings), findings.mask, grid, outlined=findings.mask),
        "What was examined, with the outline of the brain mask. The left of the picture is the left of the patient "
        f"(L), as neurologists show it and not as radiologists do. {same}The outline must follow the brain; otherwise "
        "disregard this page.",
        "The examined images in three planes with the outline of the brain mask.",
    )


def _layers(findings: Findings) -> list[Layer]:
    pet = [] if findings.pet is None else [pet_layer(findings.pet * findings.mask)]  # no face may be recognised
    return [t1w_layer(findings.t1w), *pet]


def _candidate(cluster: Cluster, findings: Findings, grid: Grid) -> Section:
    picture = Picture(
        planes(_layers(findings), findings.mask, grid, cluster.peak_mm, outlined=findings.labels == cluster.rank),
        f"Planes through the strongest deviation at {_point(cluster.peak_mm)} mm; cyan: the candidate. Left of the "
        "picture: left of the patient.",
        f"Candidate {cluster.rank} outlined in three planes.",
    )
    return Section(f"Candidate {cluster.rank}: {place(cluster)}", [_candidate_words(cluster)], (), [picture])


def _candidate_words(cluster: Cluster) -> str:
    words = [f"{cluster.volume_mm3 / 1000:.1f} cm³, mean z {cluster.mean_z:.1f}, at most {cluster.peak_z:.1f}."]
    if cluster.mean_pet_z is not None and cluster.pet_direction is not None:
        direction = PET_WORDS[cluster.pet_direction]
        words.append(f"PET uptake is {direction} than normal (z {cluster.mean_pet_z:+.1f}).")
    if cluster.asymmetry_percent is not None:
        less = "less" if cluster.asymmetry_percent < 0 else "more"
        words.append(f"It is {abs(cluster.asymmetry_percent):.0f} % {less} than at the same place of the other side.")
    if cluster.mean_t1w_z is not None:
        words.append(
            f"The T1 alone {'deviates too' if abs(cluster.mean_t1w_z) >= 2 else 'does not stand out'} (z "
            f"{cluster.mean_t1w_z:+.1f})."
        )
    return " ".join(words)


def _table_words(case: Case) -> list[str]:
    words = [
        "z says how many standard deviations a place lies from the controls. Region names are approximate: the number "
        "in brackets is the distance to the nearest labelled point of that region."
    ]
    if case.native:
        words.append(
            f"Open {case.name}_space-T1w_desc-clusters_dseg.nii.gz over the raw T1 in any viewer to see the candidates "
            "in the patient's own space."
        )
    return words


def _definitions(case: Case) -> Table:
    columns = {**COLUMNS, **(NATIVE_COLUMNS if case.native else {})}
    return Table(("in clusters.tsv", "meaning"), list(columns.items()), "Every column of clusters.tsv.", prose=True)


def _point(xyz: Sequence[float]) -> str:
    return " ".join(f"{x + 0.0:.0f}" for x in np.round(xyz))


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"
