"""What the stages of synthpet tell W&B, read from what they wrote."""

import json
from pathlib import Path
from typing import Any

from synthpet.cohort.files import read_tsv, sha256
from synthpet.cohort.manifest import OF_QUALITY, Manifest
from synthpet.cohort.text import read_rows
from synthpet.tracking.options import TrackedStudy
from synthpet.tracking.products import Product, fingerprint, made_by
from synthpet.tracking.run import Run, tracked

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


def track_completion(study: TrackedStudy, folder: Path, generators: list[Path]) -> None:
    """A run of job type ``complete``.

    Args:
        study: options of ``complete``.
        folder: of the synthetic PET.
        generators: folder of each fold that was used.
    """
    manifest = Manifest.read(folder)
    options = {key: manifest.config[key] for key in ("smooth_fwhm_mm", "histogram_matching", "residual", "stride")}
    with tracked(study, "complete", folder.name, {"complete": options}) as run:
        for generator in generators if run else ():
            run.uses(generator_product(generator))
        n_subjects = len(manifest.config["subjects"])
        run.summarise(
            {
                "complete/n_subjects": n_subjects,
                "complete/n_generators": len(generators),
                "complete/seconds_per_subject": manifest.seconds / max(1, n_subjects),
                "seconds": manifest.seconds,
            }
        )
        if run:
            run.makes(synthetic_product(folder))


def track_quality(study: TrackedStudy, folder: Path) -> None:
    """A run of job type ``quality``: the table of subjects, the headline, an alert where the set has collapsed.

    Args:
        study: options of ``evaluate``.
        folder: of the synthetic PET.
    """
    quality = json.loads((folder / "quality.json").read_text())
    role = quality["headline_role"]
    with tracked(study, "quality", folder.name, {"role": role, "data_range": quality["data_range"]}) as run:
        if not run:
            return
        run.uses(synthetic_product(folder))
        run.log_table("quality", read_tsv(folder / "quality.tsv"), "participant_id")
        run.summarise({**quality_summary(quality), "seconds": Manifest.read(folder, OF_QUALITY).seconds})
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


def log_rows(run: Run, path: Path) -> None:
    """The curves of a ``metrics.jsonl`` that is finished."""
    for row in read_rows(path) if run and path.is_file() else ():
        run.log({key: value for key, value in row.items() if key != "step" and value is not None}, row["step"])
