"""Pictures of the comparison: colours and marks that are told apart with every colour vision."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from synthpet.report.html import Picture
from synthpet.statistics.intervals import wilson_interval
from uad.comparison.statistics import Settings
from uad.comparison.table import MISSED, Outcome
from uad.scores.lesions import RANKS, found_at_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, black for the reference; marks and lines differ, too
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
CELL_INCHES = (0.92, 0.34)
N_NAMES = 8  # of patients beside a rank


def make_pictures(outcomes: Mapping[str, Mapping[str, Outcome]], settings: Settings) -> dict[str, Picture]:
    """Every picture of the page, named ``<kind>-<detector>``.

    Args:
        outcomes: detector to column to outcome, of the same patients.
        settings: of the run.
    """
    pictures = {}
    for detector, columns in outcomes.items():
        pictures[f"table-{detector}"] = _table(detector, columns, settings)
        pictures[f"ranks-{detector}"] = _ranks(detector, columns, settings)
        pictures[f"sensitivity-{detector}"] = _sensitivity(detector, columns, settings)
        if any(outcome.froc is not None for outcome in columns.values()):
            pictures[f"froc-{detector}"] = _froc(detector, columns, settings)
        if any(len(outcome.ranks) > 1 for outcome in columns.values()):
            pictures[f"seeds-{detector}"] = _seeds(detector, columns)
    return pictures


def _table(detector: str, columns: Mapping[str, Outcome], settings: Settings) -> Picture:
    """The cells coloured by rank: dark is good, white and struck out is missed."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from synthpet.report.figures import png

    ranks = np.array([outcome.first for outcome in columns.values()]).T  # (patients, columns)
    patients, n_columns = next(iter(columns.values())).patients, len(columns)
    size = (1.2 + CELL_INCHES[0] * n_columns, 0.75 + CELL_INCHES[1] * (len(patients) + 1))
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    axes = figure.subplots()
    for (k, j), rank in np.ndenumerate(ranks):
        missed = np.isnan(rank)
        shade = 0.0 if missed else 0.95 - 0.85 * (rank - 1) / max(1, settings.max_clusters - 1)
        colour = "white" if missed else colormaps["Blues"](shade)
        axes.add_patch(Rectangle((j - 0.5, k - 0.5), 1, 1, facecolor=colour, edgecolor="0.6", linewidth=0.6))
        text = MISSED if missed else f"{rank:.0f}"
        axes.text(j, k, text, ha="center", va="center", color="white" if shade > 0.55 else "black", fontsize=12)
    for j, outcome in enumerate(columns.values()):
        found = np.isfinite(outcome.first)
        axes.text(
            j, len(patients), f"{found.sum()} of {found.size}", ha="center", va="center", fontsize=11, weight="bold"
        )
    axes.set_yticks(range(len(patients) + 1), [*patients, "detected"], fontsize=10)
    axes.set_xticks(range(n_columns), [_two_lines(name) for name in columns], fontsize=10)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set(xlim=(-0.5, n_columns - 0.5), ylim=(len(patients) + 0.5, -0.5))
    axes.spines[:].set_visible(False)
    return Picture(
        png(figure),
        f"{detector}: rank of the true cluster of each patient (first seed). Dark with a low number is good; white "
        f"with {MISSED} is a missed lesion. Compare each column with {settings.reference}: does the same patient stay "
        "dark?",
        f"Table of patients by normative sets, detector {detector}, coloured by rank; its numbers are in the table.",
    )


def _ranks(detector: str, columns: Mapping[str, Outcome], settings: Settings) -> Picture:
    """A line a patient over the columns; misses in a band of their own below."""
    from matplotlib.figure import Figure

    from synthpet.report.figures import png

    miss = settings.max_clusters + 2
    ranks = np.array([np.where(np.isnan(outcome.first), miss, outcome.first) for outcome in columns.values()])
    patients, places = next(iter(columns.values())).patients, np.arange(len(columns))
    shift = np.linspace(-0.3, 0.3, len(patients)) if len(patients) > 1 else np.zeros(1)
    figure = Figure(figsize=(2.6 + 0.85 * len(columns), 0.34 * miss + 1.1), layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.axhspan(miss - 0.5, miss + 0.5, color="0.92", zorder=0)
    for k in range(len(patients)):
        colour, mark = COLOURS[k % len(COLOURS)], MARKS[k // len(COLOURS) % len(MARKS)]
        axes.plot(places, ranks[:, k] + shift[k], linewidth=1.2, markersize=5, color=colour, marker=mark)
    for rank in np.unique(ranks[-1]):
        there = [p.removeprefix("sub-") for p, r in zip(patients, ranks[-1], strict=True) if r == rank]
        axes.text(places[-1] + 0.12, rank, _few(there), va="center", fontsize=8, wrap=False)
    axes.set_yticks(
        [*range(1, settings.max_clusters + 1), miss], [*map(str, range(1, settings.max_clusters + 1)), "missed"]
    )
    axes.set_xticks(places, [_two_lines(name) for name in columns], fontsize=9)
    axes.set(xlim=(-0.2, len(columns) - 0.1 + 1.2), ylim=(miss + 0.5, 0.4), ylabel="rank of the true cluster")
    axes.spines[["top", "right"]].set_visible(False)
    return Picture(
        png(figure),
        f"{detector}: each line is one patient (first seed; set apart a little where ranks are equal), named at the "
        "right. Lines that rise gain from the column, lines that fall into the grey band are lesions lost by it.",
        f"Ranks of every patient over the normative sets, detector {detector}.",
    )


def _few(names: Sequence[str]) -> str:
    """The names that a line has room for."""
    more = len(names) - N_NAMES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:N_NAMES])} and {more} more"


