"""Several evaluations of the same patients side by side: the published table, with statistics that fit its size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from synthpet.cohort.files import read_tsv, write_json, write_text, write_tsv
from synthpet.command import compose
from synthpet.console import say
from synthpet.errors import DataError, UsageError
from synthpet.report.html import Page, Section, Table
from synthpet.stage import Stage
from uad.detection import RANKS, found_at_rank
from uad.evaluation import ensure_evaluation
from uad.statistics import censored_ranks, mcnemar, paired_bootstrap, verdict, wilcoxon_signed_rank, wilson_interval

OWN_OPTIONS = ("compare.", "detector=", "normative=", "gan=")  # not handed on to the single evaluations
MISSED = "-"


def ensure_comparison(cfg: DictConfig, overrides: Sequence[str] = ()) -> Path:
    """Compare detectors and normative sets on the cohort's patients; first run the evaluations that are missing.

    Args:
        cfg: configuration of ``uad_compare``.
        overrides: what the user changed on the command line; it holds for every evaluation.

    Returns:
        The folder ``comparison`` with ``table.tsv``, ``statistics.json`` and ``report.html``.

    Raises:
        UsageError: the reference is not among the columns.
    """
    if cfg.compare.reference not in cfg.compare.columns:
        raise UsageError(f"compare.reference={cfg.compare.reference}: expected one of {list(cfg.compare.columns)}")
    shared = [option for option in overrides if not option.startswith(OWN_OPTIONS)]
    ranks: dict[str, dict[str, NDArray[np.float64]]] = {}
    inputs: list[Path] = []
    patients: list[dict[str, str]] = []
    for detector in cfg.compare.detectors:
        ranks[detector] = {}
        for column in cfg.compare.columns:
            table = ensure_evaluation(_configure(detector, column, shared)) / "ranks.tsv"
            inputs.append(table)
            patients = _first_seed(read_tsv(table))
            ranks[detector][column] = _ranks(patients)
    folder = Path(cfg.work_dir) / "comparison"
    options = OmegaConf.to_container(cfg.compare)
    config = {"compare": options, "max_clusters": cfg.detection.max_clusters, "seed": cfg.seed}
    stage = Stage("comparison", folder, config, tuple(inputs))
    stage.ensure(lambda: _write(cfg, folder, patients, ranks))
    for line in (folder / "table.txt").read_text().splitlines():
        say(line)
    say(f"written: {folder / 'report.html'}")
    return folder


def _configure(detector: str, column: str, shared: Sequence[str]) -> DictConfig:
    normative, _, gan = column.partition("-")
    options = [f"detector={detector}", f"normative={normative}", *([f"gan={gan}"] if gan else [])]
    return compose("uad_evaluate", *options, *shared)


def _first_seed(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [row for row in rows if row["seed"] == rows[0]["seed"]]


def _ranks(rows: Sequence[Mapping[str, str]]) -> NDArray[np.float64]:
    return np.array([np.nan if row["rank"] == "n/a" else float(row["rank"]) for row in rows])


def _write(
    cfg: DictConfig,
    folder: Path,
    patients: Sequence[Mapping[str, str]],
    ranks: Mapping[str, Mapping[str, NDArray[np.float64]]],
) -> list[Path]:
    tables = {d: table_rows(patients, columns, cfg.detection.max_clusters) for d, columns in ranks.items()}
    statistics = {
        d: compare_columns(
            columns,
            cfg.compare.reference,
            max_clusters=cfg.detection.max_clusters,
            seed=cfg.seed,
            n_resamples=cfg.compare.n_resamples,
        )
        for d, columns in ranks.items()
    }
    rows = [{"detector": d, **row} for d, table in tables.items() for row in table]
    text = "\n".join(f"{d}\n{plain_table(table)}" for d, table in tables.items())
    simulated = cfg.cohort.source == "phantom"
    return [
        write_tsv(folder / "table.tsv", rows),
        write_json(folder / "statistics.json", statistics),
        write_text(folder / "table.txt", text + "\n"),
        write_text(folder / "report.html", make_page(tables, statistics, simulated).render()),
    ]


def table_rows(
    patients: Sequence[Mapping[str, str]], columns: Mapping[str, NDArray[np.float64]], max_clusters: int
) -> list[dict[str, str]]:
    """The published table: a patient a row, a normative set a column, in each cell the rank of the true cluster.

    Args:
        patients: rows with ``participant_id`` and ``lesion_site``.
        columns: (n_patients,) ranks of the true cluster, NaN where missed, by column.
        max_clusters: clusters kept; a miss counts as one more in the censored mean.
    """
    rows = [
        {"patient": p["participant_id"], "lesion_site": p["lesion_site"]}
        | {name: MISSED if np.isnan(r[k]) else f"{r[k]:.0f}" for name, r in columns.items()}
        for k, p in enumerate(patients)
    ]
    below: dict[str, dict[str, str]] = {"detected": {}, "95 % interval": {}, "mean rank": {}, "mean rank, censored": {}}
    for name, r in columns.items():
        n_found = int(np.isfinite(r).sum())
        interval = wilson_interval(n_found, r.size)
        below["detected"][name] = f"{n_found} of {r.size}"
        below["95 % interval"][name] = f"{interval.low:.2f} to {interval.high:.2f}"
        below["mean rank"][name] = f"{np.nanmean(r):.1f}" if n_found else "n/a"
        below["mean rank, censored"][name] = f"{censored_ranks(r, max_clusters).mean():.1f}"
    return rows + [{"patient": label, "lesion_site": ""} | cells for label, cells in below.items()]


def compare_columns(
    columns: Mapping[str, NDArray[np.float64]], reference: str, *, max_clusters: int, seed: int, n_resamples: int
) -> dict[str, Any]:
    """Each column against the reference, patient by patient.

    Args:
        columns: (n_patients,) ranks of the true cluster, NaN where missed.
        reference: a key of ``columns``.
        max_clusters: clusters kept.
        seed: of the bootstrap.
        n_resamples: of the bootstrap.

    Returns:
        By column: McNemar (exact and mid-p), signed-rank test on censored ranks, sensitivity at rank with the paired
        difference and its interval, and the verdict in words.

    Raises:
        DataError: columns of different patients.
    """
    if len({r.size for r in columns.values()}) != 1:
        raise DataError(f"E_PATIENTS columns of { ({k: v.size for k, v in columns.items()}) } patients; expected equal")
    base = columns[reference]
    result: dict[str, Any] = {}
    for name, ranks in columns.items():
        test = mcnemar(np.isfinite(ranks), np.isfinite(base))
        at_rank = {}
        for k in (k for k in RANKS if k <= max_clusters):
            difference = paired_bootstrap(
                found_at_rank(ranks, k), found_at_rank(base, k), seed=seed, n_resamples=n_resamples
            )
            at_rank[str(k)] = {
                "sensitivity": float(found_at_rank(ranks, k).mean()),
                "difference": difference.value,
                "interval": list(difference.interval),
            }
        all_found = paired_bootstrap(np.isfinite(ranks), np.isfinite(base), seed=seed, n_resamples=n_resamples)
        signed = wilcoxon_signed_rank(censored_ranks(ranks, max_clusters), censored_ranks(base, max_clusters))
        words = verdict(
            all_found.value, all_found.interval, test.p_exact, ranks.size, a=name, b=reference, measure="share detected"
        )
        result[name] = {
            "mcnemar": test._asdict(),
            "wilcoxon_censored_ranks": signed._asdict(),
            "at_rank": at_rank,
            "verdict": "the reference" if name == reference else words,
        }
    return result


def plain_table(rows: Sequence[Mapping[str, str]]) -> str:
    """The table in fixed width, for a terminal."""
    names = list(rows[0])
    widths = {n: max(len(n), *(len(row[n]) for row in rows)) for n in names}
    lines = ["  ".join(n.ljust(widths[n]) for n in names)]
    return "\n".join(lines + ["  ".join(row[n].ljust(widths[n]) for n in names) for row in rows])


def make_page(
    tables: Mapping[str, Sequence[Mapping[str, str]]], statistics: Mapping[str, Any], simulated: bool
) -> Page:
    """The comparison as a page."""
    sections = []
    for detector, rows in tables.items():
        names = list(rows[0])
        caption = (
            "Rank of the true cluster (1: the most suspicious place is the lesion; -: missed). Censored: misses count "
            "as one more than the clusters kept, so that a weak detector is not flattered."
        )
        table = Table(names, [[row[n] for n in names] for row in rows], caption, prose=True)
        words = [s["verdict"] for s in statistics[detector].values() if s["verdict"] != "the reference"]
        sections.append(Section(f"Detector: {detector}", words, [table]))
    notices = ["SYNTHETIC: columns called synthetic, completed or resampled learned from PET computed from T1."]
    if simulated:
        notices.append(
            "SIMULATED: these patients do not exist; the table says how the methods work, not how well on people."
        )
    return Page("Does synthetic PET serve as well as real PET?", sections, notices)
