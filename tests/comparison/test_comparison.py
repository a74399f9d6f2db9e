"""Generators side by side: the table, a family of tests that the data cannot choose, and what makes it unfair."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from synthpet.comparison.costs import Cost, _steps_done, _training_seconds, budget_words
from synthpet.comparison.page import in_short
from synthpet.comparison.results import Result, check_same_people
from synthpet.comparison.statistics import BASELINE, MEASURES, OF_BASELINE, Settings, compare, planned
from synthpet.comparison.table import COLUMNS, COSTS, QUALITY, as_text, table_rows
from synthpet.errors import DataError, UsageError
from synthpet.learning.progress import PROCESSOR_SECONDS
from tests.conftest import study

SETTINGS = Settings(seed=0, n_resamples=500)
COST = Cost(600.0, 700.0, 3.0, 1_000_000, 1000, 131_072, 1000)
N = 20


def drawn(shift: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Measures of ``N`` people whose differences between methods are ``shift`` and a little chance."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=N)
    chance = np.random.default_rng(seed + 1000 + round(100 * shift)).normal(size=(len(MEASURES), N))
    return {m: people + MEASURES[m] * shift + 0.1 * noise for m, noise in zip(MEASURES, chance, strict=True)}


def with_baseline(**generators: dict) -> dict:
    return {**generators, BASELINE: drawn(0.0) | {"deviation_correlation": np.full(N, np.nan)}}


def test_the_better_generator_is_told_from_the_other_by_every_measure():
    found = compare(with_baseline(good=drawn(0.5), bad=drawn(0.1)), SETTINGS)
    between = {t["measure"]: t for t in found["tests"] if (t["a"], t["b"]) == ("good", "bad")}
    assert [between[m]["better"] for m in MEASURES] == ["good"] * len(MEASURES)
    assert between["mae"]["difference"] == pytest.approx(-0.4, abs=0.1)  # a lower error is better
    assert between["mae"]["n_better"] == N
    assert "good is better than bad" in " ".join(in_short(found))


def test_p_values_are_those_of_wilcoxon_corrected_for_every_planned_test():
    values = with_baseline(one=drawn(0.05), two=drawn(0.04), three=drawn(0.2))
    found = compare(values, SETTINGS)
    for test in found["tests"]:
        a, b = values[test["a"]][test["measure"]], values[test["b"]][test["measure"]]
        assert test["p"] == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue)
        assert test["p_holm"] >= test["p"]
    assert min(t["p"] for t in found["tests"]) * found["n_tests"] == pytest.approx(
        min(t["p_holm"] for t in found["tests"])
    )


def test_the_family_of_tests_follows_from_the_names_alone():
    names = ["a", "b", "c"]
    expected = 3 * len(MEASURES) + 3 * len(OF_BASELINE)
    assert len(list(planned(names))) == len(set(planned(names))) == expected
    unknown = {name: drawn(0.0) | {"deviation_correlation": np.full(N, np.nan)} for name in names}
    found = compare(with_baseline(**unknown), SETTINGS)
    assert (
        found["n_tests"] == expected == compare(with_baseline(**dict.fromkeys(names, drawn(0.3))), SETTINGS)["n_tests"]
    )
    silent = [t for t in found["tests"] if t["measure"] == "deviation_correlation"]
    assert {t["p"] for t in silent} == {1.0} and {t["better"] for t in silent} == {None}


def test_equal_generators_and_few_people_are_never_told_apart():
    alike = compare(with_baseline(one=drawn(0.3), two=drawn(0.3)), SETTINGS)
    assert not any(t["better"] for t in alike["tests"] if t["b"] == "two")
    few = {name: {m: v[:4] for m, v in values.items()} for name, values in with_baseline(one=drawn(9.0)).items()}
    found = compare(few, SETTINGS)
    assert found["least_p_holm"] == pytest.approx(3 * 2 / 2**4)
    assert not any(t["better"] for t in found["tests"])
    assert "nothing could have been told apart" in " ".join(in_short(found))


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (COST, "same"),
        (replace(COST, n_steps=400, steps_done=400), "other: 400 steps, not 1000"),
        (replace(COST, steps_done=300), "stopped early, at 300 of 1000"),
    ],
)
def test_another_budget_of_steps_is_said(cost, words):
    assert budget_words({"a": COST, "b": COST, "c": cost})["c"] == words


def test_time_and_steps_are_those_of_the_trainings_record(tmp_path):
    logs = [tmp_path / name for name in ("whole.jsonl", "continued.jsonl", "old.jsonl")]
    key = f'"{PROCESSOR_SECONDS}"'
    logs[0].write_text(f'{{"step": 9, {key}: 2.0}}\n{{"step": 14, "val/mae": 0.1}}\n{{"step": 19, {key}: 3.0}}\n')
    logs[1].write_text(f'{{"step": 9, {key}: 4.0}}\n')
    logs[2].write_text('{"step": 9, "train/loss_generator": 1.0}\n')
    assert _training_seconds(logs[:2]) == pytest.approx(4.5)
    assert _training_seconds(logs) is None  # a version that did not write it down
    assert [_steps_done(log, 24) for log in logs] == [24, 10, 10]  # rows are ten steps apart


def result(
    name: str, people: tuple[str, ...] = ("sub-1", "sub-2"), mae: float = 0.1, data_range: float = 1.5
) -> Result:
    """What one generator's evaluation would have written."""
    found = Result(name, folder=None, generators=None, n_steps=1000, voxels_per_step=131_072)
    statistic = {"mean": mae, "sd": 0.01, "n": len(people)}
    methods = dict.fromkeys(("mean_pet", "synthetic", "expected"), statistic)
    role = {
        "n": len(people),
        "metrics": {"mask": dict.fromkeys(("mae", "rmse", "psnr", "ssim"), methods)},
        "deviation_correlation": {"synthetic": statistic},
        "gap_closed": {"mean_pet": {"value": 0.25}},
        "variance_ratio": {"synthetic": 0.5},
        "regional_bias": [{"region": r, "synthetic": {"mean": b}, "mean_pet": {"mean": 0.0}, "expected": {"mean": 0.0}}
                          for r, b in (("left", -0.02), ("right", 0.04))],
    }  # fmt: skip
    rows = [
        {"participant_id": who, "role": "paired", "method": method, "region": "mask", "mae": "0.1"}
        for who in people
        for method in methods
    ]
    vars(found).update(quality={"data_range": data_range, "roles": {"paired": role}}, people=rows, folds=())
    return found


