"""The comparison on the table of Zotova 2021, whose values are published."""

import numpy as np
import pytest

from synthpet.errors import DataError
from uad.comparison import compare_columns, make_page, plain_table, table_rows

MISS = np.nan
PUBLISHED = {
    "real": [MISS, 5, 3, 8, MISS, MISS, 1, MISS, 7, 4, MISS, MISS],
    "synthetic-semi3d": [MISS, 4, 4, MISS, MISS, 4, 1, 3, 1, 3, MISS, MISS],
    "synthetic-patch3d": [MISS, 1, 2, 1, MISS, 5, 3, 5, 1, MISS, MISS, 2],
}
COLUMNS = {name: np.array(ranks, float) for name, ranks in PUBLISHED.items()}
PATIENTS = [{"participant_id": f"sub-{letter}", "lesion_site": "other"} for letter in "ABCDEFGHIJKL"]


def test_the_published_table_is_regenerated():
    rows = {row["patient"]: row for row in table_rows(PATIENTS, COLUMNS, 10)}
    assert rows["sub-D"]["real"] == "8"
    assert rows["sub-D"]["synthetic-semi3d"] == "-"
    assert [rows["detected"][name] for name in COLUMNS] == ["6 of 12", "7 of 12", "8 of 12"]
    assert [rows["mean rank"][name] for name in COLUMNS] == ["4.7", "2.9", "2.5"]  # printed as 1.9: 20 / 8 is 2.5
    assert rows["mean rank, censored"]["real"] == f"{(28 + 6 * 11) / 12:.1f}"


def test_the_published_difference_is_called_not_distinguishable():
    found = compare_columns(COLUMNS, "real", max_clusters=10, seed=0, n_resamples=2000)
    test = found["synthetic-patch3d"]["mcnemar"]
    assert test["p_exact"] == pytest.approx(0.625)
    assert "not distinguishable at n = 12" in found["synthetic-patch3d"]["verdict"]
    assert found["real"]["verdict"] == "the reference"
    assert found["real"]["at_rank"]["5"]["difference"] == 0


def test_columns_of_different_patients_are_refused():
    with pytest.raises(DataError, match="E_PATIENTS"):
        compare_columns({"a": np.ones(3), "b": np.ones(4)}, "a", max_clusters=10, seed=0, n_resamples=10)


def test_the_page_says_synthetic_and_escapes_what_it_is_given():
    rows = table_rows([{"participant_id": "sub-1", "lesion_site": "<script>"}], {"real": np.array([1.0])}, 10)
    page = make_page({"zmap": rows}, {"zmap": {"real": {"verdict": "the reference"}}}, simulated=True).render()
    assert "<script>" not in page
    assert "SYNTHETIC" in page
    assert "SIMULATED" in page


def test_the_plain_table_is_aligned():
    lines = plain_table([{"a": "1", "bb": "22"}, {"a": "333", "bb": "4"}]).splitlines()
    assert lines == ["a    bb", "1    22", "333  4 "]
