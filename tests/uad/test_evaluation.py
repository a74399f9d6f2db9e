"""The evaluation end to end on a small cohort: tables that agree, pages that exist, calibration kept apart."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort import Cohort, Subject, write_image
from synthpet.cohort.files import read_tsv
from synthpet.cohort.index import write_participants
from synthpet.errors import DataError
from tests.conftest import GRID, ellipsoid, study
from uad.detectors.train import ensure_detectors
from uad.evaluation.run import ensure_evaluation
from uad.findings.calibrated import near_edge, read_calibration, sweep
from uad.findings.clusters import ClusterRule, find_clusters

ROLES = ("paired",) * 8 + ("heldout",) * 3 + ("patient",) * 3
MASK = ellipsoid(0.9)
LESION = ((np.argwhere(np.ones(GRID.shape)) - (6, 12, 10)) ** 2).sum(1).reshape(GRID.shape) <= 6


def write_people(root: Path) -> None:
    """Smooth noise on an ellipsoid; every patient has the same lesion, the last one no mask of it."""
    subjects = [
        Subject(f"sub-{k:02d}", "patient" if role == "patient" else "control", role) for k, role in enumerate(ROLES)
    ]
    write_participants(root, subjects, name="test cohort", simulated=True)
    cohort = replace(Cohort(root, tuple(subjects), "5mm"))
    for seed, subject in enumerate(subjects):
        rng = np.random.default_rng(seed)
        t1w, noise = (ndimage.gaussian_filter(rng.normal(size=GRID.shape), 1) for _ in range(2))
        pet = 1 + 0.3 * noise - 0.6 * LESION * (subject.role == "patient")
        images = {"t1w": 0.5 + t1w, "pet": pet}
        for kind, data in images.items():
            write_image(cohort.path(subject.participant_id, kind), (data * MASK).astype(np.float32), GRID)
        write_image(cohort.path(subject.participant_id, "brain_mask"), MASK, GRID)
        if subject.role == "patient" and subject != subjects[-1]:
            write_image(cohort.path(subject.participant_id, "lesion_mask"), LESION, GRID)


def configure(folder: Path, *more: str):
    return study("uad_evaluate", f"cohort={folder / 'cohort'}", f"work_dir={folder}", "detector=zmap", *more)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    write_people(folder / "cohort")
    return ensure_evaluation(configure(folder))


@pytest.fixture
def copy(evaluated, tmp_path):
    return Path(shutil.copytree(evaluated.parent, tmp_path / "work"))


def test_the_lesions_are_found_and_the_counts_of_controls_are_those_of_labelling(evaluated):
    summary = json.loads((evaluated / "summary.json").read_text())
    assert (summary["n_detected"], summary["n_patients"], summary["mean_rank"]) == (2, 2, 1.0)
    cfg = configure(evaluated.parent)
    cohort, normative, detectors = ensure_detectors(cfg)
    rule = ClusterRule(summary["calibration"]["threshold"], cfg.detection.min_volume_mm3)
    counts = {}
    for subject in cohort.select("heldout"):
        z = detectors[0].z_map(normative.evaluated(cohort, subject.participant_id))["z"]
        counts[subject.participant_id] = len(find_clusters(z, MASK, cohort.grid, rule)[0])
    assert summary["control_counts"].items() > counts.items()
    assert summary["control_counts"].keys() - counts.keys() == {m.participant_id for m in normative.members}
    assert summary["calibration"]["n_learned_from"] == len(normative.members)
    assert summary["false_clusters_per_control"] == pytest.approx(np.mean(list(summary["control_counts"].values())))


def test_the_curve_passes_through_the_calibrated_point_and_is_the_mean_over_patients(evaluated):
    summary = json.loads((evaluated / "summary.json").read_text())
    curve = read_tsv(evaluated / "froc.tsv")
    thresholds = [float(row["threshold"]) for row in curve]
    assert thresholds == sorted(set(thresholds), reverse=True)
    (at,) = (row for row in curve if row["threshold"] == f"{summary['calibration']['threshold']:.6g}")
    assert float(at["sensitivity"]) == summary["sensitivity"]
    assert float(at["false_per_scan"]) == pytest.approx(summary["calibration"]["achieved"], abs=1e-5)
    found = read_tsv(evaluated / "froc_found.tsv")
    assert len(found) == 2 * len(curve)
    for row in curve:
        hits = [int(f["found"]) for f in found if f["threshold"] == row["threshold"]]
        assert np.mean(hits) == float(row["sensitivity"])


def test_a_patient_without_a_known_lesion_is_reported_but_counts_in_no_table(evaluated):
    summary = json.loads((evaluated / "summary.json").read_text())
    assert summary["lesion_free"]["n"] == 1
    assert list(summary["lesion_free"]["n_clusters"]) == ["sub-13"]
    for name in ("ranks", "voxel_metrics", "froc_found"):
        assert {row["participant_id"] for row in read_tsv(evaluated / f"{name}.tsv")} == {"sub-11", "sub-12"}
    assert "sub-13" in {row["participant_id"] for row in read_tsv(evaluated / "clusters.tsv")}
    assert "Known lesion" not in (evaluated / "sub-13" / "report.html").read_text()
    assert "Known lesion" in (evaluated / "sub-12" / "report.html").read_text()


def test_with_empty_lesion_masks_alone_nothing_is_scored(copy):
    cohort = Cohort.open(copy / "cohort")
    for subject in cohort.select("patient"):
        write_image(cohort.path(subject.participant_id, "lesion_mask"), np.zeros(GRID.shape, bool), GRID)
    folder = ensure_evaluation(configure(copy))
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["n_patients"], summary["lesion_free"]["n"]) == (0, 3)
    assert read_tsv(folder / "ranks.tsv") == []


def test_every_column_is_documented_and_every_patient_has_a_page(evaluated):
    for table in evaluated.glob("*.tsv"):
        about = json.loads(table.with_suffix(".json").read_text())
        header = table.read_text().splitlines()[0].split("\t")
        assert header == list(about), table
        assert all(column["Description"] for column in about.values())
    page = (evaluated / "report.html").read_text()
    links = re.findall(r'href="([^#"]+)"', page)
    assert sorted(links) == [f"sub-{k}/report.html" for k in (11, 12, 13)]
    assert all((evaluated / link).stat().st_size < 3_000_000 for link in links)
    assert "SIMULATED" in page and "For research only" in page


def test_what_changes_no_threshold_calibrates_nothing_again(copy, capsys):
    ensure_evaluation(configure(copy, "detection.rank_by=size"))
    said = capsys.readouterr().out
    assert re.search(r"calibration of .*: up to date", said)
    assert re.search(r"evaluation .*: making", said)
    ensure_evaluation(configure(copy, "detection.false_per_scan=1"))
    assert re.search(r"calibration of .*: making", capsys.readouterr().out)


def test_another_seed_trains_none_of_the_others_again(copy, capsys):
    ensure_detectors(configure(copy))
    capsys.readouterr()
    ensure_detectors(configure(copy, "detector.seeds=[0,1]"))
    said = capsys.readouterr().out
    assert "seed 0: up to date" in said
    assert "seed 1: making" in said


def test_one_after_the_other_and_side_by_side_give_the_same_bytes(evaluated, copy):
    name = evaluated.name
    shutil.rmtree(copy / name)
    folder = ensure_evaluation(configure(copy, "compute.n_jobs=1"))
    for path in evaluated.rglob("*"):
        if path.suffix in (".tsv", ".gz", ".png") or path.name == "summary.json":
            assert path.read_bytes() == (folder / path.relative_to(evaluated)).read_bytes(), path.name


def test_a_missing_image_of_a_held_out_control_or_patient_is_named(copy):
    cohort = Cohort.open(copy / "cohort")
    away = cohort.path("sub-09", "pet").rename(copy / "away.nii.gz")
    with pytest.raises(DataError, match=r"E_INVALID(.*\n)* *E_MISSING +sub-09 +sub-09/pet"):
        ensure_evaluation(configure(copy))
    away.rename(cohort.path("sub-09", "pet"))
    cohort.path("sub-12", "pet").unlink()
    with pytest.raises(DataError, match=r"E_PATIENTS.*\n.*missing: sub-12/pet"):
        ensure_evaluation(configure(copy))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["seed-0/statistics.npz", "t1w/statistics.npz", "seed-0/calibration.json"])
def test_a_detector_or_calibration_with_a_changed_byte_is_not_used(copy, name):
    path = copy / "uad-zmap-real" / name
    changed, before = bytearray(path.read_bytes()), content(copy / "evaluation-zmap-real")
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(DataError, match=rf"E_CHANGED .*{name}: SHA-256 \w+; expected \w+, as it was written"):
        ensure_evaluation(configure(copy))
    assert content(copy / "evaluation-zmap-real") == before


def test_what_only_the_table_tells_of_patients_reaches_tables(copy, capsys):
    cohort = Cohort.open(copy / "cohort")
    people = [replace(s, lesion_site="left insula" if s.role == "patient" else None) for s in cohort.subjects]
    write_participants(cohort.root, people, name="test cohort", simulated=True)
    folder = ensure_evaluation(configure(copy))
    assert {row["lesion_site"] for row in read_tsv(folder / "ranks.tsv")} == {"left insula"}
    assert "calibration of uad-zmap-real seed 0: up to date" in capsys.readouterr().out


def test_who_is_left_out_and_who_no_longer_is_stands_in_summary_and_pages(copy):
    path = Cohort.open(copy / "cohort").path("sub-07", "pet")  # of a paired control, who is in no other stage's input
    whole = path.read_bytes()
    told = {}
    for bytes_ in (b"", whole):
        path.write_bytes(bytes_)
        folder = ensure_evaluation(configure(copy, "on_invalid=skip"))
        told[bytes_] = json.loads((folder / "summary.json").read_text())["left_out"]
        pages = [page.read_text() for page in (*folder.rglob("report.html"), *folder.glob("*/*.html"))]
        assert pages and all(("LEFT OUT: 1 of 14" in page) == (bytes_ == b"") for page in pages)
    assert "sub-07" in told[b""][0] and told[whole] == []


def test_the_sweep_falls_from_no_false_cluster_to_the_most(evaluated):
    calibration, heldout = read_calibration(evaluated.parent / "uad-zmap-real" / "seed-0")
    counts = [sum(scan.at(t) for scan in heldout.counts.values()) for t in sweep(heldout, calibration.threshold)]
    assert counts[0] == 0
    assert counts[-1] == max(counts)
    assert heldout.kept == {who: scan.at(calibration.threshold) for who, scan in heldout.counts.items()}


def test_the_edge_is_what_lies_within_6_mm_of_the_outside():
    mask = np.zeros(GRID.shape, bool)
    mask[5:12, 5:12, 5:12] = True  # 5 mm voxels: one layer
    assert (near_edge(mask, GRID) == (mask & ~ndimage.binary_erosion(mask))).all()
