"""From measurements of single subjects to the numbers of quality.json: means, tests, intervals, definitions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthpet.quality.explainable import DEFINITIONS as EXPLAINED
from synthpet.quality.explainable import narrowness
from synthpet.quality.failures import DEFINITIONS as FAILURES
from synthpet.quality.failures import failures
from synthpet.quality.metrics import SSIM_WINDOW, bootstrap_gap_closed, gap_closed, variance_ratio
from synthpet.quality.source import BASELINES

if TYPE_CHECKING:
    from synthpet.quality.records import Measured, Spread

METRICS = ("mae", "rmse", "psnr", "ssim")
HIGHER_IS_BETTER = {"mae": False, "rmse": False, "psnr": True, "ssim": True}
COLUMNS = {
    "participant_id": "BIDS id",
    "role": "paired: cross-fitted, by the generator that did not see this PET; heldout, unpaired: mean of the "
    "folds' generators",
    "fold": "fold whose training controls make the mean PET (cross-fitted: also whose generator was used); n/a: all",
    "method": "mean_pet: mean real PET of the training controls (baseline); mean_brain_pet: the same over those "
    "in whose brain the voxel lies (stronger baseline); synthetic; expected: simulated cohorts "
    "only, the best that any T1 -> PET method can reach (ceiling)",
    "region": "mask: in the brain; box: the whole box, background (zero in all images) included",
    "mae": "mean absolute error, SUVR",
    "rmse": "root of the mean squared error, SUVR",
    "psnr": "peak signal-to-noise ratio, dB",
    "ssim": "structural similarity, -1 to 1",
    "deviation_correlation": "correlation across brain voxels of predicted and true deviation from the group's mean",
}
DEFINITIONS = {
    "truth": "paired and heldout: the measured PET; unpaired: simulated cohorts only, the withheld PET",
    "mean_pet": "baseline: voxelwise mean real PET of the fold's training controls (heldout, unpaired: of all paired)",
    "mean_brain_pet": "stronger baseline: the same mean, at each voxel only over those in whose brain it lies (the "
    "plain mean contains at the brain's edge the surroundings of other brains)",
    "expected": "ceiling, simulated cohorts only: PET given the anatomy, without individual effects and noise",
    "mask": "voxels of the subject's brain mask; images are set to zero outside it",
    "box": "all voxels of the image; images are set to zero outside the brain: background flatters every method",
    "mae": "mean |synthetic - real|, SUVR",
    "rmse": "sqrt(mean (synthetic - real)^2), SUVR",
    "psnr": "20 log10(data_range / rmse), dB",
    "ssim": f"Wang 2004, 3D, {SSIM_WINDOW}, L = data_range, population covariance; local index averaged over the "
    "region (mask: moments over the window's voxels within it; box: less the window's radius); the window is in "
    "voxels, so resolutions do not compare",
    "data_range": "SUVR, one number for all subjects and methods: maximum, within the brain, of the mean real PET of "
    "the paired controls (no noise peaks; SUVR begins at 0), unless set by evaluate.data_range",
    "gap_closed": "per baseline: (mae_baseline - mae_synthetic) / (mae_baseline - mae_expected), in the mask, "
    "ratio of the means over subjects; ci95: percentile bootstrap over subjects; median: of the subjects' own ratios",
    "versus": "per baseline, in the mask: share of subjects that are better with synthetic than with it, and the "
    "two-sided Wilcoxon signed-rank p of the paired differences",
    "variance_ratio": "mean between-subject variance over grey matter (template probability > 0.5, inside every "
    "brain), divided by that of the real PET, which contains noise; expected: the ceiling's",
    **EXPLAINED,
    **FAILURES,
    "between_subject_cv": "mean over grey matter of between-subject standard deviation / mean",
    "deviation_correlation": "per subject, Pearson r across brain voxels of (image - mean image of this role) with "
    "(real - mean real PET of this role); 0: nothing individual, 1: all of it",
    "regional_bias": "per region: mean over subjects of (regional mean - regional mean of the real PET), SUVR, its sd "
    "between subjects, and in percent of the real mean; regions: approximate, nearest labelled point",
    "seam_ratio": "mean absolute step between neighbouring voxels across patch borders over that elsewhere, brain "
    "only, mean over axes and subjects; real: the same places in the real PET; 1: no seam",
    "uncertainty": "mean over the brain of the voxelwise sd over the folds' generators, SUVR",
}


def summarise(
    measured: Mapping[str, Sequence["Measured"]],
    spreads: Mapping[str, "Spread"],
    region_names: Sequence[str],
    regions: NDArray[np.integer],
    training: Mapping[int, Sequence[str]],
    *,
    data_range: float,
    seed: int,
) -> dict[str, Any]:
    """The content of quality.json.

    Args:
        measured: role to what was measured on its subjects.
        spreads: role to the voxelwise moments.
        region_names: of the regional means.
        regions: (places,) region of each of ``profile_voxels``.
        training: fold to the participants that trained its generator; empty where that was another cohort.
        data_range: that SSIM and PSNR were computed with, SUVR.
        seed: of the bootstrap.
    """
    roles = {}
    for role, found in measured.items():
        roles[role] = {"n": len(found), **_spread(spreads[role]), **_model_alone(found)}
        if found[0].rows:
            roles[role] |= _against_truth(found, region_names, seed) | narrowness(found, regions)
    for role, flags in failures(measured, training).items():
        roles[role] |= flags
    with_truth = [role for role in roles if "metrics" in roles[role]]
    return {
        "headline_role": with_truth[0] if with_truth else None,
        "data_range": data_range,
        "ssim_window": SSIM_WINDOW,
        "roles": roles,
        "definitions": DEFINITIONS,
        "columns_of_quality_tsv": COLUMNS,
    }


def values_of(measured: Sequence["Measured"], metric: str, method: str, region: str = "mask") -> NDArray[np.float64]:
    """One number a subject, (n,), in the subjects' order; empty if the method was not measured."""
    rows = (row for found in measured for row in found.rows)
    return np.array(
        [row[metric] for row in rows if (row["method"], row["region"]) == (method, region) and metric in row]
    )


