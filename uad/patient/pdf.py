"""The patient's page on one sheet of paper: what stands out, where, and what it may and may not mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synthpet.cohort import Grid
from synthpet.cohort.files import sha256, write_bytes, write_text
from synthpet.report.html import RESEARCH_USE, Page
from synthpet.report.sheet import HEIGHT, LEADING, Block, Box, Sheet, paragraph, pdf, table, wrapped, write_at
from synthpet.report.viewer import Layer
from uad.findings.clusters import Cluster
from uad.findings.health import Health
from uad.findings.records import CalibratedDetector, Findings
from uad.findings.threshold import Calibration
from uad.patient.page import change_of, images_in_words
from uad.patient.pictures import Case, Shown
from uad.patient.regions import regional_words
from uad.patient.words import candidates_table, known_words, place, result_words, untested_words
from uad.pictures.figures import MIDDLE_MM, z_layer
from uad.pictures.views import View, draw_planes, draw_projections, row_height, rows_in, views_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = "report.pdf"
SETTINGS = ("Detector", "Normative set", "Threshold", "Voxels")
N_REGIONS = 3  # named
LEFT_OUT = ("Peak in own T1, mm",)  # columns of the page's table for which paper has no room
LETTERS, CAPTION = 5.5, 6.5  # sizes of letters in pictures, and above and below them
GAP, HEADING, BETWEEN = 14.0, 18.0, 4.0  # between columns of pictures, above a group with its titles, below a row
LARGE = 0.8  # of a column's width: smaller pictures are not wanted
LEAST_PICTURES, MOST_PICTURES = 200.0, 370.0
GIVE_WAY = ("untested", "regions", "remarks", "candidates", "facts", "result", "settings", "notices")
WARNING = "#fff3c4"


@dataclass(frozen=True)
class Told:
    """What the sheet says beside the case and the findings.

    Args:
        calibration: the detector's threshold.
        health: what healthy people show at it.
        page: SHA-256 of ``report.html``.
    """

    calibration: Calibration
    health: Health
    page: str


def write_report(
    folder: Path, page: Page, case: Case, findings: Findings, calibrated: CalibratedDetector
) -> list[Path]:
    """Write ``report.html`` and the sheet that names its SHA-256.

    Args:
        folder: where to.
        page: the whole page.
        case: about the person.
        findings: of the person.
        calibrated: what found them.
    """
    html = write_text(folder / "report.html", page.render())
    told = Told(calibrated.calibration, calibrated.health, sha256(html))
    return [html, write_bytes(folder / FILE, make_pdf(case, findings, told, calibrated.grid))]


def make_pdf(case: Case, findings: Findings, told: Told, grid: Grid) -> bytes:
    """One A4 page as PDF; equal input gives equal bytes.

    Args:
        case: about the person.
        findings: of the person.
        told: what else is said.
        grid: of the images.
    """
    return pdf(make_sheet(case, findings, told, grid), _title(case, findings))


def make_sheet(case: Case, findings: Findings, told: Told, grid: Grid) -> "Figure":
    """The page as a figure; arguments as for ``make_pdf``."""
    rest = "… lines that are not shown here: {n} (report.html)"
    above = {
        "title": paragraph([_title(case, findings)], 13.0, bold=True),
        "facts": paragraph(_facts(case), 7.0, least=1, rest=rest),
        "warning": paragraph([RESEARCH_USE], 8.0, bold=True, fill=WARNING),
        "notices": paragraph(_most_important_first(case.notices), 7.0, least=6, rest=rest),
        "result": paragraph(
            [*result_words(findings.clusters, told.health, told.calibration), *known_words(case.detection)],
            8.0,
            least=6,
            rest=rest,
        ),
        "remarks": paragraph(case.remarks, 7.0, least=1, rest=rest),
        "candidates": _table(case, findings, told.health),
        "regions": paragraph(_regions(case), 7.0, least=1, rest=rest),
    }
    below = {
        "untested": paragraph([f"Not tested: {' '.join(untested_words(findings, grid))}"], 6.5, least=2, rest=rest),
        "settings": paragraph([_settings(case)], 6.5, least=2, rest=rest),
        "version": paragraph([_version(told)], 6.5),
    }
    figure, room = Sheet(above, below, GIVE_WAY, LEAST_PICTURES, MOST_PICTURES).draw()
    _draw_pictures(figure, room, Shown.of(case, findings, grid))
    return figure


def _title(case: Case, findings: Findings) -> str:
    return f"Suspicious places in the {images_in_words(findings)}: {case.name}"


def _facts(case: Case) -> list[str]:
    return ["   ".join(f"{name}: {words}." for name, words in case.facts.items())] if case.facts else []


def _most_important_first(notices: Sequence[str]) -> list[str]:
    """Those that begin with a word in capitals first: they are what must not be cut."""
    return sorted(notices, key=lambda notice: not notice.split(" ")[0].strip(":").isupper())


def _table(case: Case, findings: Findings, health: Health) -> Block:
    clusters = findings.candidates
    if not clusters:
        return Block((), 0, "")
    found = candidates_table(clusters, [change_of(case, findings, cluster) for cluster in clusters], health)
    keep = [k for k, name in enumerate(found.header) if name not in LEFT_OUT]
    rows = [[str(row[k]) for k in keep] for row in found.rows]
    rest = "Candidates that are not shown here: {n} (report.html, clusters.tsv)"
    return table([found.header[k] for k in keep], rows, "Regions", least=3, rest=rest)


def _regions(case: Case) -> list[str]:
    if case.regions is None:
        return []
    strongest = "; ".join(case.regions.strongest(N_REGIONS))
    return [f"PET uptake by region: {regional_words(case.regions)[0]} Those that deviate most, z: {strongest}."]


def _settings(case: Case) -> str:
    return "   ".join(f"{name}: {case.settings[name]}." for name in SETTINGS if name in case.settings)


def _version(told: Told) -> str:
    from synthpet import __version__

    return (
        f"synthpet {__version__}. This sheet is a part of report.html (SHA-256 {told.page}), which has all places, "
        "images to scroll through, parameters and hashes."
    )


@dataclass(frozen=True)
class Group:
    """Rows of three planes under one heading: through a place, or projections."""

    heading: str
    layers: Sequence[Layer]
    cluster: Cluster | None = None
    projected: bool = False


def _draw_pictures(figure: "Figure", room: Box, shown: Shown) -> None:
    """All places at a glance on the left, the first candidate on the right; the second one if there is room."""
    views = views_of(shown.findings.mask, shown.grid, shown.case.display)
    caption = wrapped(_caption(shown), CAPTION, room.width)
    height, full = room.height - LEADING * CAPTION * len(caption) - 6, (room.width - GAP) / 2
    columns, width = _arranged(shown, lambda width: row_height(views, width), full, height)
    foot = room.bottom + room.height
    for k, column in enumerate(columns):
        top = room.bottom + room.height
        for group in column:
            tall = _height(group, row_height(views, width))
            box = Box(room.left + k * (full + GAP), top - tall, width, tall)
            _draw_group(figure, box, group, shown, views)
            top -= tall
        foot = min(foot, top)
    for line in caption:
        foot -= LEADING * CAPTION
        write_at(figure, line, room.left, foot, CAPTION, color="0.25")


def _arranged(
    shown: Shown, row: Callable[[float], float], full: float, height: float
) -> tuple[list[list[Group]], float]:
    """The two columns, and how wide their pictures are: as many as are still large."""
    for n_layers, n_candidates in ((3, 2), (3, 1), (2, 1)):
        columns = _columns(shown, n_layers, n_candidates)
        needed = max(sum(_height(group, row(full)) for group in column) for column in columns)
        letters = max(sum(_height(group, 0.0) for group in column) for column in columns)
        scale = min(1.0, (height - letters) / (needed - letters))
        if scale >= LARGE:
            break
    return columns, full * max(scale, 0.05)


def _columns(shown: Shown, n_layers: int, n_candidates: int) -> list[list[Group]]:
    findings = shown.findings
    map_layer = z_layer(np.where(findings.mask, findings.z, 0))
    layers = [*shown.measured, *shown.compared[1:]][:n_layers]
    first, *others = [
        Group(f"Candidate {c.rank}: {place(c)}", layers, c) for c in findings.candidates[:n_candidates]
    ] or [Group("The examined images", shown.measured[:n_layers])]
    glance = Group("All places at a glance", [map_layer], projected=True)
    return [[glance, *(replace(other, layers=layers[:2]) for other in others)], [first]]


def _height(group: Group, row: float) -> float:
    return HEADING + len(group.layers) * (row + BETWEEN)


def _draw_group(figure: "Figure", box: Box, group: Group, shown: Shown, views: Sequence[View]) -> None:
    findings = shown.findings
    write_at(figure, group.heading, box.left, box.bottom + box.height - CAPTION, CAPTION, weight="bold")
    inside = Box(box.left, box.bottom + BETWEEN, box.width, box.height - HEADING - BETWEEN)
    rows = rows_in(figure, inside.share, len(group.layers), views, BETWEEN / HEIGHT)
    if group.projected:
        n_bold = len(findings.candidates)
        draw_projections(
            rows[0], views, group.layers[0], findings.labels, shown.case.lesion, findings.mask, n_bold, LETTERS
        )
    else:
        at, outlined = MIDDLE_MM, findings.mask
        if group.cluster is not None:
            at, outlined = group.cluster.peak_mm, findings.labels == group.cluster.rank
        draw_planes(rows, views, group.layers, shown.grid, at, outlined=outlined, size=LETTERS)


def _caption(shown: Shown) -> str:
    compared = shown.compared[1:] if shown.findings.candidates else []
    layers = [*shown.measured, *compared, z_layer(shown.findings.z)]
    scales = "; ".join(f"{layer.unit} {layer.shown[0]:g} to {layer.shown[1]:g}" for layer in layers)
    lesion = " Green: the known lesion." if shown.case.lesion is not None else ""
    return (
        f"{shown.case.display.sides()} Cyan or black line: the candidate, or the brain mask. A number is a rank, small "
        f"and grey that of a weaker place.{lesion} Scales: {scales}."
    )
