"""What the stages of uad tell W&B, read from what they wrote."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthpet.cohort.files import read_tsv
from synthpet.cohort.manifest import Manifest
from synthpet.tracking import Product, Run, made_by
from synthpet.tracking.stages import synthetic_product

SUMMARY = (
    "n_patients", "n_detected", "sensitivity", "mean_rank", "mean_rank_censored", "false_clusters_per_control",
)  # fmt: skip
REPRESENTATION = (
    "reconstruction_error", "mean_patch_error", "cosine_matched", "cosine_unmatched", "effective_rank", "collapsed",
)  # fmt: skip


def detector_product(folder: Path) -> Product:
    """One seed's detector."""
    files = list(Manifest.read(folder).files())
    weights = tuple(path for path in files if path.suffix in (".safetensors", ".npz"))
    named = tuple(path for path in files if path.suffix == ".json")
    return replace(made_by(folder, "detector", f"{folder.parent.name}-{folder.name}"), models=weights, named=named)


def track_detector(run: Run, folder: Path, synthetic: Path | None) -> None:
    """A trained seed: how its latent vectors are, where there are some; an alert where they have collapsed.

    Args:
        run: of the detector.
        folder: of the detector's seed.
        synthetic: folder of the synthetic PET that was used.
    """
    if not run:
        return
    if synthetic is not None:
        run.uses(synthetic_product(synthetic))
    seed, report = folder.name, folder / "representation.json"
    found = json.loads(report.read_text()) if report.is_file() else {}
    run.summarise({f"{seed}/representation/{key}": found[key] for key in REPRESENTATION if key in found})
    run.summarise({f"{seed}/seconds": Manifest.read(folder).seconds})
    if found.get("collapsed"):
        name = f"{folder.parent.name} {seed}"
        run.alert("Collapsed autoencoder", f"{name}: its latent vectors are nearly the same everywhere")
    run.makes(detector_product(folder))


def track_evaluation(run: Run, folder: Path, options: Mapping[str, Any]) -> None:
    """The rank of each patient's lesion, and the headline of the first seed.

    Args:
        run: of the detector.
        folder: of the evaluation.
        options: of the evaluation, for the table of runs.
    """
    if not run:
        return
    run.configure(options)
    ranks = [{"participant_id": r.pop("participant_id"), **r} for r in read_tsv(folder / "ranks.tsv")]
    run.log_table("ranks", ranks, "participant_id", private=("lesion_site",))
    summary = json.loads((folder / "summary.json").read_text())
    run.summarise({f"evaluate/{key}": summary.get(key) for key in SUMMARY})
    seconds = Manifest.read(folder).seconds
    run.summarise({"evaluate/threshold": summary["calibration"]["threshold"], "evaluate/seconds": seconds})
    run.makes(evaluation_product(folder))


def evaluation_product(folder: Path) -> Product:
    """One evaluation of the cohort's patients."""
    return made_by(folder, "evaluation")


def track_comparison(
    run: Run, folder: Path, evaluations: Mapping[tuple[str, str], Path], options: Mapping[str, Any]
) -> None:
    """The table of patients x normative sets of every detector, and what each found.

    Args:
        run: of the comparison.
        folder: of the comparison.
        evaluations: folder of each detector and column.
        options: of the comparison, for the table of runs.
    """
    if not run:
        return
    run.configure(options)
    numbers: dict[str, Any] = {"compare/seconds": Manifest.read(folder).seconds}
    for (detector, column), evaluation in evaluations.items():
        run.uses(evaluation_product(evaluation))
        summary = json.loads((evaluation / "summary.json").read_text())
        for key in ("n_detected", "mean_rank_censored"):
            numbers[f"compare/{detector}/{column}/{key}"] = summary.get(key)
    run.log_table("rank_table", read_tsv(folder / "table.tsv"), "patient", private=("lesion_site",))
    run.summarise(numbers)
    run.makes(made_by(folder, "comparison"))
