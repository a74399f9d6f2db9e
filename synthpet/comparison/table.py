"""The table: a generator a row, baselines and ceiling beside them; numbers, and the same as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from synthpet.comparison.costs import Cost, budget_words
from synthpet.comparison.results import Result
from synthpet.comparison.statistics import MEASURES
from synthpet.quality.words import METHOD_WORDS

BESIDE = ("mean_pet", "mean_brain_pet", "expected")  # what no generator made
COLUMNS = {
    "role": "paired: each person by a generator that never saw them; heldout, unpaired: mean of the folds' generators",
    "method": "the generator, or mean_pet: mean PET of the training controls (baseline); mean_brain_pet: the same over "
    "those in whose brain the voxel lies; expected: simulated cohorts only, the best that a T1 -> PET method can reach",
    "n": "people",
    "ssim": "structural similarity in the brain, mean over people; higher is better",
    "psnr": "peak signal-to-noise ratio in the brain, dB, mean over people; higher is better",
    "mae": "mean absolute error in the brain, SUVR, mean over people; lower is better",
    **{f"{name}_sd": "its standard deviation between people" for name in ("ssim", "psnr", "mae")},
    "gap_closed": "share of the way from the mean PET's mae to the ceiling's; simulated cohorts only; higher is better",
    "regional_bias": "mean over regions of the absolute mean difference to the real PET, SUVR; lower is better; a mean "
    "PET of the same people has none by construction",
    "variance_ratio": "variance between people over that of real PETs, in grey matter; 1: as diverse as real ones. The "
    "ceiling's is what a perfect T1 -> PET method has",
    "deviation_correlation": "knows the person: correlation over the brain's voxels of a person's synthetic and real "
    "deviation from the group's mean, mean over people; 0: nothing individual; higher is better",
    "deviation_correlation_sd": "its standard deviation between people",
    "train_processor_seconds": "of the processor, to train a fold (on a GPU: what the processor did beside it); mean "
    "over the folds; n/a: trained by a version that did not write it down",
    "train_seconds": "by the clock, to train a fold, beside whatever else the machine did; mean over the folds; of a "
    "continued training its last part",
    "synthesis_processor_seconds": "of the processor, to synthesise one person with one generator, taken anew",
    "n_parameters": "of the network that is used afterwards",
    "n_steps": "of the training of a fold, as asked for",
    "voxels_per_step": "of all patches of a step",
    "budget": "same: as many steps as the others, all of them taken; else what differs",
}
METRICS = ("ssim", "psnr", "mae")
QUALITY = {  # column: heading, format
    "ssim": ("SSIM", ".3f"),
    "psnr": ("PSNR, dB", ".1f"),
    "mae": ("MAE, SUVR", ".3f"),
    "gap_closed": ("gap closed, %", ".0%"),
    "regional_bias": ("regional bias, SUVR", ".3f"),
    "variance_ratio": ("spread over real", ".2f"),
    "deviation_correlation": ("knows the person", ".2f"),
}
COSTS = {
    "train_processor_seconds": ("training a fold, s", ",.0f"),
    "train_seconds": ("by the clock, s", ",.0f"),
    "synthesis_processor_seconds": ("one person, s", ".2f"),
    "n_parameters": ("parameters", ",d"),
    "n_steps": ("steps", ",d"),
    "voxels_per_step": ("voxels a step", ",d"),
    "budget": ("as the others?", ""),
}
WITH_SD = (*METRICS, "deviation_correlation")


def table_rows(results: Mapping[str, Result], costs: Mapping[str, Cost]) -> list[dict[str, Any]]:
    """The rows of ``table.tsv``: every role with a truth; None where nothing is known.

    Args:
        results: of the generators, of the same people.
        costs: of the same generators.
    """
    first, budget = next(iter(results.values())), budget_words(costs)
    rows = []
    for role, found in first.quality["roles"].items():
        if "metrics" not in found:
            continue
        for name, result in results.items():
            cost = costs[name]
            spent = {key: getattr(cost, key) for key in COLUMNS if hasattr(cost, key)}
            quality = _quality(result.quality["roles"][role], "synthetic")
            rows.append({"role": role, "method": name, **quality, **spent, "budget": budget[name]})
        methods = [method for method in BESIDE if method in found["metrics"]["mask"]["mae"]]
        rows += [{"role": role, "method": method, **_quality(found, method)} for method in methods]
    return [{column: row.get(column) for column in COLUMNS} for row in rows]


def _quality(found: Mapping[str, Any], method: str) -> dict[str, Any]:
    """What ``quality.json`` says of one method in one role."""
    metrics = {name: found["metrics"]["mask"][name][method] for name in METRICS}
    correlation = found["deviation_correlation"].get(method, {})
    bias = [abs(region[method]["mean"]) for region in found["regional_bias"] if region[method]["mean"] is not None]
    return {
        "n": found["n"],
        **{name: value["mean"] for name, value in metrics.items()},
        **{f"{name}_sd": value["sd"] for name, value in metrics.items()},
        "gap_closed": _gap_closed(found, method),
        "regional_bias": float(np.mean(bias)) if bias else None,
        "variance_ratio": found.get("variance_ratio", {}).get(method),
        "deviation_correlation": correlation.get("mean"),
        "deviation_correlation_sd": correlation.get("sd"),
    }


def _gap_closed(found: Mapping[str, Any], method: str) -> float | None:
    gaps = found.get("gap_closed")
    ends = {"mean_pet": 0.0, "expected": 1.0}
    if not gaps or method == "mean_brain_pet":
        return None
    return ends[method] if method in ends else gaps["mean_pet"]["value"]


def as_text(row: Mapping[str, Any], columns: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """One row as the page and the terminal show it, by the headings of ``QUALITY`` or ``COSTS``."""
    cells = {"generator": METHOD_WORDS.get(row["method"], row["method"])}
    return cells | {heading: _cell(row, column, form) for column, (heading, form) in columns.items()}


def _cell(row: Mapping[str, Any], column: str, form: str) -> str:
    value = row[column]
    if value is None:
        return "–"
    text = f"{value:{form}}"
    sd = row.get(f"{column}_sd") if column in WITH_SD else None
    return text if sd is None else f"{text} ± {sd:{form}}"


def of_role(rows: Sequence[Mapping[str, Any]], role: str) -> list[Mapping[str, Any]]:
    """The rows of a role."""
    return [row for row in rows if row["role"] == role]


def made_by_generators(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of generators, without those of baselines and ceiling."""
    return [row for row in rows if row["method"] not in BESIDE]


def for_terminal(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows of ``plain_table``, without standard deviations and with short headings: a terminal is narrow."""
    short = {"ssim": "SSIM", "psnr": "PSNR", "mae": "MAE", "gap_closed": "gap", "regional_bias": "bias",
             "variance_ratio": "spread", "deviation_correlation": "knows", "train_processor_seconds": "train, s",
             "synthesis_processor_seconds": "person, s", "n_parameters": "parameters"}  # fmt: skip
    columns = {column: (short[column], form) for column, (_, form) in (QUALITY | COSTS).items() if column in short}
    return [as_text({**row, **{f"{column}_sd": None for column in WITH_SD}}, columns) for row in rows]


def headlines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The headline of one role's rows: the best generator by each measure, told apart from others or not."""
    made = made_by_generators(rows)
    for measure, sign in MEASURES.items():
        known = [row for row in made if row[measure] is not None]
        if known:
            best = max(known, key=lambda row: sign * row[measure])
            heading, form = QUALITY[measure]
            yield f"{heading}: best on average is {best['method']}, {best[measure]:{form}}"
