"""The page on the quality of synthetic PET: pictures, numbers, and words that say what they mean."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet import __version__
from synthpet.cohort.files import write_bytes, write_text
from synthpet.evaluation import Evaluation, Measured
from synthpet.evaluation_source import Case
from synthpet.quality_summary import HIGHER_IS_BETTER, METRICS, values_of
from synthpet.report.figures import Panel, regional_bars, slices, strips
from synthpet.report.html import Page, Picture, Section
from synthpet.report.words import ROLE_WORDS, definitions_table, headline, metric_tables, settings_words, spread_words

LABELS = {
    "mae": "Mean absolute error, SUVR",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "mean_pet": "mean PET",
    "mean_brain_pet": "mean PET,\nbrain only",
    "synthetic": "synthetic",
    "expected": "ceiling",
}
PET, DIFFERENCE, SPREAD = "inferno", "RdBu_r", "viridis"


def write_report(evaluation: Evaluation, folder: Path, config: Mapping[str, Any]) -> list[Path]:
    """Write ``figures/*.png`` and ``report.html``.

    Args:
        evaluation: what was measured.
        folder: where to write.
        config: settings of the evaluation, for the provenance; ``generator`` is in the title.

    Returns:
        The files written.
    """
    pictures = make_pictures(evaluation)
    page = make_page(evaluation, pictures, config)
    figures = [write_bytes(folder / "figures" / f"{name}.png", picture.image) for name, picture in pictures.items()]
    return [*figures, write_text(folder / "report.html", page.render())]


def make_page(evaluation: Evaluation, pictures: Mapping[str, Picture], config: Mapping[str, Any]) -> Page:
    """Put the page together."""
    summary = evaluation.summary

    def chosen(*starts: str) -> list[Picture]:
        return [picture for name, picture in pictures.items() if name.startswith(starts)]

    sections = [Section("In short", headline(summary))]
    if summary["headline_role"]:
        sections += [
            Section("Numbers", [settings_words(summary)], metric_tables(summary), chosen("metrics")),
            Section("Examples with a real PET", (), (), chosen("example")),
        ]
    if chosen("uncertainty"):
        sections.append(Section("Controls without a PET of their own", (), (), chosen("uncertainty")))
    sections += [
        Section("Where it errs", (), (), chosen("regions", "means")) if summary["headline_role"] else None,  # type: ignore[list-item]
        Section("Is the synthetic set as diverse as the real one?", spread_words(summary), (), chosen("spread")),
        Section("What the numbers mean", (), [definitions_table(summary)]),
    ]
    return Page(
        f"Quality of the synthetic FDG PET: {config['generator']}",
        [section for section in sections if section],
        _notices(evaluation),
        _provenance(evaluation, config),
    )


def _notices(evaluation: Evaluation) -> list[str]:
    notices = [
        "SYNTHETIC: every PET called synthetic was computed from a T1 MRI by a neural network; nobody measured it."
    ]
    if evaluation.source.is_simulated:
        notices.append(
            "SIMULATED: the persons of this cohort do not exist. Its T1 and its “real” PET come from a computer "
            "model, so that the truth is known; the numbers say how the method works, not how well it does on real "
            "people."
        )
    if evaluation.source.is_foreign:
        notices.append(
            "OTHER COHORT: the generators were trained on people who are not in this cohort. If those were simulated, "
            "so is everything that the synthetic PETs know of metabolism."
        )
    return notices


def _provenance(evaluation: Evaluation, config: Mapping[str, Any]) -> dict[str, str]:
    own = {"synthpet": __version__, **config, "data_range_used": evaluation.summary["data_range"]}
    manifests = {
        f"Manifest of the {name}": {key: value for key, value in manifest.items() if key != "seconds"}
        for name, manifest in evaluation.source.manifests.items()
        if manifest
    }
    content = {"This evaluation": own, **manifests}
    return {name: json.dumps(found, indent=1, default=str, ensure_ascii=False) for name, found in content.items()}


def make_pictures(evaluation: Evaluation) -> dict[str, Picture]:
    """Every picture of the page by its file's name."""
    role = evaluation.summary["headline_role"]
    pictures = {}
    if role:
        found = evaluation.measured[role]
        pictures["metrics"] = _metrics(found, role)
        for name, one in pick_examples(found).items():
            pictures[f"example-{name}"] = _example(evaluation, name, one)
        pictures["regions"] = _regions(evaluation.summary["roles"][role]["regional_bias"])
        pictures["means"] = _means(evaluation, role)
    for name, one in pick_uncertain(evaluation.measured).items():
        pictures[f"uncertainty-{name}"] = _uncertain(evaluation, name, one)
    shown = role or next(iter(evaluation.spreads))
    if evaluation.spreads[shown].moments["synthetic"].n > 1:
        pictures["spread"] = _spread(evaluation, shown)
    return pictures


def pick_examples(found: list[Measured]) -> dict[str, Measured]:
    """The subjects with the lowest, the median and the highest error; fewer if there are fewer."""
    order = np.argsort(values_of(found, "mae", "synthetic"), kind="stable")
    places = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    return {name: found[k] for name, k in places.items() if name == "best" or k != places["best"]}


def pick_uncertain(measured: Mapping[str, list[Measured]]) -> dict[str, Measured]:
    """Those with the median and the highest uncertainty: unpaired controls, or else held-out, or else paired ones."""
    for role in ("unpaired", "heldout", "paired"):
        known = [found for found in measured.get(role, []) if found.uncertainty is not None]
        if known:
            order = sorted(known, key=lambda found: found.uncertainty or 0.0)
            return (
                {"highest": order[-1], "median": order[(len(order) - 1) // 2]} if len(order) > 1 else {"only": order[0]}
            )
    return {}


class _Scales:
    """The fixed scales of all pictures, from the one data range: SUVR."""

    def __init__(self, evaluation: Evaluation) -> None:
        peak = evaluation.summary["data_range"]
        self.pet = float(np.ceil(11 * peak) / 10)
        self.difference = float(np.ceil(2.5 * peak) / 10)
        self.spread = float(np.ceil(1.5 * peak) / 10)
        self.uncertainty = float(np.ceil(1 * peak) / 10)
        self.real = "PET, simulated truth" if evaluation.source.is_simulated else "PET, measured"

    def show_pet(self, title: str, volume: NDArray) -> Panel:
        return Panel(title, volume, PET, 0, self.pet)

    def show_difference(self, title: str, volume: NDArray) -> Panel:
        return Panel(title, volume, DIFFERENCE, -self.difference, self.difference)


def _example(evaluation: Evaluation, name: str, found: Measured) -> Picture:
    case, source, scales = found.case, evaluation.source, _Scales(evaluation)
    mask = source.cohort.load_mask(case.participant_id)
    real, synthetic = (source.load(case, image) * mask for image in ("real", "synthetic"))
    panels = [
        _t1w(evaluation, case),
        scales.show_pet(scales.real, real),
        scales.show_pet("SYNTHETIC PET", synthetic),
        scales.show_difference("synthetic − real", synthetic - real),
    ]
    if source.has(case, "mean_pet"):
        panels.append(scales.show_difference("mean PET − real", (source.load(case, "mean_pet") - real) * mask))
    error = next(row for row in found.rows if (row["method"], row["region"]) == ("synthetic", "mask"))
    which = {"best": "lowest", "median": "median", "worst": "highest"}[name]
    return Picture(
        slices(panels, source.cohort.grid),
        f"{case.participant_id}, the subject with the {which} error (mean absolute error {error['mae']:.3f} SUVR, "
        f"SSIM {error['ssim']:.3f}). Compare the second and third column for cortex, basal ganglia and temporal "
        "lobes. In the difference, red: synthetic too high, blue: too low (blue could hide or feign a "
        "hypometabolism); the last column shows on the same scale what the mean PET of the other controls would "
        "miss. All subjects share the scales.",
        f"Slices of {case.participant_id}: T1, real PET, synthetic PET and their difference.",
    )


def _t1w(evaluation: Evaluation, case: Case) -> Panel:
    title = "T1, simulated" if evaluation.source.is_simulated else "T1"
    return Panel(title, evaluation.source.cohort.load_t1w(case.participant_id), "gray", 0, 1, "scaled, no unit")


def _uncertain(evaluation: Evaluation, name: str, found: Measured) -> Picture:
    case, source, scales = found.case, evaluation.source, _Scales(evaluation)
    mask = source.cohort.load_mask(case.participant_id)
    synthetic, uncertainty = (source.load(case, image) * mask for image in ("synthetic", "uncertainty"))
    panels = [
        _t1w(evaluation, case),
        scales.show_pet("SYNTHETIC PET", synthetic),
        Panel("uncertainty", uncertainty, SPREAD, 0, scales.uncertainty),
    ]
    truth = ""
    if case.truth:
        panels.append(scales.show_difference("synthetic − true", (synthetic - source.load(case, "real")) * mask))
        truth = " The last column shows the true error: it should be small where the uncertainty is."
    which = {"highest": "the highest uncertainty", "median": "the median uncertainty", "only": "an uncertainty map"}[
        name
    ]
    return Picture(
        slices(panels, source.cohort.grid),
        f"{case.participant_id} ({ROLE_WORDS[case.role]}), the one with {which}: standard deviation of the folds' "
        f"generators, mean {found.uncertainty:.3f} SUVR in the brain. Bright places depend on who was in the "
        f"training set; a low value is no proof of a small error, since all generators can err together.{truth}",
        f"Slices of {case.participant_id}: T1, synthetic PET, uncertainty.",
    )


def _metrics(found: list[Measured], role: str) -> Picture:
    methods = dict.fromkeys(row["method"] for row in found[0].rows)
    shown = [metric for metric in METRICS if metric != "rmse"]
    values = {metric: {method: values_of(found, metric, method) for method in methods} for metric in shown}
    notes = {metric: "higher is better" if HIGHER_IS_BETTER[metric] else "lower is better" for metric in shown}
    return Picture(
        strips(values, LABELS, notes),
        f"Each grey line is one subject ({len(found)} {ROLE_WORDS[role]}), measured in the brain; black: median. A "
        "useful generator lies between the mean PET and the ceiling for every subject, not only on average.",
        "Strip plots of error, PSNR and SSIM for the baselines, the synthetic PET and the ceiling.",
    )


def _regions(table: list[dict[str, Any]]) -> Picture:
    methods: list[str] = [method for method in ("mean_pet", "synthetic") if method in table[0]]
    values = {
        method: (np.array([row[method]["mean"] for row in table]), np.array([row[method]["sd"] or 0 for row in table]))
        for method in methods
    }
    return Picture(
        regional_bars([row["region"] for row in table], values, LABELS, "mean difference to the real PET, SUVR"),
        "Bias in each region: bars left of zero mean that the regional uptake comes out too low; the whisker is the "
        "standard deviation between subjects. Look for a bias of one sign in the temporal lobes and for left "
        "differing from right. The regions are approximate (nearest labelled point), not an atlas.",
        "Bars of the mean regional difference to the real PET.",
    )


def _means(evaluation: Evaluation, role: str) -> Picture:
    moments, brain = evaluation.spreads[role].moments, evaluation.spreads[role].brain
    scales = _Scales(evaluation)
    real, synthetic = (moments[image].mean * brain for image in ("real", "synthetic"))
    return Picture(
        slices(
            [
                scales.show_pet(f"mean {scales.real}", real),
                scales.show_pet("mean SYNTHETIC PET", synthetic),
                scales.show_difference("synthetic − real", synthetic - real),
            ],
            evaluation.source.cohort.grid,
        ),
        f"Means over the {ROLE_WORDS[role]}: what the generator gets wrong in everybody. A coloured area is a "
        "systematic error, which a correction could remove; where there is none, the errors differ between persons.",
        "Slices of the mean real PET, the mean synthetic PET and their difference.",
    )


def _spread(evaluation: Evaluation, role: str) -> Picture:
    moments, brain = evaluation.spreads[role].moments, evaluation.spreads[role].brain
    scales = _Scales(evaluation)
    titles = {
        "real": scales.real,
        "synthetic": "SYNTHETIC PET",
        "resampled": "SYNTHETIC,\nwith residual",
        "expected": "ceiling",
    }
    panels = [
        Panel(titles[image], np.sqrt(found.variance) * brain, SPREAD, 0, scales.spread, "standard deviation, SUVR")
        for image, found in moments.items()
    ]
    return Picture(
        slices(panels, evaluation.source.cohort.grid),
        f"Standard deviation between the {ROLE_WORDS[role]}, where everybody has brain. Where the synthetic PETs are "
        "darker than the real ones they are too alike, and a detector that learns from them would call normal "
        "variation abnormal there. All columns share the scale.",
        "Slices of the between-subject standard deviation of the PETs.",
    )
