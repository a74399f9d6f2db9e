"""The comparison of simulated with real people on disk: two tables and a page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Drawing

from synthpet.cohort.files import write_text, write_tsv
from synthpet.phantom.options import PhantomOptions, PhantomStudy
from synthpet.phantom.realism.compare import TOLERANCE, Figure, compare
from synthpet.phantom.realism.people import RESOLUTION_MM, plans, see
from synthpet.phantom.realism.uptake import regional_table
from synthpet.phantom.template import load_template
from synthpet.report.assemble import Parts, assemble
from synthpet.report.figures import CYCLE, png
from synthpet.report.html import Page, Picture, Table
from synthpet.runtime.compute import Compute, in_processes
from synthpet.runtime.console import progress, say
from synthpet.runtime.stage import Stage
from synthpet.template.regions import grey_matter

PAIRS = (("sd", "SD between people"), ("mirror", "correlation with the mirror image"),
         ("asymmetry_sd", "SD of left minus right"), ("slope_decade", "change per decade"))  # fmt: skip
REGION_WORDS = {
    "sd": "SD", "sd_real": "real", "mirror": "mirror r", "mirror_real": "real ", "asymmetry_sd": "left - right SD",
    "asymmetry_sd_real": "real  ", "slope_decade": "per decade", "slope_decade_real": "real   ",
}  # fmt: skip
LIMITS = """How uptake differs within a region, and how alike the two sides are in that, is not known from regional
means: the phantom's figures for it are assumptions (`DETAIL` in synthpet/phantom/metabolism.py). Sex, disease and
medication are not in these people. Anatomy is compared with 15 people of one scanner."""


def ensure_realism(study: PhantomStudy) -> Path:
    """Simulate healthy people who belong to no cohort, compare them with real ones; return the page."""
    options, counts = study.people, study.realism_people
    folder = study.paths.realism(options.anatomy)
    config = {"seed": options.seed, "anatomy": options.anatomy, "people": counts}
    stage = Stage("comparison with real people", folder, config)
    stage.ensure(lambda: _write(folder, replace(options, n_patients=0), counts, study.compute))
    say(f"written: {folder / 'report.html'}")
    return folder / "report.html"


def _write(folder: Path, options: PhantomOptions, counts: Sequence[int], compute: Compute) -> list[Path]:
    template = load_template(RESOLUTION_MM)
    n_young, n_old = counts
    wanted = plans(n_young, n_old, options.seed)
    work = partial(see, template=template, options=options)
    made = in_processes(work, wanted, compute, name=lambda plan: plan[0].participant_id)
    found = {plan.participant_id: seen for (plan, _), seen in progress(made, "simulating people", len(wanted))}
    people = [found[plan.participant_id] for plan, _ in wanted]
    figures = compare(people, options.anatomy, grey_matter(template.grid))
    regions = regional_table(people)
    for figure in figures:
        say(f"  {figure.name}: {figure.simulated:.3g}" + ("" if figure.real is None else f", real {figure.real:.3g}"))
    rows = [{**vars(figure), "held": "n/a" if figure.held is None else figure.held} for figure in figures]
    page = make_page(figures, regions, options.anatomy, counts)
    return [
        write_tsv(folder / "figures.tsv", rows, ("name", "simulated", "real", "held", "source")),
        write_tsv(folder / "regions.tsv", regions, tuple(regions[0])),
        write_text(folder / "report.html", page.render()),
    ]


def make_page(
    figures: Sequence[Figure], regions: Sequence[Mapping[str, Any]], anatomy: str, counts: Sequence[int]
) -> Page:
    """The page of both tables."""
    held = [figure for figure in figures if figure.held is not None]
    missed = [figure.name for figure in held if not figure.held]
    summary = (
        f"{sum(counts)} simulated healthy people, {counts[0]} of 18 to 49 years and {counts[1]} older, as "
        f"{'SyN leaves' if anatomy == 'syn' else 'an affine registration leaves'} them: {len(held) - len(missed)} of "
        f"{len(held)} held figures agree with those of real people."
    )
    table = Table(
        ("figure", "simulated", "real people", "", "whose"),
        [
            (f.name, f"{f.simulated:.3g}", "" if f.real is None else f"{f.real:.3g}",
             {True: "held", False: "missed", None: ""}[f.held], f.source)
            for f in figures
        ],
        "Simulated people beside real ones.",
        prose=True,
    )  # fmt: skip
    columns = tuple(regions[0])
    by_region = Table(
        [REGION_WORDS.get(column, column) for column in columns],
        [(str(row["region"]), *(_number(row[c]) for c in columns[1:])) for row in regions],
        "Each region, both sides together; real figures: hedyPET.",
    )
    parts: Parts = {
        "summary": [summary, *([f"Missed: {'; '.join(missed)}."] if missed else [])],
        "figures": table, "scatter": _scatter(regions), "regions": by_region, "limits": LIMITS,
    }  # fmt: skip
    words = {"anatomy": anatomy, "tolerance": f"{TOLERANCE:.0%}"}
    return assemble(__package__, "page.yaml", parts, words, ["SIMULATED: nobody here is a real person."])


def _number(value: Any) -> str:
    return "n/a" if math.isnan(value) else f"{value:.3f}"


def _scatter(regions: Sequence[Mapping[str, Any]]) -> Picture:
    drawing = Drawing(figsize=(11, 3.2), layout="constrained")
    for axes, (key, words) in zip(drawing.subplots(1, len(PAIRS)), PAIRS, strict=True):
        real, simulated = ([row[name] for row in regions] for name in (f"{key}_real", key))
        axes.scatter(real, simulated, s=12, color=CYCLE[0])
        ends = [min(*axes.get_xlim(), *axes.get_ylim()), max(*axes.get_xlim(), *axes.get_ylim())]
        axes.plot(ends, ends, color="#999999", linewidth=1)
        axes.set(title=words, xlabel="real", ylabel="simulated", xlim=ends, ylim=ends)
    alt = "Four scatter plots of simulated against real figures, a point a region, near the line of equality."
    return Picture(png(drawing), "A point a region; grey: equality.", alt)
