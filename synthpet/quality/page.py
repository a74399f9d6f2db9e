"""The page on the quality of synthetic PET: pictures, numbers, and words that say what they mean."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet import __version__
from synthpet.cohort.files import write_bytes, write_text
from synthpet.quality.curves import learning_picture
from synthpet.quality.records import Evaluation, Measured
from synthpet.quality.scales import Scales
from synthpet.quality.summary import HIGHER_IS_BETTER, METRICS, values_of
from synthpet.quality.words import (
    ROLE_WORDS,
    definitions_table,
    failure_words,
    headline,
    metric_tables,
    settings_words,
    spread_words,
)
from synthpet.report.assemble import Parts, assemble
from synthpet.report.figures import Panel, contact_sheet, regional_bars, slices, strips
from synthpet.report.html import Page, Picture
from synthpet.report.scales import DIFFERENCE_COLOURS, SPREAD_COLOURS
from synthpet.template.regions import named_regions

LABELS = {
    "mae": "Mean absolute error, SUVR",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "mean_pet": "mean PET",
    "mean_brain_pet": "mean PET,\nbrain only",
    "synthetic": "synthetic",
    "expected": "ceiling",
}


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
    known = bool(summary["headline_role"])

    def chosen(start: str) -> list[Picture]:
        return [picture for name, picture in pictures.items() if name.startswith(start)]

    parts: Parts = {
        "headline": headline(summary),
        "settings": settings_words(summary) if known else None,
        "tables": metric_tables(summary) if known else None,
        "metrics": chosen("metrics"),
        "ranking": chosen("ranking"),
        "examples": chosen("example"),
        "uncertainty": chosen("uncertainty"),
        "region_map": chosen("region-map"),
        "regions": chosen("regions"),
        "means": chosen("means"),
        "spread_words": spread_words(summary),
        "spread": chosen("spread"),
        "failure_words": failure_words(summary) or None,
        "learning": chosen("learning"),
        "definitions": definitions_table(summary),
    }
    translation = evaluation.source.translation
    parts = {name: translation.put(part) for name, part in parts.items()}
    words = {"generator": str(config["generator"]), "target": translation.made.words}
    return assemble(__package__, "page.yaml", parts, words, _notices(evaluation), _provenance(evaluation, config))


def _notices(evaluation: Evaluation) -> list[str]:
    notices = [
        evaluation.source.translation.put(
            "SYNTHETIC: every PET called synthetic was computed from a T1 MRI by a neural network; nobody measured it."
        )
    ]
    if evaluation.source.is_simulated:
        simulated = (
            "SIMULATED: the persons of this cohort do not exist. Its T1 and its “real” PET come from a computer "
            "model, so that the truth is known; the numbers say how the method works, not how well it does on real "
            "people."
        )
        notices.append(evaluation.source.translation.put(simulated))
    if evaluation.source.is_foreign:
        notices.append(
            "OTHER COHORT: the generators were trained on people who are not in this cohort. If those were simulated, "
            "so is everything that the synthetic PETs know of metabolism."
        )
    return [*notices, *evaluation.source.cohort.notices]


def _provenance(evaluation: Evaluation, config: Mapping[str, Any]) -> dict[str, str]:
    own = {"synthpet": __version__, **config, "data_range_used": evaluation.summary["data_range"]}
    manifests = {
        f"Manifest of the {name}": manifest.told()
        for name, manifest in evaluation.source.manifests.items()
        if manifest.exists
    }
    content = {"This evaluation": own, **manifests}
    return {name: json.dumps(found, indent=1, default=str, ensure_ascii=False) for name, found in content.items()}


def make_pictures(evaluation: Evaluation) -> dict[str, Picture]:
    """Every picture of the page by its file's name."""
    role = evaluation.summary["headline_role"]
    pictures = {}
    if role:
        found, regional = evaluation.measured[role], evaluation.summary["roles"][role]["regional_bias"]
        pictures["metrics"] = _metrics(evaluation, found, role)
        pictures["ranking"] = _ranking(evaluation, found)
        for name, one in pick_examples(found).items():
            pictures[f"example-{name}"] = _example(evaluation, name, one)
        pictures["region-map"] = _region_map(evaluation, regional)
        pictures["regions"] = _regions(evaluation, regional)
        pictures["means"] = _means(evaluation, role)
    for name, one in pick_uncertain(evaluation.measured).items():
        pictures[f"uncertainty-{name}"] = _uncertain(evaluation, name, one)
    shown = role or next(iter(evaluation.spreads))
    if evaluation.spreads[shown].moments["synthetic"].n > 1:
        pictures["spread"] = _spread(evaluation, shown)
    if (learned := learning_picture(evaluation.source)) is not None:
        pictures["learning"] = learned
    return pictures


