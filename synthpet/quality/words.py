"""Numbers of quality.json put into sentences and tables, for the page and the terminal."""

from collections.abc import Mapping
from typing import Any

from synthpet.quality.translation import Translation
from synthpet.report.html import Table

ROLE_WORDS = {
    "paired": "paired controls",
    "heldout": "held-out controls",
    "unpaired": "unpaired controls",
}
UNSEEN = {
    "paired": "each synthesised by a generator that never saw that person's PET (cross-fitted)",
    "heldout": "whose PET trained nothing",
    "unpaired": "whose PET was withheld",
}
METHOD_WORDS = {
    "mean_pet": "mean PET (baseline)",
    "mean_brain_pet": "mean PET, brain only",
    "synthetic": "synthetic PET",
    "expected": "ceiling (expected PET)",
}
FORMATS = {"mae": ".3f", "rmse": ".3f", "psnr": ".1f", "ssim": ".3f"}
HEADINGS = {"mae": "MAE, SUVR", "rmse": "RMSE, SUVR", "psnr": "PSNR, dB", "ssim": "SSIM"}


def headline(summary: Mapping[str, Any]) -> list[str]:
    """The result in sentences."""
    role = summary["headline_role"]
    if role is None:
        return [
            f"{sum(found['n'] for found in summary['roles'].values())} controls have a synthetic PET and none a real "
            "one to compare with: this page can show how the synthetic PETs look and differ, not whether they are "
            "right."
        ]
    found = summary["roles"][role]
    mae = {method: value["mean"] for method, value in found["metrics"]["mask"]["mae"].items()}
    sentences = [
        f"In {found['n']} {ROLE_WORDS[role]}, {UNSEEN[role]}, the synthetic PET differs from the real one by "
        f"{mae['synthetic']:.3f} SUVR on average within the brain (mean absolute error)."
    ]
    if "mean_pet" in mae:
        sentences.append(
            f"Taking the mean PET of the training controls for everybody would give {mae['mean_pet']:.3f} SUVR."
        )
    if "expected" in mae:
        sentences.append(
            f"The ceiling, the best that any method can know from the T1, is {mae['expected']:.3f} SUVR: individual "
            "metabolism and noise, which no T1 shows, are always missed."
        )
    paragraphs = [" ".join(sentences)]
    paragraphs += [text for text in (gap_words(found), versus_words(found), _seam_words(found)) if text]
    return paragraphs


def gap_words(found: Mapping[str, Any]) -> str:
    """How much of the way from baseline to ceiling; empty without a ceiling."""
    gaps = found.get("gap_closed", {})
    if not gaps:
        return ""
    plain, strong = gaps["mean_pet"], gaps["mean_brain_pet"]
    if plain["value"] < 0:
        return (
            "The synthetic PET closes nothing of the gap in mean absolute error between the mean PET and the ceiling: "
            f"it is worse than the mean PET by {-100 * plain['value']:.0f} % of that gap."
        )
    return (
        f"The synthetic PET closes {_percent(plain)} of the gap in mean absolute error between the mean PET and the "
        f"ceiling; {_percent(strong)} if the mean is taken only over people in whose brain the voxel lies, a "
        "stronger baseline."
    )


def _percent(gap: Mapping[str, Any]) -> str:
    interval = gap["ci95"]
    around = f" (95 % interval {100 * interval[0]:.0f} to {100 * interval[1]:.0f} %)" if interval else ""
    return f"{100 * gap['value']:.0f} %{around}"


def versus_words(found: Mapping[str, Any]) -> str:
    """For how many subjects the synthetic PET is better than the mean PET; empty without one."""
    tests = found.get("versus", {}).get("mean_pet")
    if not tests:
        return ""
    counts = ", ".join(f"{tests[m]['n_better']} of {tests[m]['n']} by {m.upper()}" for m in ("mae", "ssim", "psnr"))
    p = tests["mae"]["wilcoxon_p"]
    return f"It is better than the mean PET for {counts}" + (f" (MAE: Wilcoxon signed-rank p = {p:.2g})." if p else ".")


def _seam_words(found: Mapping[str, Any]) -> str:
    seams = found.get("seam_ratio", {})
    if not seams or seams["synthetic"]["mean"] is None:
        return ""
    real = f"; the real PET has {seams['real']['mean']:.2f} at the same places" if "real" in seams else ""
    return (
        "Seams: the mean step between neighbouring voxels across the borders of patches is "
        f"{seams['synthetic']['mean']:.2f} times that elsewhere (1: no seam{real})."
    )


def spread_words(summary: Mapping[str, Any]) -> list[str]:
    """Whether the synthetic set is too narrow, role by role."""
    paragraphs = []
    for role, found in summary["roles"].items():
        cv = found.get("between_subject_cv", {})
        if "variance_ratio" in found:
            ratios = found["variance_ratio"]
            more = "".join(f"; {words} {ratios[k]:.2f}" for k, words in _OTHERS.items() if k in ratios)
            verdict = knowable_words(found)
            paragraphs.append(
                f"{_sentence(ROLE_WORDS[role])}: in grey matter the synthetic PETs have {ratios['synthetic']:.2f} of "
                f"the between-subject variance of the real ones{more} (1: equally diverse). Coefficient of "
                f"variation: real {100 * cv['real']:.1f} %, synthetic {100 * cv['synthetic']:.1f} %.{verdict}"
            )
        elif cv:
            paragraphs.append(
                f"{_sentence(ROLE_WORDS[role])}: in grey matter the synthetic PETs vary between subjects by "
                f"{100 * cv['synthetic']:.1f} % (coefficient of variation); there is no real PET to compare with."
            )
    return paragraphs or ["One subject a group: no variation between subjects can be measured."]


