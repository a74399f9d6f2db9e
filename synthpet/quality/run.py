"""How good the synthetic PET of a cohort is: measured subject by subject, beside baseline and ceiling.

Memory holds a handful of volumes (mean PETs, voxelwise moments), whatever the number of subjects.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.checks.cohort import open_cohort
from synthpet.cohort.files import write_json, write_tsv
from synthpet.cohort.manifest import OF_QUALITY
from synthpet.quality.explainable import predictors
from synthpet.quality.failures import profile, profile_voxels
from synthpet.quality.metrics import (
    Moments,
    deviation_correlation,
    mae,
    patch_borders,
    psnr,
    regional_means,
    rmse,
    seam_ratio,
    ssim,
)
from synthpet.quality.options import QualityStudy
from synthpet.quality.records import Evaluation, Measured, Spread
from synthpet.quality.source import BASELINES, IMAGES, ROLES, Case, Source
from synthpet.quality.summary import summarise
from synthpet.quality.translation import Translation
from synthpet.runtime.compute import in_threads
from synthpet.runtime.console import progress
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.template.regions import grey_matter, named_regions
from synthpet.tracking import Run
from synthpet.tracking.stages import track_quality

METHODS = (*BASELINES, "synthetic", "expected")
MIN_SEAM_STEPS = 500  # a few voxels at the brain's edge, where every image is steep, do not make a seam
CORRELATED = ("synthetic", "expected")  # a mean PET has no individual deviation to correlate


def evaluate(
    source: Source,
    *,
    data_range: float | None = None,
    borders: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> Evaluation:
    """Evaluate the synthetic PETs of a cohort.

    Args:
        source: the cohort with its real PETs (and, if simulated, the expected and withheld ones), and the synthetic.
        data_range: of SSIM and PSNR in SUVR; None: ``Source.data_range``.
        borders: voxel indices of patch borders, one list an axis (``quality.patch_borders``); None: no seam check.
        seed: of the bootstrap.
        n_jobs: subjects measured side by side (threads).

    Returns:
        What quality.json holds (documented under its key ``definitions``), and what figures need.
    """
    found_range = source.data_range  # reads the baselines, once, before threads share them
    peak = data_range or found_range
    measured: dict[str, list[Measured]] = {}
    spreads: dict[str, Spread] = {}
    for role in ROLES:
        cases = [case for case in source.cases if case.role == role]
        if cases:
            spreads[role] = spread = measure_spread(source, cases)
            measure = partial(measure_case, source, spread=spread, data_range=peak, borders=borders)
            running = in_threads(measure, cases, n_jobs)
            measured[role] = list(progress(running, f"measuring {role} controls", len(cases)))
    regions = named_regions(source.cohort.grid)
    places = regions.labels.ravel()[profile_voxels(source.cohort.grid)]
    summary = summarise(measured, spreads, regions.names, places, source.training, data_range=peak, seed=seed)
    summary |= {"simulated_cohort": source.is_simulated, "spacing_mm": source.cohort.grid.spacing_mm}
    rows = [row for role in measured for found in measured[role] for row in found.rows]
    if not source.translation.is_default:
        summary["translation"] = {"sources": source.translation.sources, "target": source.translation.target}
    for key in ("definitions", "columns_of_quality_tsv"):
        summary[key] = source.translation.put(summary[key])
    return Evaluation(source, summary, rows, measured, spreads)


def measure_spread(source: Source, cases: Sequence[Case]) -> Spread:
    """Voxelwise mean and variance between the cases, each zero outside its brain; one pass over the disk."""
    images = [image for image in ("real", *IMAGES) if all(source.has(case, image) for case in cases)]
    moments = {image: Moments() for image in images}
    brain = np.ones(source.cohort.grid.shape, bool)
    for case in cases:
        mask = source.cohort.load_mask(case.participant_id)
        brain = brain & mask
        for image in images:
            moments[image].add(source.load(case, image) * mask)
    return Spread(moments, brain, brain & grey_matter(source.cohort.grid))


def measure_case(
    source: Source, case: Case, spread: Spread, data_range: float, borders: Sequence[Sequence[int]] | None
) -> Measured:
    """Measure one case: every method against the truth, if there is one."""
    mask = source.cohort.load_mask(case.participant_id)
    regions = named_regions(source.cohort.grid)
    labels = np.where(mask, regions.labels, 0)
    methods = [method for method in METHODS if source.has(case, method)]
    images = {image: source.load(case, image) for image in (["real"] if case.truth else []) + methods}
    rows = measure_methods(case, images, spread, mask, data_range) if case.truth else []
    uncertainty = source.load(case, "uncertainty")[mask].mean() if source.has(case, "uncertainty") else None
    seen = {image: images[image] for image in ("synthetic", "real") if image in images}
    voxels = profile_voxels(source.cohort.grid)
    return Measured(
        case,
        rows,
        {image: regional_means(volume, labels, len(regions.names)) for image, volume in images.items()},
        {image: seam_ratio(volume, mask, borders, min_steps=MIN_SEAM_STEPS) for image, volume in seen.items()}
        if borders is not None
        else {},
        None if uncertainty is None else float(uncertainty),
        {image: profile(volume, mask, voxels) for image, volume in seen.items()},
        predictors(source.cohort, case.participant_id, mask, voxels, source.translation.sources)
        if case.truth
        else None,
    )


def measure_methods(
    case: Case,
    images: Mapping[str, NDArray[np.float32]],
    spread: Spread,
    mask: NDArray[np.bool_],
    data_range: float,
) -> list[dict[str, Any]]:
    """Rows of quality.tsv of one case: method x region of evaluation.

    A synthetic PET exists only in the brain: for the whole box, too, all images are set to zero outside the
    brain, as skull-stripped images are in the published numbers.
    """
    rows = []
    target = images["real"] * mask
    for method in (image for image in images if image != "real"):
        pred = images[method] * mask
        for region, voxels in (("mask", mask), ("box", None)):
            row = {
                "participant_id": case.participant_id,
                "role": case.role,
                "fold": case.fold,
                "method": method,
                "region": region,
                "mae": mae(pred, target, mask=voxels),
                "rmse": rmse(pred, target, mask=voxels),
                "psnr": psnr(pred, target, mask=voxels, data_range=data_range),
                "ssim": ssim(pred, target, mask=voxels, data_range=data_range),
            }
            if voxels is not None and method in CORRELATED and method in spread.moments:
                row["deviation_correlation"] = deviation_correlation(
                    pred,
                    target,
                    mean_pred=spread.moments[method].mean,
                    mean_target=spread.moments["real"].mean,
                    mask=mask,
                )
            rows.append(row)
    return rows


def ensure_evaluated(study: QualityStudy) -> Path:
    """Evaluate the synthetic PETs of a configuration unless that is done; first run what is missing before it.

    Returns:
        The folder of the synthetic PETs, now also with quality.tsv, quality.json, figures/ and report.html.
    """
    from synthpet.completion.write import with_stored_translation
    from synthpet.generators.watched import generator_run

    study = with_stored_translation(study)
    with generator_run(study) as run:  # of which its training and completion are part, where they are missing
        return _ensure_evaluated(study, run)


def source_of(study: QualityStudy, folder: Path) -> Source:
    """What the evaluation of a configuration reads, with the synthetic images in this folder."""
    from synthpet.completion.write import generators_source

    return Source(
        open_cohort(study), folder, Translation(study.gan.sources, study.gan.target), generators_source(study)
    )


def _ensure_evaluated(study: QualityStudy, run: Run) -> Path:
    from synthpet.completion.write import ensure_completed

    folder, gan = ensure_completed(study), study.gan
    source = source_of(study, folder)
    geometry = {"patch_size": list(gan.patch_size), "stride": list(gan.stride)}
    config = {"generator": gan.name, "data_range": study.evaluate.data_range, "seed": study.seed, **geometry}
    config |= source.cohort.told()
    if not gan.is_default:
        config |= {"translation": gan.translation}
    stage = Stage(f"quality {gan.name}", folder, config, source.files(), manifest=OF_QUALITY)
    if stage.ensure(lambda: _write(source, folder, config, n_jobs=study.compute.n_jobs)):
        track_quality(run, folder, plain(study.evaluate))
    return folder


def _write(source: Source, folder: Path, config: Mapping[str, Any], n_jobs: int) -> list[Path]:
    from synthpet.quality.page import write_report

    found = evaluate(
        source,
        data_range=config["data_range"],
        borders=patch_borders(source.cohort.grid.shape, config["patch_size"], config["stride"]),
        seed=config["seed"],
        n_jobs=n_jobs,
    )
    return [
        write_json(folder / "quality.json", found.summary | {"left_out": list(source.cohort.left_out)}),
        write_tsv(folder / "quality.tsv", found.rows, found.summary["columns_of_quality_tsv"]),
        *write_report(found, folder, config),
    ]
