"""What the stages of uad tell W&B, read from what they wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthpet.cohort.files import read_tsv
from synthpet.cohort.manifest import Manifest
from synthpet.tracking import Product, made_by, tracked
from synthpet.tracking.options import TrackedStudy
from synthpet.tracking.stages import log_rows, synthetic_product

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


def track_detector(study: TrackedStudy, folder: Path, seed: int, synthetic: Path | None) -> None:
    """A run of job type ``uad``: losses of the autoencoder where there is one, an alert where it has collapsed.

    Args:
        study: options of ``uad_train``.
        folder: of the detector's seed.
        seed: of the detector.
        synthetic: folder of the synthetic PET that was used.
    """
    name = f"{folder.parent.name} seed {seed}"
    with tracked(study, "uad", name, {"detector_seed": seed}) as run:
        if not run:
            return
        if synthetic is not None:
            run.uses(synthetic_product(synthetic))
        log_rows(run, folder / "metrics.jsonl")
        report = folder / "representation.json"
        found = json.loads(report.read_text()) if report.is_file() else {}
        run.summarise({f"representation/{key}": found[key] for key in REPRESENTATION if key in found})
        run.summarise({"seconds": Manifest.read(folder).seconds})
        if found.get("collapsed"):
            run.alert("Collapsed autoencoder", f"{name}: its latent vectors are nearly the same everywhere")
        run.makes(detector_product(folder))


def track_evaluation(study: TrackedStudy, folder: Path, detectors: Sequence[Path]) -> None:
    """A run of job type ``evaluate``: the rank of each patient's lesion, and the headline of the first seed.

    Args:
        study: options of ``uad_evaluate``.
        folder: of the evaluation.
        detectors: folder of each seed.
    """
    with tracked(study, "evaluate", folder.name) as run:
        if not run:
            return
        for detector in detectors:
            run.uses(detector_product(detector))
        ranks = [{"participant_id": r.pop("participant_id"), **r} for r in read_tsv(folder / "ranks.tsv")]
        run.log_table("ranks", ranks, "participant_id", private=("lesion_site",))
        summary = json.loads((folder / "summary.json").read_text())
        run.summarise({f"evaluate/{key}": summary.get(key) for key in SUMMARY})
        run.summarise(
            {"evaluate/threshold": summary["calibration"]["threshold"], "seconds": Manifest.read(folder).seconds}
        )
        run.makes(evaluation_product(folder))


def evaluation_product(folder: Path) -> Product:
    """One evaluation of the cohort's patients."""
    return made_by(folder, "evaluation")


def track_comparison(
    study: TrackedStudy, folder: Path, evaluations: Mapping[tuple[str, str], Path], reference: str
) -> None:
    """A run of job type ``compare``: the table of patients x normative sets of every detector, and what each found.

    Args:
        study: options of ``uad_compare``.
        folder: of the comparison.
        evaluations: folder of each detector and column.
        reference: the column that the others are tested against.
    """
    with tracked(study, "compare", "comparison", {"reference": reference}) as run:
        if not run:
            return
        numbers: dict[str, Any] = {"seconds": Manifest.read(folder).seconds}
        for (detector, column), evaluation in evaluations.items():
            run.uses(evaluation_product(evaluation))
            summary = json.loads((evaluation / "summary.json").read_text())
            for key in ("n_detected", "mean_rank_censored"):
                numbers[f"compare/{detector}/{column}/{key}"] = summary.get(key)
        run.log_table("rank_table", read_tsv(folder / "table.tsv"), "patient", private=("lesion_site",))
        run.summarise(numbers)
        run.makes(made_by(folder, "comparison"))
