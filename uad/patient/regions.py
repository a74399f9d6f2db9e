"""PET uptake by gyrus and nucleus on each side: a person against the controls, in a table, words and a picture."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid
from synthpet.report.display import Display
from synthpet.report.html import Part, Picture, Table
from synthpet.statistics.single_case import SingleCase, against_controls
from synthpet.template.gyri import gyrus_points
from uad.findings.records import Findings
from uad.normative.regional import FEWEST_MEASURED, LEAST_SHARE, SMALLEST_MM3, RegionalControls, regional_suvr
from uad.pictures.regional import regional_map

FAR = 2.0  # |z| from which a region is counted
SHOWN = 12  # regions on the page
SIDES = ("left", "right")
COLUMNS = {
    "region": "gyrus or nucleus of the template's grey matter; approximate. Regions whose z or asymmetry deviates most "
    "come first",
    "side": "left or right",
    "suvr": "mean PET of the region within the brain mask, SUVR",
    "controls_mean": "mean of the controls' means",
    "controls_sd": "their sample standard deviation",
    "n_controls": f"how many controls' brain mask and PET cover {100 * LEAST_SHARE:.0f} % of the region or more",
    "change_percent": "100 (suvr / controls_mean - 1); negative: less uptake than the controls",
    "z": "Crawford-Howell t of one person against n_controls controls, as z; negative: less",
    "asymmetry_percent": "200 (L - R) / (L + R) of the region, the same in both rows; negative: less on the left",
    "asymmetry_z": "the same against the controls' asymmetries; negative: less on the left than is usual",
}


@dataclass(frozen=True)
class RegionSide:
    """One region on one side; ``COLUMNS`` defines the fields. None: too few controls, or none who differ."""

    region: str
    side: str
    suvr: float
    controls_mean: float | None
    controls_sd: float | None
    n_controls: int
    change_percent: float | None
    z: float | None
    asymmetry_percent: float | None
    asymmetry_z: float | None


@dataclass(frozen=True)
class RegionalUptake:
    """A person's uptake by region.

    Args:
        rows: the regions that deviate most first, left before right; regions that are not covered are left out.
        z: (regions, 2), left and right, in the order of ``gyrus_points().names``; NaN: not judged.
        usual: (n,), of how many regions ``|z|`` is above ``FAR`` in each control, compared with the others; empty: too
            few controls.
        n_controls: who is compared with.
        measured: whether nobody's PET is synthetic.
    """

    rows: tuple[RegionSide, ...]
    z: NDArray[np.float64]
    usual: NDArray[np.int64]
    n_controls: int
    measured: bool

    def strongest(self, n: int) -> list[str]:
        """The n regions that deviate most, each with its z: ``insula left -2.1, right +0.3, asymmetry -2.6``."""
        words: dict[str, list[str]] = {}
        for row in self.rows:
            words.setdefault(row.region, []).append(f"{row.side} {_signed(row.z)}")
        asymmetry = {row.region: _signed(row.asymmetry_z) for row in self.rows}
        return [f"{name} {', '.join(sides)}, asymmetry {asymmetry[name]}" for name, sides in words.items()][:n]

    def table(self) -> list[dict[str, Any]]:
        """The rows of ``regions.tsv``."""
        return [asdict(row) for row in self.rows]


def regional_uptake(findings: Findings, controls: RegionalControls | None, grid: Grid) -> RegionalUptake | None:
    """Compare a person's PET with the controls' region by region.

    None: there is no PET, no control with one, or no region that is covered.

    Args:
        findings: of the person.
        controls: from ``regional_controls``.
        grid: of the images, in template space.
    """
    if findings.pet is None or controls is None or not len(controls.suvr):
        return None
    suvr = regional_suvr(findings.pet, findings.mask, grid)
    if np.isnan(suvr).all():
        return None
    own, both = against_controls(suvr, controls.suvr), asymmetry_percent(suvr)
    sides = against_controls(both, asymmetry_percent(controls.suvr))
    strongest = np.nanmax(np.abs(np.column_stack([np.nan_to_num(own.z), np.nan_to_num(sides.z)])), axis=1)
    rows = [
        _row(k, side, suvr, own, (both, sides.z))
        for k in np.argsort(-strongest, kind="stable")
        for side in (0, 1)
        if np.isfinite(suvr[k, side])
    ]
    return RegionalUptake(tuple(rows), own.z, usually_far(controls.suvr), len(controls.suvr), controls.measured)


def asymmetry_percent(suvr: NDArray[np.float64]) -> NDArray[np.float64]:
    """200 (L - R) / (L + R) of (..., 2) means, left and right: (...), NaN where a side is missing."""
    left, right = suvr[..., 0], suvr[..., 1]
    total = left + right
    return np.where(total > 0, 200 * (left - right) / np.where(total > 0, total, 1.0), np.nan)


def usually_far(controls: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of how many regions ``|z|`` is above ``FAR`` in each control, compared with the others: (n,), or (0,).

    Args:
        controls: (n, regions, 2), SUVR.
    """
    if len(controls) < 3:
        return np.zeros(0, np.int64)
    others = (np.delete(controls, k, axis=0) for k in range(len(controls)))
    return np.array([_n_far(against_controls(own, rest).z) for own, rest in zip(controls, others, strict=True)])


