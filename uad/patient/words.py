"""What stands on the page about one person in words and tables."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from synthpet.cohort import Grid
from synthpet.report.html import Table
from synthpet.template.regions import named_regions
from uad.findings.clusters import COLUMNS, Cluster
from uad.findings.health import Health
from uad.findings.records import Findings
from uad.findings.threshold import Calibration
from uad.patient.native import NATIVE_COLUMNS, NativePlace
from uad.scores.lesions import Detection

UNTESTED_SHARE = 0.2  # a region is named as not tested from this share of its grey matter
PET_WORDS = {"hypo": "lower", "hyper": "higher"}


class Change(NamedTuple):
    """A cluster's mean PET in percent of what it is compared with, negative: less; None: nothing to compare with.

    Args:
        expected: from the person's own T1.
        controls: their mean in the same voxels.
    """

    expected: float | None
    controls: float | None


def result_words(clusters: Sequence[Cluster], health: Health, calibration: Calibration) -> list[str]:
    """The result in sentences, with how often healthy people show as much.

    Args:
        clusters: of the person, by rank.
        health: what the strongest cluster of each control is.
        calibration: of the threshold.
    """
    candidates = [cluster for cluster in clusters if cluster.candidate]
    weaker = _weaker_words(len(clusters) - len(candidates), health, calibration)
    if not candidates:
        return [
            f"No candidate. Nothing in these images is so unusual that at most {100 * health.share:.0f} % of healthy "
            f"people show as much.{_without_words(health)}",
            *weaker,
            "This does not rule out a lesion: it may be smaller or fainter than this method can see, or lie where it "
            "does not look.",
        ]
    first = candidates[0]
    return [
        f"{len(candidates)} candidate{'s' if len(candidates) > 1 else ''}. The most suspicious one: {place(first)}, "
        f"{first.volume_mm3 / 1000:.1f} cm³, mean z {first.mean_z:.1f}. {confidence_words(first, health)}",
        f"What this is worth: {_worth(health, calibration)} Some or all of the candidates here may be normal. Look at "
        "them in the order of their rank, and ask whether each fits the seizures and the other examinations.",
        *weaker,
    ]


def confidence_words(cluster: Cluster, health: Health) -> str:
    """In how many healthy scans the strongest cluster is as strong; empty: not known."""
    n = cluster.healthy_as_strong
    if n is None:
        return ""
    low, high = (100 * limit for limit in health.interval(n))
    return (
        f"{n} of {health.n} healthy scans show{'s' if n == 1 else ''} a place as strong (95 % interval {low:.0f} to "
        f"{high:.0f} % of healthy people)."
    )


def _weaker_words(n: int, health: Health, calibration: Calibration) -> list[str]:
    if not n:
        return []
    rate = calibration.achieved if calibration.left_out is None else calibration.left_out
    return [
        f"{n} weaker place{'s' if n > 1 else ''} stand{'' if n > 1 else 's'} out as well, but more than "
        f"{100 * health.share:.0f} % of healthy people show one as strong; a healthy person has {rate:.1f} places of "
        f"any strength on average{range_words(calibration)}. They are listed under Weaker places, for whoever looks "
        "for a lesion that other examinations point to."
    ]


def _without_words(health: Health) -> str:
    if health.n == 1:
        return ""
    n = health.n - health.n_with_candidate
    return f" {n} of {health.n} healthy controls, each judged by the others, have no candidate either."


def _worth(health: Health, calibration: Calibration) -> str:
    if health.n == 1:
        return "there is a single healthy control, which says next to nothing about others."
    own = calibration.n_learned_from
    few = ""
    if health.too_few:
        few = (
            f" With so few that none of them matches a place does not show that it is rare: of healthy people 1 in "
            f"{health.n + 1} has such a place."
        )
    known = "the detector had never seen them" + (f", or, in {own} cases, was made to forget them" if own else "")
    return (
        f"{health.n_with_candidate} of {health.n} healthy controls have a candidate themselves, each judged by the "
        f"others ({known}).{few}"
    )


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
        return [f"Known lesion ({found.lesion_site}): missed, no candidate and no weaker place touches it."]
    strict = "" if found.detected_strict else " None that touches it is also centred within 10 mm of it."
    kind = "candidate" if found.candidate else "weaker place"
    return [f"Known lesion ({found.lesion_site}): found, touched by {kind} {found.rank}.{strict}"]


def place(cluster: Cluster) -> str:
    """Where a cluster lies, in words."""
    return cluster.region if cluster.side == "midline" else f"{cluster.side} {cluster.region}"


def candidates_table(
    clusters: Sequence[Cluster], changes: Sequence[Change], health: Health, native: Sequence[NativePlace] = ()
) -> Table:
    """The ranked candidates, or weaker places.

    Args:
        clusters: by rank.
        changes: of each one's PET.
        health: what the strongest cluster of each control is.
        native: their places in the person's own T1.
    """
    own = ("Peak in own T1, mm",) if native else ()
    expected = any(change.expected is not None for change in changes)
    header = (
        "Rank", "Side", "Regions", "Healthy scans as strong", "Volume, cm³", "Mean z",
        *(("PET against expected, %",) if expected else ()), "PET against controls, %", "Asymmetry, %", "z in T1",
        "Peak x y z, mm", *own,
    )  # fmt: skip
    rows = [
        [
            str(c.rank),
            c.side,
            c.regions,
            "–" if c.healthy_as_strong is None else f"{c.healthy_as_strong} of {health.n}",
            f"{c.volume_mm3 / 1000:.1f}",
            f"{c.mean_z:.1f}",
            *([_percent(change.expected)] if expected else []),
            _percent(change.controls),
            _percent(c.asymmetry_percent),
            _signed(c.mean_t1w_z),
            point(c.peak_mm),
            *([point(place_.peak_mm)] if place_ else []),
        ]
        for c, change, place_ in zip_longest(clusters, changes, native)
    ]
    caption = (
        "By rank, 1 is the most suspicious. Healthy scans as strong: controls whose strongest place is as strong or "
        "stronger; 0 is the rarest. Percent: mean uptake "
        + ("against the PET expected from the T1, " if expected else "")
        + "against the mean of the controls in the same voxels, and against the same place of the other side; "
        "negative: less. Millimetres are MNI template coordinates (x grows to the right)."
        + (" Own T1: scanner coordinates (RAS+) of the raw image, as a viewer shows them." if native else "")
    )
    return Table(header, rows, caption)


def candidate_words(cluster: Cluster, change: Change, health: Health) -> str:
    """One candidate in sentences."""
    words = [f"{cluster.volume_mm3 / 1000:.1f} cm³, mean z {cluster.mean_z:.1f}, at most {cluster.peak_z:.1f}."]
    words.append(confidence_words(cluster, health))
    if cluster.mean_pet_z is not None and cluster.pet_direction is not None:
        direction = PET_WORDS[cluster.pet_direction]
        words.append(f"PET uptake is {direction} than normal (z {cluster.mean_pet_z:+.1f}).")
    if change.expected is not None:
        words.append(f"It is {_compared(change.expected)} than expected from the person's own T1.")
    if change.controls is not None:
        words.append(f"It is {_compared(change.controls)} than the controls' mean.")
    if cluster.asymmetry_percent is not None:
        words.append(f"It is {_compared(cluster.asymmetry_percent)} than at the same place of the other side.")
    if cluster.mean_t1w_z is not None:
        words.append(
            f"The T1 alone {'deviates too' if abs(cluster.mean_t1w_z) >= 2 else 'does not stand out'} (z "
            f"{cluster.mean_t1w_z:+.1f})."
        )
    return " ".join(filter(None, words))


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


def facts_table(facts: Mapping[str, str]) -> list[Table]:
    """The examination itself, by name; nothing if nothing is known."""
    caption = "The person, the PET, and how the images lie on each other."
    return [Table(("examination", ""), list(facts.items()), caption, prose=True)] if facts else []


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
