"""The published table: patients x normative sets, the rank of the true cluster in each cell, summaries below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import read_tsv
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError
from synthpet.statistics.intervals import wilson_interval
from synthpet.statistics.paired import censored_ranks
from uad.scores.lesions import STRICT_MM, across_seeds
from uad.scores.voxel_metrics import DEFINITIONS as VOXEL_METRICS

MISSED = "-"
METRIC_WORDS = {
    "au_roc": "AU ROC",
    "au_roc_30": "AU ROC 30",
    "au_prc": "AU PRC",
    "au_pro": "AU PRO",
    "au_pro_30": "AU PRO 30",
    "best_dice": "best Dice",
}
ROWS = {  # below the patients
    "detected": "patients in whom a kept cluster touches the lesion",
    "95 % interval": "of the share detected, Wilson",
    "mean rank": "of the true cluster, detected patients only, as published: flatters a detector that finds few",
    "mean rank, censored": "over all patients, a miss taken as the worst kept rank plus one",
    "detected, strict": f"the cluster's centre of mass lies, besides, within {STRICT_MM:g} mm of the lesion",
    "detected, all seeds": "mean ± sample standard deviation over the detector's seeds; only where there are several",
    "detected, range": "[least–most] over the seeds",
    "censored, all seeds": "as detected, all seeds, of the censored mean rank",
    "censored, range": "[least–most] over the seeds",
    "false per control": "mean number of kept clusters of a real control",
    **{
        METRIC_WORDS[name]: f"mean ± standard deviation over patients; {words}" for name, words in VOXEL_METRICS.items()
    },
}


class Froc(NamedTuple):
    """What the FROC curve is made of, a setting a threshold, by rising rate of false clusters."""

    false_per_scan: NDArray[np.float64]  # (s,), mean number of clusters of a real control
    found: NDArray[np.float64]  # (s, n patients) of 0 or 1


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
        froc: of the first seed; None: an evaluation that did not write it.
        normative: the set that the detector learned from.
    """

    folder: Path
    patients: tuple[str, ...]
    lesion_sites: tuple[str, ...]
    ranks: Mapping[int, NDArray[np.float64]]
    strict: Mapping[int, NDArray[np.float64]]
    summaries: Mapping[int, Mapping[str, Any]]
    froc: Froc | None = None
    normative: str = ""

    @classmethod
    def read(cls, folder: Path, normative: str = "") -> "Outcome":
        """From the folder that ``uad.evaluation.run.ensure_evaluation`` returns.

        Args:
            folder: of the evaluation.
            normative: the set that the detector learned from.

        Raises:
            DataError: no patient with a known lesion, or a seed lacks patients that another has.
        """
        rows = read_tsv(folder / "ranks.tsv")
        if not rows:
            raise DataError(
                f"E_PATIENTS {folder / 'ranks.tsv'}: no patient with a lesion mask; a comparison needs to know which "
                "cluster is the true one"
            )
        seeds = list(dict.fromkeys(int(row["seed"]) for row in rows))
        of_seed = {seed: [row for row in rows if int(row["seed"]) == seed] for seed in seeds}
        first = of_seed[seeds[0]]
        patients = tuple(row["participant_id"] for row in first)
        if odd := [s for s in seeds if tuple(row["participant_id"] for row in of_seed[s]) != patients]:
            raise DataError(f"E_PATIENTS {folder / 'ranks.tsv'}: seeds {odd} list other patients than seed {seeds[0]}")
        summaries = read_json_object(folder / "summary.json")["seeds"]
        return cls(
            folder,
            patients,
            tuple(row["lesion_site"] for row in first),
            {seed: _ranks(found, "rank") for seed, found in of_seed.items()},
            {seed: _ranks(found, "rank_strict") for seed, found in of_seed.items()},
            {seed: summaries[str(seed)] for seed in seeds},
            _read_froc(folder, seeds[0], patients),
            normative,
        )

    @property
    def first(self) -> NDArray[np.float64]:
        """Ranks of the first seed, (n,): those of the table and of the tests."""
        return next(iter(self.ranks.values()))

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary of the first seed."""
        return next(iter(self.summaries.values()))


def _ranks(rows: Sequence[Mapping[str, str]], column: str) -> NDArray[np.float64]:
    return np.array([np.nan if row[column] == "n/a" else float(row[column]) for row in rows])


def _read_froc(folder: Path, seed: int, patients: Sequence[str]) -> Froc | None:
    if not ((folder / "froc.tsv").is_file() and (folder / "froc_found.tsv").is_file()):
        return None
    curve, found = (
        [row for row in read_tsv(folder / name) if int(row["seed"]) == seed] for name in ("froc.tsv", "froc_found.tsv")
    )
    curve.sort(key=lambda row: (float(row["false_per_scan"]), -float(row["threshold"])))
    hits = {(row["participant_id"], row["threshold"]): float(row["found"]) for row in found}
    return Froc(
        np.array([float(row["false_per_scan"]) for row in curve]),
        np.array([[hits[who, row["threshold"]] for who in patients] for row in curve]),
    )


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
        Rows with ``patient``, ``lesion_site`` and a cell a column; all are of the first seed but those below the
        patients that are called ``all seeds`` and ``range``, which are there if any column has several seeds.
    """
    one = next(iter(columns.values()))
    rows = [
        {"patient": patient, "lesion_site": site}
        | {name: MISSED if np.isnan(o.first[k]) else f"{o.first[k]:.0f}" for name, o in columns.items()}
        for k, (patient, site) in enumerate(zip(one.patients, one.lesion_sites, strict=True))
    ]
    several = any(len(outcome.ranks) > 1 for outcome in columns.values())
    below = {name: _below(outcome, max_clusters, several_seeds=several) for name, outcome in columns.items()}
    labels = next(iter(below.values()))
    return rows + [
        {"patient": label, "lesion_site": ""} | {name: cells[label] for name, cells in below.items()}
        for label in labels
    ]


def _below(outcome: Outcome, max_clusters: int, *, several_seeds: bool) -> dict[str, str]:
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
        **(_spread(outcome) if several_seeds else {}),
        "false per control": "n/a" if false is None else f"{false:.1f}",
        **{METRIC_WORDS[name]: _metric(metrics.get(name)) for name in VOXEL_METRICS},
    }


def _spread(outcome: Outcome) -> dict[str, str]:
    """Mean ± sample standard deviation and [least–most] over seeds."""
    cells = {}
    for what, key, form in (("detected", "n_detected", ".0f"), ("censored", "mean_rank_censored", ".1f")):
        spread = across_seeds(outcome.summaries, key)
        sd = "" if np.isnan(spread["sd"]) else f" ± {spread['sd']:.1f}"
        cells[f"{what}, all seeds"] = f"{spread['mean']:.1f}{sd}"
        cells[f"{what}, range"] = f"[{spread['min']:{form}}–{spread['max']:{form}}]"
    return cells


def _metric(found: Mapping[str, float | None] | None) -> str:
    if found is None or found["mean"] is None:
        return "n/a"
    return f"{found['mean']:.2f}" + ("" if found["sd"] is None else f" ± {found['sd']:.2f}")
