"""What stands on the page about one person in words and tables."""

from collections.abc import Mapping, Sequence

import numpy as np

from synthpet.cohort import Grid
from synthpet.report.html import Table
from synthpet.template.regions import named_regions
from uad.findings.clusters import COLUMNS, Cluster
from uad.findings.records import Findings
from uad.findings.threshold import Calibration
from uad.patient.native import NATIVE_COLUMNS, NativePlace
from uad.scores.lesions import Detection

UNTESTED_SHARE = 0.2  # a region is named as not tested from this share of its grey matter
PET_WORDS = {"hypo": "lower", "hyper": "higher"}


def result_words(clusters: Sequence[Cluster], calibration: Calibration) -> list[str]:
    """The result in sentences, with how often healthy people show as much."""
    n, own = calibration.n_scans, calibration.n_learned_from
    seen = f" or (in {own} cases) was made to forget" if own else ""
    healthy = f"{n} healthy control{'s' if n > 1 else ''} that the detector had never seen{seen}"
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
    none = f"{range_words(calibration)}{none}"
    return [
        f"{len(clusters)} candidate{'s' if len(clusters) > 1 else ''}. The most suspicious one: {place(clusters[0])}, "
        f"{clusters[0].volume_mm3 / 1000:.1f} cm³, mean z {clusters[0].mean_z:.1f}.",
        f"What this is worth: {healthy} have {rate:.1f} candidates each on average at the same threshold{none}. Some "
        "or all of the candidates here may therefore be normal. Look at them in the order of their rank, and ask "
        "whether each fits the seizures and the other examinations.",
    ]


def range_words(calibration: Calibration) -> str:
    """Within which limits the number of false clusters of a healthy person is known; empty: with a single control."""
    limits = calibration.left_out_interval
    return "" if limits is None else f" (95 % interval {limits.low:.1f} to {limits.high:.1f})"


def control_words(calibration: Calibration) -> str:
    """Which controls the threshold rests on."""
    own, n = calibration.n_learned_from, calibration.n_scans
    return f"{n} controls ({n - own} held out, {own} left out one by one)" if own else f"{n} held-out controls"


def known_words(found: Detection | None) -> list[str]:
    """Whether the known lesion was found, and by which candidate."""
    if found is None:
        return []
    if not found.detected:
        return [f"Known lesion ({found.lesion_site}): missed, no candidate touches it."]
    strict = "" if found.detected_strict else " No candidate that touches it is also centred within 10 mm of it."
    return [f"Known lesion ({found.lesion_site}): found, touched by candidate {found.rank}.{strict}"]


def place(cluster: Cluster) -> str:
    """Where a cluster lies, in words."""
    return cluster.region if cluster.side == "midline" else f"{cluster.side} {cluster.region}"


def candidates_table(
    clusters: Sequence[Cluster], changes: Sequence[float | None], native: Sequence[NativePlace] = ()
) -> Table:
    """The ranked candidates.

    Args:
        clusters: by rank.
        changes: of each one's PET against the controls' mean, percent.
        native: their places in the person's own T1.
    """
    own = ("Peak in own T1, mm",) if native else ()
    header = (
        "Candidate", "Side", "Regions", "Peak x y z, mm", "Centre x y z, mm", *own, "Volume, mm³", "Mean z",
        "z in T1", "z in PET", "PET", "PET change, %", "Asymmetry, %",
    )  # fmt: skip
    rows = [
        [
            str(c.rank),
            c.side,
            c.regions,
            point(c.peak_mm),
            point(c.centre_mm),
            *([point(native[k].peak_mm)] if native else []),
            f"{c.volume_mm3:.0f}",
            f"{c.mean_z:.1f}",
            _signed(c.mean_t1w_z),
            _signed(c.mean_pet_z),
            c.pet_direction or "–",
            _percent(changes[k]),
            _percent(c.asymmetry_percent),
        ]
        for k, c in enumerate(clusters)
    ]
    caption = (
        "Candidates by rank, 1 is the most suspicious. Millimetres are MNI template coordinates (x grows to the "
        "right). hypo: less uptake than normal, hyper: more. PET change: against the mean of the controls in the same "
        "voxels. Asymmetry: against the same place of the other side; negative: less."
        + (" Own T1: scanner coordinates (RAS+) of the raw image, as a viewer shows them." if native else "")
    )
    return Table(header, rows, caption)


def candidate_words(cluster: Cluster, change: float | None) -> str:
    """One candidate in sentences; ``change``: of its PET against the controls' mean, percent."""
    words = [f"{cluster.volume_mm3 / 1000:.1f} cm³, mean z {cluster.mean_z:.1f}, at most {cluster.peak_z:.1f}."]
    if cluster.mean_pet_z is not None and cluster.pet_direction is not None:
        direction = PET_WORDS[cluster.pet_direction]
        words.append(f"PET uptake is {direction} than normal (z {cluster.mean_pet_z:+.1f}).")
    if change is not None:
        words.append(f"It is {_compared(change)} than the controls' mean.")
    if cluster.asymmetry_percent is not None:
        words.append(f"It is {_compared(cluster.asymmetry_percent)} than at the same place of the other side.")
    if cluster.mean_t1w_z is not None:
        words.append(
            f"The T1 alone {'deviates too' if abs(cluster.mean_t1w_z) >= 2 else 'does not stand out'} (z "
            f"{cluster.mean_t1w_z:+.1f})."
        )
    return " ".join(words)


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


def settings_table(settings: Mapping[str, str]) -> list[Table]:
    """What determined the result, by name; nothing if nothing is known."""
    caption = "All parameters, versions and SHA-256 hashes stand at the end of the page, under Provenance."
    return [Table(("setting", "value"), list(settings.items()), caption, prose=True)] if settings else []


def definitions(*, native: bool) -> Table:
    """What the columns of clusters.tsv mean; ``native``: with places in the person's own T1."""
    columns = {**COLUMNS, **(NATIVE_COLUMNS if native else {})}
    return Table(("in clusters.tsv", "meaning"), list(columns.items()), "Every column of clusters.tsv.", prose=True)


def point(xyz: Sequence[float]) -> str:
    """A place in whole millimetres: x y z."""
    return " ".join(f"{x + 0.0:.0f}" for x in np.round(xyz))


def _compared(percent: float) -> str:
    return f"{abs(percent):.0f} % {'less' if percent < 0 else 'more'}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.0f}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"
