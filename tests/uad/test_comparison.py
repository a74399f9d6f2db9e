"""The comparison on the table of Zotova 2021, whose values are published, and on small tables worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from synthpet.cohort import Fold, write_folds
from synthpet.cohort.files import write_json, write_text, write_tsv
from synthpet.errors import DataError, UsageError
from synthpet.report.plain import plain_table
from tests.conftest import study
from uad.comparison.run import _as_learned, _columns, _synthetic
from uad.comparison.statistics import Settings, best_detector, compare, oracle_share
from uad.comparison.table import ROWS, Froc, Outcome, check_same_patients, table_rows
from uad.detectors.train import uses_synthesis, with_translation
from uad.evaluation.run import evaluation_folder
from uad.scores.lesions import COLUMNS

MISS = np.nan
PUBLISHED = {
    "real": [MISS, 5, 3, 8, MISS, MISS, 1, MISS, 7, 4, MISS, MISS],
    "synthetic-semi3d": [MISS, 4, 4, MISS, MISS, 4, 1, 3, 1, 3, MISS, MISS],
    "synthetic-patch3d": [MISS, 1, 2, 1, MISS, 5, 3, 5, 1, MISS, MISS, 2],
}
CURVE = ("seed", "threshold", "sensitivity", "false_per_scan")
HITS = ("participant_id", "seed", "threshold", "found")
SETTINGS = Settings("real", max_clusters=10, false_per_scan=3.0, seed=0, n_resamples=2000)


def summary(ranks, **more):
    found = np.isfinite(ranks)
    return {
        "n_detected": int(found.sum()),
        "mean_rank_censored": float(np.where(found, ranks, 11).mean()),
        "false_clusters_per_control": 3.0,
        "voxel_metrics": {"au_roc": {"mean": 0.8, "sd": 0.1}, "best_dice": {"mean": 0.25, "sd": None}},
        **more,
    }


def outcome(folder, *ranks_of_seeds):
    ranks = {seed: np.array(ranks, float) for seed, ranks in enumerate(ranks_of_seeds)}
    n = len(ranks_of_seeds[0])
    return Outcome(
        folder,
        tuple(f"sub-{'ABCDEFGHIJKLMNOPQRST'[k] if k < 20 else k}" for k in range(n)),
        ("left insula",) * n,
        ranks,
        {seed: np.where(values <= 3, values, MISS) for seed, values in ranks.items()},
        {seed: summary(values) for seed, values in ranks.items()},
    )


@pytest.fixture
def published(tmp_path):
    return {name: outcome(tmp_path / f"evaluation-sae-{name}", ranks) for name, ranks in PUBLISHED.items()}


def test_the_published_table_is_regenerated(published):
    rows = {row["patient"]: row for row in table_rows(published, 10)}
    assert rows["sub-D"]["real"] == "8"
    assert rows["sub-D"]["synthetic-semi3d"] == "-"
    assert [rows["detected"][name] for name in PUBLISHED] == ["6 of 12", "7 of 12", "8 of 12"]
    assert [rows["mean rank"][name] for name in PUBLISHED] == ["4.7", "2.9", "2.5"]  # printed as 1.9: 20 / 8 is 2.5
    assert rows["mean rank, censored"]["real"] == f"{(28 + 6 * 11) / 12:.1f}"
    assert rows["95 % interval"]["real"] == "0.25 to 0.75"
    assert rows["detected, strict"]["real"] == "2 of 12"
    assert rows["AU ROC"]["real"] == "0.80 ± 0.10"
    assert (rows["best Dice"]["real"], rows["AU PRC"]["real"]) == ("0.25", "n/a")


def test_rows_below_the_table_give_the_spread_over_seeds(tmp_path):
    three = outcome(tmp_path, [1, 2, MISS, MISS], [1, MISS, MISS, MISS], [1, 2, 3, MISS])
    rows = {row["patient"]: row for row in table_rows({"real": three}, 10)}
    assert rows["detected"]["real"] == "2 of 4"  # the first seed
    assert set(ROWS) <= set(rows)
    assert (rows["detected, all seeds"]["real"], rows["detected, range"]["real"]) == ("2.0 ± 1.0", "[1–3]")
    assert (rows["censored, all seeds"]["real"], rows["censored, range"]["real"]) == ("6.3 ± 2.1", "[4.2–8.5]")
    one = {row["patient"]: row for row in table_rows({"real": outcome(tmp_path, [1, 2])}, 10)}
    assert "detected, all seeds" not in one


def test_the_published_difference_is_called_not_distinguishable(published):
    found = compare({"sae": published}, SETTINGS)["columns"]["sae"]
    test = found["synthetic-patch3d"]["detected"]
    assert test["p_exact"] == pytest.approx(0.625)
    assert (test["only_a"], test["only_b"]) == (3, 1)
    assert "not distinguishable at n = 12" in found["synthetic-patch3d"]["verdict"]
    assert found["real"]["verdict"] == "the reference"
    assert found["real"]["at_rank"]["5"]["difference"] == 0
    assert found["synthetic-patch3d"]["at_rank"]["1"]["sensitivity"] == pytest.approx(3 / 12)


def test_all_deciding_p_values_of_a_run_are_corrected_together(tmp_path):
    worse = outcome(tmp_path / "w", [MISS] * 12)
    good = outcome(tmp_path / "g", [1.0] * 12)
    found = compare({"zmap": {"real": worse, "oracle": good, "matched": worse}}, SETTINGS)
    assert (found["n_tests"], found["n_below_level"]) == (4, 2)  # also the column that turns out equal was planned
    detected = found["columns"]["zmap"]["oracle"]["detected"]
    assert detected["p_holm"] == pytest.approx(4 * detected["p_exact"]) == pytest.approx(8 / 2**12)
    assert "oracle is higher than real at n = 12" in found["columns"]["zmap"]["oracle"]["verdict"]
    assert found["columns"]["zmap"]["matched"]["verdict"] == "matched and real give every patient the same rank"


def test_the_froc_area_is_over_the_thresholds_up_to_the_accepted_rate(tmp_path):
    rates = np.array([0.0, 1.0, 2.0, 6.0])
    first, missed = outcome(tmp_path / "a", [1, 2]), outcome(tmp_path / "b", [MISS, MISS])
    first = replace(first, froc=Froc(rates, np.array([[0, 0], [1, 0], [1, 1], [1, 1]])))
    missed = replace(missed, froc=Froc(rates, np.zeros((4, 2))))
    found = compare({"zmap": {"real": missed, "oracle": first}}, SETTINGS)["columns"]["zmap"]["oracle"]["froc_area"]
    assert found["area"] == pytest.approx(np.mean([2 / 3, 1 / 3]))
    assert found["difference"] == pytest.approx(0.5)
    assert found["interval"] == pytest.approx([1 / 3, 2 / 3])


def test_an_evaluation_without_froc_has_no_froc_area(published):
    assert compare({"sae": published}, SETTINGS)["columns"]["sae"]["synthetic-semi3d"]["froc_area"] is None


def test_every_other_detector_is_held_against_the_best(tmp_path):
    ranks = {"zmap": [5, MISS, 1, 1], "residual": [4, MISS, 1, 1], "asymmetry": [1, MISS, MISS, 1]}
    cells = {name: {"real": outcome(tmp_path / name, values)} for name, values in ranks.items()}
    assert best_detector({name: cell["real"] for name, cell in cells.items()}, 10) == "residual"
    found = compare(cells, SETTINGS)
    assert found["best_detector"] == "residual" and found["detectors"]["residual"]["verdict"] == "the reference"
    assert found["detectors"]["asymmetry"]["detected"]["only_b"] == 1
    assert found["n_tests"] == 4


def test_the_share_of_the_oracles_gain(tmp_path):
    values = {"real": [1, MISS, MISS, MISS], "completed-patch3d": [1, 4, MISS, MISS], "oracle": [1, 1, 1, MISS]}
    columns = {name: outcome(tmp_path / name, ranks) for name, ranks in values.items()}
    found = oracle_share(columns, 10)["completed-patch3d"]
    assert found["detected"]["share"] == 0.5
    assert found["mean_rank_censored"]["share"] == pytest.approx((34 - 27) / (34 - 14))
    assert "lesions detected of 4: 50 % of the gain (real 1, completed-patch3d 2, oracle 3)" in found["words"]
    columns["oracle"] = columns["real"]
    assert "lesions detected of 4: no gain to share" in oracle_share(columns, 10)["completed-patch3d"]["words"]
    del columns["oracle"]
    assert oracle_share(columns, 10) is None


def test_evaluations_of_different_patients_are_refused(tmp_path):
    cells = {"zmap": {"real": outcome(tmp_path / "one", [1, 1]), "oracle": outcome(tmp_path / "two", [1, 1, 1])}}
    with pytest.raises(DataError, match=r"(?s)E_PATIENTS expected the 2 patients of .*one.*two: 3 patients"):
        check_same_patients(cells)


def write_evaluation(folder, ids_of_seeds):
    row = dict.fromkeys(COLUMNS, 0) | {"lesion_site": "right insula", "detected": True}
    rows = [
        row | {"participant_id": who, "seed": seed, "rank": rank, "rank_strict": None}
        for seed, ids in ids_of_seeds.items()
        for rank, who in enumerate(ids, start=1)
    ]
    write_tsv(folder / "ranks.tsv", rows, COLUMNS)
    write_json(folder / "summary.json", {"seeds": {seed: summary(np.ones(2)) for seed in ids_of_seeds}})
    return folder


def test_an_evaluation_is_read_back_by_seed(tmp_path):
    folder = write_evaluation(tmp_path, {3: ["sub-1", "sub-2"], 0: ["sub-1", "sub-2"]})
    curve = [(3, 5.0, 1.0, 1.0), (3, 6.0, 0.5, 0.5), (0, 6.0, 1.0, 0.0)]
    hits = [
        ("sub-2", 3, 6.0, 0),
        ("sub-1", 3, 6.0, 1),
        ("sub-1", 3, 5.0, 1),
        ("sub-2", 3, 5.0, 1),
        ("sub-1", 0, 6.0, 1),
    ]
    for name, keys, rows in (("froc", CURVE, curve), ("froc_found", HITS, hits)):
        write_tsv(folder / f"{name}.tsv", [dict(zip(keys, row, strict=True)) for row in rows])
    found = Outcome.read(folder)
    assert list(found.ranks) == [3, 0] and found.patients == ("sub-1", "sub-2")
    np.testing.assert_array_equal(found.first, [1, 2])
    assert np.isnan(found.strict[0]).all()
    np.testing.assert_array_equal(found.froc.false_per_scan, [0.5, 1.0])  # the first seed's, from strict to lenient
    np.testing.assert_array_equal(found.froc.found, [[1, 0], [1, 1]])


def test_seeds_of_different_patients_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"ranks\.tsv: seeds \[1\] list other patients than seed 0"):
        Outcome.read(write_evaluation(tmp_path, {0: ["sub-1", "sub-2"], 1: ["sub-1", "sub-3"]}))


def test_an_evaluation_of_patients_whose_lesions_nobody_knows_is_refused(tmp_path):
    write_tsv(tmp_path / "ranks.tsv", [], COLUMNS)
    with pytest.raises(DataError, match=r"ranks\.tsv: no patient with a lesion mask"):
        Outcome.read(tmp_path)


def test_the_plain_table_is_aligned_and_breaks_long_headings():
    lines = plain_table([{"a": "1", "bb": "22"}, {"a": "333", "bb": "4"}]).splitlines()
    assert lines == ["a    bb", "1    22", "333  4"]
    lines = plain_table([{"patient": "sub-1", "completed-patch3d": "22"}]).splitlines()
    assert lines == ["patient  completed-", "         patch3d", "sub-1    22"]


def test_the_oracle_is_left_out_where_nobody_knows_everybodys_true_pet(tmp_path, capsys):
    write_json(tmp_path / "dataset_description.json", {"Simulated": False})
    cfg = study("uad_compare", f"cohort={tmp_path}")
    assert "oracle" in cfg.compare.columns and "oracle" not in _columns(cfg)
    assert "column oracle left out" in capsys.readouterr().out
    write_json(tmp_path / "dataset_description.json", {"Simulated": True})
    assert _columns(cfg) == list(cfg.compare.columns)
    with pytest.raises(UsageError, match=r"compare\.reference=reel: expected one of \['real', "):
        _columns(study("uad_compare", "compare.reference=reel"))


def test_the_page_shows_the_pictures_of_the_translation_that_was_made(tmp_path):
    cfg = study("uad_compare", "gan.sources=[t1w,flair]", f"work_dir={tmp_path}")
    folder = tmp_path / "synthetic-patch3d-t1w+flair-to-pet"
    assert _synthetic(cfg, ["real", "completed-patch3d"]) == {"patch3d-t1w+flair-to-pet": folder}


def test_generators_of_another_study_name_the_folders_by_their_own_translation(tmp_path):
    stored = study("train", "gan.sources=[t1w,flair]").gan
    write_folds(tmp_path / "folds.json", [Fold(0, ("sub-01",), ("sub-02",))])
    write_text(tmp_path / "fold-0" / "config.yaml", yaml.safe_dump({"gan": stored.values, "precision": "32-true"}))
    cfg = study("uad_evaluate", "normative=completed", f"complete.generators={tmp_path}")
    assert (
        evaluation_folder(with_translation(cfg)).name
        == "evaluation-residual_conditional-completed-patch3d-t1w+flair-to-pet"
    )
    real = study("uad_evaluate", "detector=zmap", f"complete.generators={tmp_path / 'none'}")
    assert with_translation(real) == real  # generators that nobody uses are not looked at


def test_the_matched_column_names_the_generator_whose_smoothness_it_takes():
    cfg = study("uad_compare", "study=tiny", "compare.columns=[real,matched-semi3d]").evaluations[
        "zmap", "matched-semi3d"
    ]
    assert cfg.normative.smooth_fwhm_mm == "match"
    assert uses_synthesis(cfg)
    assert evaluation_folder(cfg).as_posix() == "outputs/phantom-tiny/evaluation-zmap-matched-semi3d"


@pytest.mark.parametrize(
    ("detector", "n_folders"), [("residual", 3), ("residual_conditional", 3), ("zmap_conditional", 3), ("zmap", 6)]
)
def test_a_detector_of_measured_pet_runs_once_for_sets_that_differ_by_synthetic_pet(detector, n_folders, tmp_path):
    found = study("uad_compare", f"compare.detectors=[{detector}]", f"work_dir={tmp_path}")
    folders = {column: evaluation_folder(_as_learned(cell)).name for (_, column), cell in found.evaluations.items()}
    assert len(folders) == 6 and len(set(folders.values())) == n_folders
    if n_folders == 3:  # real people, the same with the other generator's expectation, and everybody's true PET
        assert folders["real"] == folders["resampled-patch3d"] != folders["synthetic-semi3d"]