def _against_truth(found: Sequence["Measured"], region_names: Sequence[str], seed: int) -> dict[str, Any]:
    methods = list(dict.fromkeys(row["method"] for row in found[0].rows))
    summary: dict[str, Any] = {
        "metrics": {
            region: {m: {k: _statistics(values_of(found, m, k, region)) for k in methods} for m in METRICS}
            for region in ("mask", "box")
        },
        "deviation_correlation": {
            k: _statistics(v) for k in methods if (v := values_of(found, "deviation_correlation", k)).size
        },
        "regional_bias": _regional_bias(found, methods, region_names),
    }
    baselines = [baseline for baseline in BASELINES if baseline in methods]
    summary["versus"] = {b: {m: _paired_test(found, m, b) for m in METRICS} for b in baselines}
    if "expected" in methods:
        summary["gap_closed"] = {b: _gap(found, b, seed) for b in baselines}
    return summary


def _statistics(values: NDArray[np.float64]) -> dict[str, Any]:
    values = values[np.isfinite(values)]
    sd = float(values.std(ddof=1)) if values.size > 1 else None
    return {"mean": float(values.mean()) if values.size else None, "sd": sd, "n": int(values.size)}


def _paired_test(found: Sequence["Measured"], metric: str, baseline: str) -> dict[str, Any]:
    from scipy.stats import wilcoxon

    gain = values_of(found, metric, "synthetic") - values_of(found, metric, baseline)
    gain = gain if HIGHER_IS_BETTER[metric] else -gain
    p = float(wilcoxon(gain).pvalue) if gain.size > 1 and np.any(gain) else None
    return {"n_better": int((gain > 0).sum()), "n": int(gain.size), "share": float((gain > 0).mean()), "wilcoxon_p": p}


def _gap(found: Sequence["Measured"], baseline: str, seed: int) -> dict[str, Any]:
    errors = [values_of(found, "mae", method) for method in (baseline, "synthetic", "expected")]
    own = [gap_closed(*(error[[i]] for error in errors)) for i in range(len(found))]
    return {
        "value": gap_closed(*errors),
        "ci95": bootstrap_gap_closed(*errors, seed=seed) if len(found) > 1 else None,
        "median": float(np.median(own)),
        "n": len(found),
    }


def _regional_bias(
    found: Sequence["Measured"], methods: Sequence[str], region_names: Sequence[str]
) -> list[dict[str, Any]]:
    real = np.array([f.regional_means["real"] for f in found])
    table = []
    for number, name in enumerate(region_names):
        if np.isnan(real[:, number]).all():
            continue
        row: dict[str, Any] = {"region": name, "real_mean": float(np.nanmean(real[:, number]))}
        for method in methods:
            bias = np.array([f.regional_means[method][number] for f in found]) - real[:, number]
            row[method] = _statistics(bias)
            row[method]["percent"] = 100 * row[method]["mean"] / row["real_mean"]
        table.append(row)
    return table


def _spread(spread: "Spread") -> dict[str, Any]:
    moments, inside = spread.moments, spread.grey_matter
    if moments["synthetic"].n < 2 or not inside.any():
        return {}
    cv = {k: float(np.mean(np.sqrt(m.variance[inside]) / m.mean[inside].clip(1e-6))) for k, m in moments.items()}
    summary: dict[str, Any] = {"between_subject_cv": cv}
    if "real" in moments:
        ratios = {k: variance_ratio(m, moments["real"], mask=inside) for k, m in moments.items() if k != "real"}
        summary |= {"variance_ratio": ratios}
    return summary


def _model_alone(found: Sequence["Measured"]) -> dict[str, Any]:
    """What needs no truth: seams and uncertainty."""
    summary: dict[str, Any] = {}
    if found[0].seams:
        summary["seam_ratio"] = {k: _statistics(np.array([f.seams[k] for f in found])) for k in found[0].seams}
    known = np.array([f.uncertainty for f in found if f.uncertainty is not None])
    if known.size:
        summary["uncertainty"] = _statistics(known)
    return summary