def regional_parts(found: RegionalUptake | None, display: Display) -> list[Part]:
    """What the page shows: words, the map and the regions that deviate most; nothing without a PET."""
    if found is None:
        return []
    picture = Picture(
        regional_map(found.z, display),
        "Each region in the colour of its z, on the same scale for everybody; blue: less uptake than the controls, "
        "red: more, dark grey: not judged, light grey: no grey matter. Is there a group of blue neighbours on one side "
        f"only? {display.sides()}",
        "Axial and coronal slices of the template with each region coloured by its z.",
    )
    return [*regional_words(found), picture, _table(found)]


def regional_words(found: RegionalUptake) -> list[str]:
    """How many regions deviate, how many do in the controls, and what limits the comparison."""
    judged = int(np.isfinite(found.z).sum())
    whom = "controls with measured PET" if found.measured else "controls, PET of some of them synthetic"
    if not judged:
        return [f"No region was judged: {found.n_controls} {whom} are too few, or do not differ."]
    words = [
        f"{_n_far(found.z)} of {judged} regions lie beyond |z| = {FAR:g} in this person, against {found.n_controls} "
        f"{whom}.{_usual_words(found)}"
    ]
    if not found.measured:
        words.append(
            f"Fewer than {FEWEST_MEASURED} controls have a measured PET. Synthetic PET differs less between people "
            "than measured PET does: these z are too large."
        )
    return words


def _usual_words(found: RegionalUptake) -> str:
    if not found.usual.size:
        return ""
    return (
        f" In these controls, each compared with the others, {found.usual.mean():.1f} do on average "
        f"({found.usual.min()} to {found.usual.max()}). A single region beyond it is therefore usual; the mean of a "
        "region hides a lesion that is much smaller."
    )


def _table(found: RegionalUptake) -> Table:
    header = ("Region", "Left, SUVR", "Left, z", "Right, SUVR", "Right, z", "Asymmetry, %", "Asymmetry, z")
    names = list(dict.fromkeys(row.region for row in found.rows))
    by_place = {(row.region, row.side): row for row in found.rows}
    rows = [_cells(name, [by_place.get((name, side)) for side in SIDES]) for name in names[:SHOWN]]
    rest = f" The other {len(names) - SHOWN} are in regions.tsv." if len(names) > SHOWN else ""
    caption = (
        f"The {min(SHOWN, len(names))} regions that deviate most, by the largest |z| of left, right and asymmetry."
        f"{rest} SUVR: mean over the region's grey matter in the template, within this brain mask. Asymmetry: "
        "200 (L - R) / (L + R); negative: less on the left. z: against the controls (Crawford-Howell). Left out: "
        f"regions of less than {SMALLEST_MM3 / 1000:g} cm³, and those of which the PET or the mask covers less than "
        f"{100 * LEAST_SHARE:.0f} %."
    )
    return Table(header, rows, caption)


def _cells(name: str, sides: Sequence[RegionSide | None]) -> list[str]:
    either = next(row for row in sides if row is not None)
    cells = [cell for row in sides for cell in (("–", "–") if row is None else (f"{row.suvr:.2f}", _signed(row.z)))]
    return [name, *cells, _signed(either.asymmetry_percent), _signed(either.asymmetry_z)]


def _row(
    k: int, side: int, suvr: NDArray[np.float64], own: SingleCase, asymmetry: tuple[NDArray[np.float64], ...]
) -> RegionSide:
    value, mean = float(suvr[k, side]), float(own.mean[k, side])
    percent, asymmetry_z = (_known(values[k]) for values in asymmetry)
    return RegionSide(
        region=gyrus_points().names[k],
        side=SIDES[side],
        suvr=value,
        controls_mean=_known(mean),
        controls_sd=_known(own.sd[k, side]),
        n_controls=int(own.n[k, side]),
        change_percent=_known(100 * (value / mean - 1) if mean > 0 else np.nan),
        z=_known(own.z[k, side]),
        asymmetry_percent=percent,
        asymmetry_z=asymmetry_z,
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _n_far(z: NDArray[np.float64]) -> int:
    return int((np.abs(z) > FAR).sum())  # NaN is not


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"