def _sensitivity(detector: str, columns: Mapping[str, Outcome], settings: Settings) -> Picture:
    """A panel a column, the reference in each."""
    from matplotlib.figure import Figure

    from synthpet.report.figures import png

    others = [name for name in columns if name != settings.reference] or [settings.reference]
    wide = min(3, len(others))
    tall = -(-len(others) // wide)
    figure = Figure(figsize=(2.7 * wide + 0.3, 2.4 * tall + 0.5), layout="constrained", facecolor="white")
    panels = figure.subplots(tall, wide, squeeze=False, sharex=True, sharey=True).ravel()
    for panel, name in zip(panels, others, strict=False):
        _sensitivity_line(panel, columns[settings.reference], settings, "black", "--")
        if name != settings.reference:
            _sensitivity_line(panel, columns[name], settings, COLOURS[0], "-")
        panel.set_title(name, fontsize=10)
        panel.set(ylim=(-0.02, 1.02), xlim=(0.5, settings.max_clusters + 0.5))
        panel.set_xticks([k for k in RANKS if k <= settings.max_clusters])
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(others) :]:
        panel.set_axis_off()
    figure.supxlabel("clusters looked at (k)", fontsize=10)
    figure.supylabel("share of lesions among them", fontsize=10)
    return Picture(
        png(figure),
        f"{detector}: sensitivity at rank k, how many lesions a reader finds who looks at the first k clusters only. "
        f"Solid blue: the panel's column; dashed black: {settings.reference}; bands: 95 % Wilson intervals. Where the "
        "bands overlap widely, this many patients cannot tell the two apart.",
        f"Sensitivity at rank of each normative set beside {settings.reference}, detector {detector}.",
    )


def _sensitivity_line(axes: "Axes", outcome: Outcome, settings: Settings, colour: str, dash: str) -> None:
    k = np.arange(1, settings.max_clusters + 1)
    n_found = [int(found_at_rank(outcome.first, int(rank)).sum()) for rank in k]
    low, high = np.array([wilson_interval(n, outcome.first.size) for n in n_found]).T
    axes.fill_between(k, low, high, step="mid", color=colour, alpha=0.15, linewidth=0)
    found = np.array(n_found) / outcome.first.size
    axes.plot(k, found, drawstyle="steps-mid", color=colour, linestyle=dash)


def _froc(detector: str, columns: Mapping[str, Outcome], settings: Settings) -> Picture:
    from matplotlib.figure import Figure

    from synthpet.report.figures import png

    figure = Figure(figsize=(6.6, 4.6), layout="constrained", facecolor="white")
    axes = figure.subplots()
    others = [name for name in columns if name != settings.reference]
    for name in (settings.reference, *others):
        curve = columns[name].froc
        if curve is not None:
            k = others.index(name) if name in others else -1
            colour, dash, width = ("black", "-", 2.2) if k < 0 else (COLOURS[k % 7], DASHES[k % 7], 1.5)
            x, y = np.r_[0, curve.false_per_scan], np.r_[0, curve.found.mean(axis=1)]
            axes.plot(x, y, drawstyle="steps-post", label=name, color=colour, linestyle=dash, linewidth=width)
    axes.axvline(settings.false_per_scan, color="0.6", linewidth=0.8)
    axes.set(ylim=(-0.02, 1.02), xlim=(0, 2 * settings.false_per_scan))
    axes.set_xlabel("false clusters per real control")
    axes.set_ylabel("share of lesions detected")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, frameon=False, loc="lower right")
    return Picture(
        png(figure),
        f"{detector}: FROC curves, lesions found against false clusters in healthy people. Higher is better; the grey "
        "line is the rate that was accepted. Curves that cross a few times are not different.",
        f"FROC curves of all normative sets, detector {detector}.",
    )


def _seeds(detector: str, columns: Mapping[str, Outcome]) -> Picture:
    from matplotlib.figure import Figure

    from synthpet.report.figures import png

    figure = Figure(figsize=(2.0 + 0.9 * len(columns), 5.2), layout="constrained", facecolor="white")
    top, bottom = figure.subplots(2, 1, sharex=True)
    for axes, key, label in (
        (top, "n_detected", "lesions detected"),
        (bottom, "mean_rank_censored", "mean rank,\nmisses censored"),
    ):
        for place, outcome in enumerate(columns.values()):
            values = np.array([summary[key] for summary in outcome.summaries.values()], float)
            across = place + (np.linspace(-0.15, 0.15, values.size) if values.size > 1 else np.zeros(1))
            axes.scatter(across[1:], values[1:], s=28, color=COLOURS[0], zorder=2)
            axes.scatter(across[:1], values[:1], s=28, facecolor="white", edgecolor=COLOURS[0], zorder=3)
            axes.hlines(values.mean(), place - 0.28, place + 0.28, color="black", linewidth=1.5)
        axes.set_ylabel(label)
        axes.spines[["top", "right"]].set_visible(False)
    bottom.invert_yaxis()
    bottom.set_xticks(range(len(columns)), [_two_lines(name) for name in columns], fontsize=9)
    return Picture(
        png(figure),
        f"{detector}: each dot is one seed of the detector's training (open: the first, whose ranks the table shows), "
        "the line is their mean; up is better in both. Differences between columns that are smaller than the spread "
        "of the dots come and go with the seed.",
        f"Lesions detected and mean rank by seed, detector {detector}.",
    )


def _two_lines(name: str) -> str:
    return name.replace("-", "\n", 1)