def pick_examples(found: list[Measured]) -> dict[str, Measured]:
    """The subjects with the lowest, the median and the highest error; fewer if there are fewer."""
    order = np.argsort(values_of(found, "mae", "synthetic"), kind="stable")
    places = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    return {name: found[k] for name, k in places.items() if name == "best" or k != places["best"]}


def pick_ranked(found: list[Measured], most: int = 8) -> list[Measured]:
    """At most ``most`` subjects, evenly spaced from the lowest to the highest error."""
    order = np.argsort(values_of(found, "mae", "synthetic"), kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))
    return [found[order[k]] for k in places]


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


def _scales(evaluation: Evaluation) -> Scales:
    return Scales(evaluation.source, evaluation.summary["data_range"])


def _example(evaluation: Evaluation, name: str, found: Measured) -> Picture:
    case, source, scales = found.case, evaluation.source, _scales(evaluation)
    mask = source.cohort.load_mask(case.participant_id)
    real, synthetic = (source.load(case, image) * mask for image in ("real", "synthetic"))
    panels = [
        scales.show_t1w(case),
        scales.show_pet(scales.real, real),
        scales.show_pet("SYNTHETIC PET", synthetic),
        scales.show_difference("synthetic − real", synthetic - real),
    ]
    if source.has(case, "mean_pet"):
        panels.append(scales.show_difference("mean PET − real", (source.load(case, "mean_pet") - real) * mask))
    error = next(row for row in found.rows if (row["method"], row["region"]) == ("synthetic", "mask"))
    which = {"best": "lowest", "median": "median", "worst": "highest"}[name]
    return Picture(
        slices(source.translation.put(panels), source.cohort.grid),
        f"{case.participant_id}, the subject with the {which} error (mean absolute error {error['mae']:.3f} SUVR, "
        f"SSIM {error['ssim']:.3f}). Compare the second and third column for cortex, basal ganglia and temporal "
        "lobes. In the difference, red: synthetic too high, blue: too low (blue could hide or feign a "
        "hypometabolism); the last column shows on the same scale what the mean PET of the other controls would "
        "miss. All subjects share the scales.",
        f"Slices of {case.participant_id}: T1, real PET, synthetic PET and their difference.",
    )


def _uncertain(evaluation: Evaluation, name: str, found: Measured) -> Picture:
    case, source, scales = found.case, evaluation.source, _scales(evaluation)
    mask = source.cohort.load_mask(case.participant_id)
    synthetic, uncertainty = (source.load(case, image) * mask for image in ("synthetic", "uncertainty"))
    panels = [
        scales.show_t1w(case),
        scales.show_pet("SYNTHETIC PET", synthetic),
        Panel("uncertainty", uncertainty, SPREAD_COLOURS, 0, scales.uncertainty),
    ]
    truth = ""
    if case.truth:
        panels.append(scales.show_difference("synthetic − true", (synthetic - source.load(case, "real")) * mask))
        truth = " The last column shows the true error: it should be small where the uncertainty is."
    which = {"highest": "the highest uncertainty", "median": "the median uncertainty", "only": "an uncertainty map"}[
        name
    ]
    return Picture(
        slices(source.translation.put(panels), source.cohort.grid),
        f"{case.participant_id} ({ROLE_WORDS[case.role]}), the one with {which}: standard deviation of the folds' "
        f"generators, mean {found.uncertainty:.3f} SUVR in the brain. Bright places depend on who was in the "
        f"training set; a low value is no proof of a small error, since all generators can err together.{truth}",
        f"Slices of {case.participant_id}: T1, synthetic PET, uncertainty.",
    )


def _metrics(evaluation: Evaluation, found: list[Measured], role: str) -> Picture:
    put = evaluation.source.translation.put
    methods = dict.fromkeys(row["method"] for row in found[0].rows)
    shown = [metric for metric in METRICS if metric != "rmse"]
    values = {metric: {method: values_of(found, metric, method) for method in methods} for metric in shown}
    notes = {metric: "higher is better" if HIGHER_IS_BETTER[metric] else "lower is better" for metric in shown}
    return Picture(
        strips(values, put(LABELS), notes),
        f"Each grey line is one subject ({len(found)} {ROLE_WORDS[role]}), measured in the brain; black: median. A "
        "useful generator lies between the mean PET and the ceiling for every subject, not only on average.",
        "Strip plots of error, PSNR and SSIM for the baselines, the synthetic PET and the ceiling.",
    )


