"""What the stages of synthpet tell W&B, read from what they wrote."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthpet.cohort.files import read_tsv, sha256
from synthpet.cohort.manifest import OF_QUALITY, Manifest
from synthpet.tracking.products import Product, fingerprint, made_by
from synthpet.tracking.run import Run

GENERATOR, CONFIG = "generator.safetensors", "config.yaml"
SHOWN = ("mae", "rmse", "psnr", "ssim")  # of quality.json, in the brain


def generator_product(folder: Path) -> Product:
    """One fold's generator, known by its weights."""
    weights = folder / GENERATOR
    facts = {"bytes": weights.stat().st_size}
    name, found = f"{folder.parent.name}-{folder.name}", fingerprint([sha256(weights)])
    return Product("generator", name, found, (weights,), (folder / CONFIG,), facts)


def synthetic_product(folder: Path) -> Product:
    """The synthetic PET of a cohort."""
    return made_by(folder, "synthetic-set")


def track_generators(run: Run, folders: Sequence[Path]) -> None:
    """Folds that were trained.

    Args:
        run: of the generator.
        folders: of the folds.
    """
    for folder in folders if run else ():
        run.summarise({f"{folder.name}/seconds": Manifest.read(folder).seconds})
        run.makes(generator_product(folder))


def track_completion(run: Run, folder: Path, generators: Sequence[Path]) -> None:
    """The synthetic PET that was written.

    Args:
        run: of the generator.
        folder: of the synthetic PET.
        generators: folder of each fold that was used and belongs to another study.
    """
    if not run:
        return
    manifest = Manifest.read(folder)
    keys = ("smooth_fwhm_mm", "histogram_matching", "residual", "stride")
    run.configure({"complete": {key: manifest.config[key] for key in keys}})
    for generator in generators:
        run.uses(generator_product(generator))
    n_subjects = len(manifest.config["subjects"])
    run.summarise(
        {
            "complete/n_subjects": n_subjects,
            "complete/seconds_per_subject": manifest.seconds / max(1, n_subjects),
            "complete/seconds": manifest.seconds,
        }
    )
    run.makes(synthetic_product(folder))


def track_quality(run: Run, folder: Path, evaluate: Mapping[str, Any]) -> None:
    """The table of subjects, the headline, an alert where the set has collapsed.

    Args:
        run: of the generator.
        folder: of the synthetic PET.
        evaluate: options of the measurement.
    """
    if not run:
        return
    quality = json.loads((folder / "quality.json").read_text())
    run.configure({"evaluate": evaluate, "role": quality["headline_role"], "data_range": quality["data_range"]})
    run.log_table("quality", read_tsv(folder / "quality.tsv"), "participant_id")
    run.summarise({**quality_summary(quality), "quality/seconds": Manifest.read(folder, OF_QUALITY).seconds})
    collapsed = [name for name, found in quality["roles"].items() if found.get("collapsed")]
    if collapsed:
        run.alert("Collapsed synthetic PET", f"{folder.name}: too alike between subjects ({', '.join(collapsed)})")


def quality_summary(quality: dict[str, Any]) -> dict[str, Any]:
    """The numbers of ``quality.json`` that make a table of runs, of the headline's role."""
    found = quality["roles"].get(quality["headline_role"] or "", {})
    metrics = found.get("metrics", {}).get("mask", {})
    summary = {f"quality/{name}": metrics[name]["synthetic"]["mean"] for name in SHOWN if name in metrics}
    for baseline in ("mean_pet", "expected"):
        if baseline in metrics.get("mae", {}):
            summary[f"quality/mae_{baseline}"] = metrics["mae"][baseline]["mean"]
    return summary | {
        "quality/n": found.get("n"),
        "quality/gap_closed": found.get("gap_closed", {}).get("mean_pet", {}).get("value"),
        "quality/variance_ratio": found.get("variance_ratio", {}).get("synthetic"),
        "quality/collapsed": found.get("collapsed"),
    }


def track_generator_table(run: Run, folder: Path, synthetic: Sequence[Path], options: Mapping[str, Any]) -> None:
    """The table of generators.

    Args:
        run: of the comparison.
        folder: of the comparison.
        synthetic: folder of each generator's synthetic images.
        options: of the comparison, for the table of runs.
    """
    if not run:
        return
    run.configure({"compare": options})
    for images in synthetic:
        run.uses(synthetic_product(images))
    run.log_table("generators", read_tsv(folder / "table.tsv"), "method")
    run.summarise({"compare/seconds": Manifest.read(folder).seconds})
    run.makes(made_by(folder, "comparison", "generators"))
