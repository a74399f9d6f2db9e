"""The table patients x normative sets with a picture behind each cell, and what the generators' own pages show."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from synthpet.report.html import Link, Picture, Table
from uad.comparison.table import Outcome

MOST_PICTURES = 900  # behind cells, 4 kB each; cells beyond are plain links
WIDE = 560  # pixels
FROM_GENERATOR = {  # pictures of a generator's page that the study shows, too
    "metrics": "Error, PSNR and SSIM of every control, beside the mean PET (baseline) and the ceiling: the synthetic "
    "PET should lie near the ceiling, in everybody.",
    "region-map": "Mean bias of each region: one colour over a lobe or a side is a systematic error.",
}


def rank_table(detector: str, columns: Mapping[str, Outcome], max_clusters: int, n_left: int) -> Table:
    """Patients in rows, normative sets in columns, in each cell the rank of the true cluster.

    Each cell has the projections of the anomaly map behind it, and leads to the patient's page where there is one,
    else to that of the evaluation.

    Args:
        detector: its name.
        columns: the outcome by normative set.
        max_clusters: clusters kept, for the shades.
        n_left: how many pictures the page still has room for.
    """
    one = next(iter(columns.values()))
    with_pictures = len(one.patients) * len(columns) <= n_left
    rows: list[Sequence[str | Link]] = [
        [
            who,
            site,
            *(_cell(detector, name, outcome, k, max_clusters, with_pictures) for name, outcome in columns.items()),
        ]
        for k, (who, site) in enumerate(zip(one.patients, one.lesion_sites, strict=True))
    ]
    found = [np.isfinite(outcome.first) for outcome in columns.values()]
    rows.append(["detected", "", *(f"{f.sum()} of {f.size}" for f in found)])
    caption = (
        f"{detector}: rank of the true cluster of each patient (first seed). Deep blue with a low number is good; "
        "missed: no candidate touches the lesion. Click a cell to see the patient's anomaly map, then use the "
        "arrow keys: does the same place stay bright when the normative set changes?"
    )
    return Table(["Patient", "Lesion", *columns], rows, caption, n_foot=1)


def _cell(detector: str, column: str, outcome: Outcome, k: int, max_clusters: int, with_picture: bool) -> str | Link:
    who, rank = outcome.patients[k], outcome.first[k]
    missed = bool(np.isnan(rank))
    text = "missed" if missed else f"{rank:.0f}"
    pages = [name for name in (f"{who}/report.html", "report.html") if (outcome.folder / name).is_file()]
    if not pages:
        return text
    shade = 0.0 if missed else 0.95 - 0.85 * float(rank - 1) / max(1, max_clusters - 1)
    picture, image = None, outcome.folder / who / f"{who}_projections.png"
    if with_picture and image.is_file():
        said = f"{who}, {outcome.lesion_sites[k]}, {detector} with {column}: "
        said += "missed." if missed else f"found at rank {rank:.0f}."
        more = " Green: the lesion; numbers: candidates by rank; brighter is more suspicious."
        picture = Picture(_smaller(image), said + more, f"Projections of the anomaly map of {who}.")
    return Link(text, f"../{outcome.folder.name}/{pages[0]}", picture, shade)


def _smaller(path: Path) -> bytes:
    """A WebP of the picture, narrow enough for hundreds on one page."""
    from PIL import Image

    image, stream = Image.open(path).convert("RGB"), io.BytesIO()
    high = round(image.height * min(1.0, WIDE / image.width))
    image.resize((min(WIDE, image.width), high)).save(stream, "WEBP", quality=45, method=2)
    return stream.getvalue()


def quality_parts(folders: Mapping[str, Path]) -> list[Link | Picture]:
    """Links to the pages of the generators that columns use, and pictures from there.

    Args:
        folders: of the synthetic images of each generator, by its name.
    """
    parts: list[Link | Picture] = []
    for gan, folder in folders.items():
        if not (folder / "report.html").is_file():
            continue
        parts.append(Link(f"All about the synthetic PET of {gan}", f"../{folder.name}/report.html"))
        for name, caption in FROM_GENERATOR.items():
            if (image := folder / "figures" / f"{name}.png").is_file():
                parts.append(Picture(image.read_bytes(), f"{gan}: {caption}", f"{name} of {gan}"))
    return parts


def generator_pictures(folders: Mapping[str, Path]) -> list[Path]:
    """The files of the pictures that ``quality_parts`` shows."""
    found = (f / "figures" / f"{name}.png" for f in folders.values() for name in FROM_GENERATOR)
    return [path for path in found if path.is_file()]
