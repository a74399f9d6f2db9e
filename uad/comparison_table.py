"""The published table: patients x normative sets, the rank of the true cluster in each cell, summaries below."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import read_tsv
from synthpet.errors import DataError
from uad.detection import across_seeds
from uad.statistics import censored_ranks, wilson_interval
from uad.voxel_metrics import DEFINITIONS as VOXEL_METRICS

MISSED = "-"
METRIC_WORDS = {
    "au_roc": "AU ROC",
    "au_roc_30": "AU ROC 30",
    "au_prc": "AU PRC",
    "au_pro": "AU PRO",
    "au_pro_30": "AU PRO 30",
    "best_dice": "best Dice",
}


@dataclass(frozen=True)
class Outcome:
    """What one evaluation found; seeds in the order in which they were run.

    Args:
        folder: of the evaluation.
        patients: ids, in the order of all arrays.
        lesion_sites: of the patients.
        ranks: seed to (n,) rank of the true cluster, NaN where missed.
        strict: the same with the stricter criterion.
        summaries: seed to its part of ``summary.json``.
        froc: (m, 2) false clusters per control and sensitivity over thresholds, of the first seed; m = 0: not known.
    """

    folder: Path
    patients: tuple[str, ...]
    lesion_sites: tuple[str, ...]
    ranks: Mapping[int, NDArray[np.float64]]
    strict: Mapping[int, NDArray[np.float64]]
    summaries: Mapping[int, Mapping[str, Any]]
    froc: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))

    @classmethod
    def read(cls, folder: Path) -> "Outcome":
        """From the folder that ``uad.evaluation.ensure_evaluation`` returns.

        Raises:
            DataError: a seed lacks patients that another has.
        """
        rows = read_tsv(folder / "ranks.tsv")
        seeds = list(dict.fromkeys(int(row["seed"]) for row in rows))
        of_seed = {seed: [row for row in rows if int(row["seed"]) == seed] for seed in seeds}
        first = of_seed[seeds[0]]
        patients = tuple(row["participant_id"] for row in first)
        if odd := [s for s in seeds if tuple(row["participant_id"] for row in of_seed[s]) != patients]:
            raise DataError(f"E_PATIENTS {folder / 'ranks.tsv'}: seeds {odd} list other patients than seed {seeds[0]}")
        summaries = json.loads((folder / "summary.json").read_text())["seeds"]
        return cls(
            folder,
            patients,
            tuple(row["lesion_site"] for row in first),
            {seed: _ranks(found, "rank") for seed, found in of_seed.items()},
            {seed: _ranks(found, "rank_strict") for seed, found in of_seed.items()},
            {seed: summaries[str(seed)] for seed in seeds},
            _read_froc(folder / "froc.tsv", seeds[0]),
        )

    @property
    def first(self) -> NDArray[np.float64]:
        """Ranks of the first seed, (n,): those of the table and of the tests."""
        return next(iter(self.ranks.values()))

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary of the first seed."""
        return next(iter(self.summaries.values()))

    @property
    def control_counts(self) -> NDArray[np.int64] | None:
        """Clusters kept in each held-out control, (m,), first seed; None: an evaluation that did not write them."""
        counts = self.summary.get("control_counts")
        return None if not counts else np.asarray(counts, int)


def _ranks(rows: Sequence[Mapping[str, str]], column: str) -> NDArray[np.float64]:
    return np.array([np.nan if row[column] == "n/a" else float(row[column]) for row in rows])


def _read_froc(path: Path, seed: int) -> NDArray[np.float64]:
    rows = [row for row in read_tsv(path) if int(row["seed"]) == seed] if path.is_file() else []
    points = np.array([(float(row["false_per_scan"]), float(row["sensitivity"])) for row in rows]).reshape(-1, 2)
    return points[np.lexsort((points[:, 1], points[:, 0]))]