def test_the_table_reads_what_the_evaluations_wrote_with_baseline_and_ceiling_beside():
    results = {name: result(name) for name in ("a", "b")}
    rows = table_rows(results, {"a": COST, "b": replace(COST, train_processor_seconds=None)})
    assert [row["method"] for row in rows] == ["a", "b", "mean_pet", "expected"]
    assert all(list(row) == list(COLUMNS) for row in rows)
    assert rows[0]["regional_bias"] == pytest.approx(0.03)  # signs do not cancel
    assert [row["gap_closed"] for row in rows] == [0.25, 0.25, 0.0, 1.0]
    assert rows[1]["train_processor_seconds"] is None and rows[2]["n_parameters"] is None
    text = as_text(rows[0], QUALITY | COSTS)
    assert text["MAE, SUVR"] == "0.100 ± 0.010" and text["parameters"] == "1,000,000" and text["gap closed, %"] == "25%"


@pytest.mark.parametrize(
    ("other", "what"), [({"people": ("sub-1", "sub-3")}, "other people"), ({"data_range": 2.0}, "other data range")]
)
def test_other_people_or_another_range_are_refused(other, what):
    with pytest.raises(DataError, match=what):
        check_same_people({"a": result("a"), "b": result("b", **other)})


def test_options_of_the_command_line_hold_for_every_generator():
    found = study("compare", "compare.generators=[semi3d,unet3d]", "gan.n_steps=50", "gan=patch3d", "study=tiny")
    assert list(found.evaluations) == ["semi3d", "unet3d"]
    assert {one.gan.n_steps for one in found.evaluations.values()} == {50}
    assert [one.gan.name for one in found.evaluations.values()] == ["semi3d", "unet3d"]
    assert all(a.cohort == b.cohort for a, b in pairwise([found, *found.evaluations.values()]))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("compare.generators=[semi3d,semi3d]", "each generator once"),
        ("complete.generators=elsewhere", "complete.generators"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_work(option, words, tmp_path):
    from synthpet.comparison.run import ensure_generators_compared

    with pytest.raises(UsageError, match=words):
        ensure_generators_compared(study("compare", "compare.generators=[unet3d]", option, f"work_dir={tmp_path}/out"))
    assert not (tmp_path / "out").exists()


def test_generators_of_other_folds_are_refused_before_any_work(tmp_path):
    from synthpet.comparison.run import ensure_generators_compared

    whole = study("compare", "compare.generators=[semi3d,unet3d]", f"work_dir={tmp_path}/out")
    other = whole.evaluations["unet3d"]
    changed = {**whole.evaluations, "unet3d": replace(other, gan=replace(other.gan, n_folds=7))}
    with pytest.raises(UsageError, match=r"semi3d 4, unet3d 7; expected one number"):
        ensure_generators_compared(replace(whole, evaluations=changed))
    assert not (tmp_path / "out").exists()
