"""Folds: every paired control is tested once, by a generator that never saw it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthpet.cohort import Fold, check_no_leakage, make_folds, read_folds, write_folds
from synthpet.errors import DataLeakageError, UsageError


@given(n=st.integers(2, 40), k=st.integers(2, 10), seed=st.integers(0, 99))
def test_test_sets_partition_the_subjects_and_never_train(n, k, seed):
    ids = [f"sub-{i:02d}" for i in range(n)]
    if k > n:
        with pytest.raises(UsageError, match="n_folds"):
            make_folds(ids, k, seed)
        return
    folds = make_folds(ids, k, seed)
    assert sorted(s for fold in folds for s in fold.test) == ids
    assert all(set(fold.train) == set(ids) - set(fold.test) for fold in folds)
    assert max(len(f.test) for f in folds) - min(len(f.test) for f in folds) <= 1


def test_folds_do_not_depend_on_the_order_of_the_table():
    ids = [f"sub-{i:02d}" for i in range(9)]
    assert make_folds(ids, 3, 0) == make_folds(ids[::-1], 3, 0)


def test_folds_are_read_back_as_written(tmp_path):
    folds = make_folds(["sub-a", "sub-b", "sub-c"], 3, 0)
    assert read_folds(write_folds(tmp_path / "folds.json", folds)) == folds
    assert "unpaired" not in (tmp_path / "folds.json").read_text()
    folds = tuple(replace(fold, unpaired=("sub-d",)) for fold in folds)
    assert read_folds(write_folds(tmp_path / "folds.json", folds)) == folds


@pytest.mark.parametrize(
    ("train", "test", "unpaired", "named"),
    [
        (("sub-00", "sub-01"), ("sub-01",), (), "sub-01"),  # on both sides
        (("sub-00", "sub-07"), ("sub-01",), (), r"sub-07 \(patient\)"),
        (("sub-00", "sub-06"), ("sub-01",), (), r"sub-06 \(heldout\)"),
        (("sub-00",), ("sub-99",), (), r"sub-99 \(unknown\)"),
        (("sub-00",), ("sub-01",), ("sub-04", "sub-01"), "in training and in test, .* sub-01"),
        (("sub-00",), ("sub-01",), ("sub-04", "sub-00"), "paired and unpaired: sub-00"),
        (("sub-00",), ("sub-01",), ("sub-04", "sub-02"), r"sub-02 \(paired\)"),
        (("sub-00",), ("sub-01",), ("sub-06",), r"sub-06 \(heldout\)"),
        (("sub-00",), ("sub-01",), ("sub-99",), r"sub-99 \(unknown\)"),
    ],
)
def test_a_leak_raises_with_the_subject(shared_cohort, train, test, unpaired, named):
    with pytest.raises(DataLeakageError, match=named):
        check_no_leakage(Fold(0, train, test, unpaired), shared_cohort)
    check_no_leakage(Fold(0, ("sub-00",), ("sub-01",), ("sub-04", "sub-05")), shared_cohort)