def check_same_patients(outcomes: Mapping[str, Mapping[str, Outcome]]) -> None:
    """A comparison is paired: every cell (detector to column to outcome) is of the same patients in the same order.

    Raises:
        DataError: naming the evaluations that are not.
    """
    cells = [cell for columns in outcomes.values() for cell in columns.values()]
    odd = [f"{cell.folder}: {len(cell.patients)} patients" for cell in cells if cell.patients != cells[0].patients]
    if odd:
        raise DataError(
            f"E_PATIENTS expected the {len(cells[0].patients)} patients of {cells[0].folder} in every evaluation, "
            "found others in\n  " + "\n  ".join(odd)
        )


def table_rows(columns: Mapping[str, Outcome], max_clusters: int) -> list[dict[str, str]]:
    """The table of one detector, as text: a patient a row, then the summaries.

    Args:
        columns: the outcome by normative set.
        max_clusters: clusters kept; a miss counts as one more in the censored mean.

    Returns:
        Rows with ``patient``, ``lesion_site`` and a cell a column; cells of patients show the first seed.
    """
    one = next(iter(columns.values()))
    rows = [
        {"patient": patient, "lesion_site": site}
        | {name: MISSED if np.isnan(o.first[k]) else f"{o.first[k]:.0f}" for name, o in columns.items()}
        for k, (patient, site) in enumerate(zip(one.patients, one.lesion_sites, strict=True))
    ]
    below = {name: _below(outcome, max_clusters) for name, outcome in columns.items()}
    labels = next(iter(below.values()))
    return rows + [
        {"patient": label, "lesion_site": ""} | {name: cells[label] for name, cells in below.items()}
        for label in labels
    ]


def _below(outcome: Outcome, max_clusters: int) -> dict[str, str]:
    ranks, strict, n = outcome.first, next(iter(outcome.strict.values())), outcome.first.size
    n_found, n_strict = int(np.isfinite(ranks).sum()), int(np.isfinite(strict).sum())
    interval = wilson_interval(n_found, n)
    false = outcome.summary.get("false_clusters_per_control")
    metrics = outcome.summary.get("voxel_metrics", {})
    return {
        "detected": f"{n_found} of {n}",
        "95 % interval": f"{interval.low:.2f} to {interval.high:.2f}",
        "mean rank": f"{np.nanmean(ranks):.1f}" if n_found else "n/a",
        "mean rank, censored": f"{censored_ranks(ranks, max_clusters).mean():.1f}",
        "detected, strict": f"{n_strict} of {n}",
        "detected, each seed": spread_text(across_seeds(outcome.summaries, "n_detected"), len(outcome.summaries)),
        "censored, each seed": spread_text(
            across_seeds(outcome.summaries, "mean_rank_censored"), len(outcome.summaries)
        ),
        "false per control": "n/a" if false is None else f"{false:.1f}",
        **{METRIC_WORDS[name]: _metric(metrics.get(name)) for name in VOXEL_METRICS},
    }


def spread_text(spread: Mapping[str, float], n_seeds: int) -> str:
    """Mean ± sample standard deviation [least–most] over seeds; with one seed there is no spread to state."""
    if n_seeds == 1:
        return "one seed"
    return f"{spread['mean']:.1f} ± {spread['sd']:.1f} [{spread['min']:.3g}–{spread['max']:.3g}]"


def _metric(found: Mapping[str, float | None] | None) -> str:
    if found is None or found["mean"] is None:
        return "n/a"
    return f"{found['mean']:.2f}" + ("" if found["sd"] is None else f" ± {found['sd']:.2f}")


def plain_table(rows: Sequence[Mapping[str, str]]) -> str:
    """The table in fixed width, for a terminal; a heading such as ``synthetic-patch3d`` takes two lines."""
    names = list(rows[0])
    parts = {name: name.partition("-") for name in names}
    first = {name: normative + hyphen for name, (normative, hyphen, _) in parts.items()}
    second = {name: gan for name, (_, _, gan) in parts.items()}
    body = [first, *([second] if any(second.values()) else []), *rows]
    widths = {name: max(len(row[name]) for row in body) for name in names}
    return "\n".join("  ".join(row[name].ljust(widths[name]) for name in names).rstrip() for row in body)