def _ranking(evaluation: Evaluation, found: list[Measured]) -> Picture:
    """One slice of several subjects side by side, from the lowest to the highest error."""
    source, scales = evaluation.source, _scales(evaluation)
    shown = pick_ranked(found)
    rows: dict[str, list[NDArray]] = {scales.real: [], scales.put("SYNTHETIC PET"): [], "synthetic − real": []}
    titles = []
    for one in shown:
        mask = source.cohort.load_mask(one.case.participant_id)
        real, synthetic = (source.load(one.case, image) * mask for image in ("real", "synthetic"))
        for row, volume in zip(rows.values(), (real, synthetic, synthetic - real), strict=True):
            row.append(volume)
        error = next(r for r in one.rows if (r["method"], r["region"]) == ("synthetic", "mask"))["mae"]
        titles.append(f"{one.case.participant_id}\n{error:.3f}")
    panels = {
        title: [(scales.show_difference if "−" in title else scales.show_pet)(title, volume) for volume in volumes]
        for title, volumes in rows.items()
    }
    return Picture(
        contact_sheet(panels, titles, source.cohort.grid),
        f"{len(shown)} of {len(found)} subjects, evenly spaced from the lowest error (left) to the highest (right); "
        "below each name the mean absolute error in the brain, SUVR. Do the worst fail in the same way as the best, "
        "only more, or is somebody wrong altogether? Red: synthetic too high, blue: too low.",
        "One axial slice of subjects ordered by error: real PET, synthetic PET, difference.",
    )


def _region_map(evaluation: Evaluation, table: list[dict[str, Any]]) -> Picture:
    """Each region in the colour of its mean bias."""
    regions = named_regions(evaluation.source.cohort.grid)
    bias = {row["region"]: row for row in table}

    def paint(method: str) -> NDArray[np.float32]:
        values = [0.0, *(float(bias[name][method]["mean"] or 0.0) if name in bias else 0.0 for name in regions.names)]
        return np.array(values, np.float32)[regions.labels]

    reach = _scales(evaluation).difference / 4
    titles = {"mean_pet": "mean PET − real", "synthetic": "synthetic − real"}
    panels = [
        Panel(titles[method], paint(method), DIFFERENCE_COLOURS, -reach, reach, "mean bias, SUVR")
        for method in ("synthetic", "mean_pet")
        if method in table[0]
    ]
    return Picture(
        slices(evaluation.source.translation.put(panels), evaluation.source.cohort.grid),
        "Bias of each region, painted on the template's grey matter: red regions come out too high on average, blue "
        "ones too low. Look for a side or a lobe in one colour; a blue temporal lobe in the synthetic controls would "
        f"hide a hypometabolism there. This scale ends at ±{reach:g} SUVR, a quarter of that of single voxels.",
        "Slices with each region in the colour of its mean bias.",
    )


def _regions(evaluation: Evaluation, table: list[dict[str, Any]]) -> Picture:
    put = evaluation.source.translation.put
    methods: list[str] = [method for method in ("mean_pet", "synthetic") if method in table[0]]
    values = {
        method: (np.array([row[method]["mean"] for row in table]), np.array([row[method]["sd"] or 0 for row in table]))
        for method in methods
    }
    return Picture(
        regional_bars(
            [row["region"] for row in table], values, put(LABELS), put("mean difference to the real PET, SUVR")
        ),
        "Bias in each region: bars left of zero mean that the regional uptake comes out too low; the whisker is the "
        "standard deviation between subjects. Look for a bias of one sign in the temporal lobes and for left "
        "differing from right. The regions are approximate (nearest labelled point), not an atlas.",
        "Bars of the mean regional difference to the real PET.",
    )


def _means(evaluation: Evaluation, role: str) -> Picture:
    moments, brain = evaluation.spreads[role].moments, evaluation.spreads[role].brain
    scales = _scales(evaluation)
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
    scales = _scales(evaluation)
    titles = {
        "real": scales.real,
        "synthetic": "SYNTHETIC PET",
        "resampled": "SYNTHETIC,\nwith residual",
        "expected": "ceiling",
    }
    panels = [
        Panel(
            titles[image], np.sqrt(found.variance) * brain, SPREAD_COLOURS, 0, scales.spread, "standard deviation, SUVR"
        )
        for image, found in moments.items()
    ]
    return Picture(
        slices(evaluation.source.translation.put(panels), evaluation.source.cohort.grid),
        f"Standard deviation between the {ROLE_WORDS[role]}, where everybody has brain. Where the synthetic PETs are "
        "darker than the real ones they are too alike, and a detector that learns from them would call normal "
        "variation abnormal there. All columns share the scale.",
        "Slices of the between-subject standard deviation of the PETs.",
    )