def knowable_words(found: Mapping[str, Any]) -> str:
    """How much any T1 -> PET method can know, and whether the synthetic PETs show as much; begins with a space."""
    if "knowable" not in found:
        return ""
    voxels, regions = found["knowable"]["voxels"], found["knowable"]["regions"]
    text = (
        " Not all of that can be known from a T1: a regression from the T1, fitted on other people, explains "
        f"{100 * voxels['share']:.0f} % of it voxel by voxel and {100 * regions['share']:.0f} % in the means of "
        "regions, a lower bound of what a T1 -> PET method can know; these PETs know "
        f"{100 * voxels['known']:.0f} % and {100 * regions['known']:.0f} %. The rest is each person's own metabolism, "
        "and noise."
    )
    if not found["collapsed"]:
        return text
    why = (
        f"less than {found['narrowest']:.2g} of the real variance"
        if voxels["ratio"] < found["narrowest"]
        else f"real PETs differ {voxels['slope']:.1f} times as much as these show"
    )
    return f"{text} COLLAPSED towards the mean ({why}): a normative set made from these images would be too narrow."


def failure_words(summary: Mapping[str, Any]) -> list[str]:
    """Whether the generators return training PETs or ignore the T1; empty where nothing is known of it."""
    paragraphs = []
    for role, found in summary["roles"].items():
        if "nearest_ratio" in found:
            ratio, verdict = found["nearest_ratio"], "no sign that PETs of the training set come out."
            if found["memorised"]:
                verdict = "MEMORISED: PETs of training controls come out for other people. Do not share them."
            paragraphs.append(
                f"Copies: the synthetic PET of a control is {ratio['median']:.2f} times as far from the nearest PET "
                f"that trained its generator as from the nearest of other people (median of {ratio['n']}; 1: no "
                f"nearer; 0: a copy), and {found['n_copies']} lie so near that they are copies: {verdict}"
            )
        if "t1_ratio" in found:
            verdict = " IGNORES THE T1: anybody's T1 gives the same PET." if found["ignores_t1"] else ""
            paragraphs.append(
                f"{_sentence(ROLE_WORDS[role])}: the synthetic PET from the own T1 is {found['t1_ratio']:.2f} times as "
                f"far from the real PET as one from somebody else's T1 (1: the T1 plays no role).{verdict}"
            )
    return paragraphs


_OTHERS = {"resampled": "with a residual added", "expected": "the ceiling"}


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


def settings_words(summary: Mapping[str, Any]) -> str:
    """What the numbers depend on, without which they compare with no others."""
    return (
        f"PSNR and SSIM for a data range of {summary['data_range']:.2f} SUVR; SSIM window: {summary['ssim_window']}, "
        f"voxels of {' x '.join(f'{mm:g}' for mm in summary['spacing_mm'])} mm. The whole box contains the empty "
        "background, and its numbers look better: never compare them with numbers of the brain."
    )


def metric_tables(summary: Mapping[str, Any]) -> list[Table]:
    """One table a role: methods in rows; in the brain and over the whole box."""
    metrics = ("mae", "psnr", "ssim")
    header = ["", *(f"{HEADINGS[m]}, {where}" for where in ("brain", "box") for m in metrics)]
    tables = []
    for role, found in summary["roles"].items():
        if "metrics" not in found:
            continue
        methods = list(found["metrics"]["mask"]["mae"])
        rows = [
            [METHOD_WORDS[k], *(_cell(found, region, m, k) for region in ("mask", "box") for m in metrics)]
            for k in methods
        ]
        caption = f"{found['n']} {ROLE_WORDS[role]}, {UNSEEN[role]}: mean ± standard deviation over subjects."
        tables.append(Table(header, rows, caption))
    return tables


def _cell(found: Mapping[str, Any], region: str, metric: str, method: str) -> str:
    value, form = found["metrics"][region][metric][method], FORMATS[metric]
    if value["mean"] is None:
        return "–"
    return f"{value['mean']:{form}}" + (f" ± {value['sd']:{form}}" if value["sd"] is not None else "")


def definitions_table(summary: Mapping[str, Any]) -> Table:
    """What every key of quality.json means."""
    rows = [(name, text) for name, text in summary["definitions"].items()]
    return Table(("key in quality.json", "definition"), rows, "Definitions, as written into quality.json.", prose=True)


def console_lines(summary: Mapping[str, Any]) -> list[str]:
    """The headline for the terminal: a small table, then the sentences."""
    lines = []
    for role, found in summary["roles"].items():
        if "metrics" in found:
            lines.append(f"{_sentence(ROLE_WORDS[role])} (n = {found['n']}), in the brain:")
            lines.append(f"  {'':24}{'MAE, SUVR':>16}{'SSIM':>16}{'PSNR, dB':>14}")
            for method in found["metrics"]["mask"]["mae"]:
                cells = [_cell(found, "mask", m, method) for m in ("mae", "ssim", "psnr")]
                lines.append(f"  {METHOD_WORDS[method]:24}{cells[0]:>16}{cells[1]:>16}{cells[2]:>14}")
            lines += [f"  {text}" for text in (gap_words(found), versus_words(found)) if text]
    if not lines:
        lines = headline(summary)
    told = summary.get("translation")  # only where it is not the usual one
    made = Translation(tuple(told["sources"]), told["target"]) if told else Translation()
    return made.put([*lines, *spread_words(summary), *failure_words(summary)])
