"""Every benchmark of ``make bench`` runs at a tiny size and gives finished rows; nothing is timed here."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "benchmarks"
SLOW = ("bench_scaling", "bench_memory")  # run commands on several cohorts, whatever their size
NAMES = [
    pytest.param(path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
    for path in sorted(FOLDER.glob("bench_*.py"))
]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_gives_its_rows(name, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.chdir(tmp_path)
    rows = importlib.import_module(name).rows
    if "tiny" not in inspect.signature(rows).parameters:
        pytest.skip(f"{name} has no tiny size")
    found = list(rows(tiny=True))
    assert found
    assert all(len(row) == 6 and all(isinstance(cell, str) and cell for cell in row) for row in found)


def test_rows_in_turn_take_the_shortest_of_each(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    table = importlib.import_module("table")
    order = []
    table.in_turn(lambda: order.append("ours"), lambda: order.append("theirs"), repeats=2)
    assert order == ["ours", "theirs", "ours", "theirs"]
    assert table.faster("part", "other", 0.5, 1.25, "2x").ratio == "2.50x"


def test_the_table_is_printed_by_a_program_that_knows_no_tests_of_itself(tmp_path):
    command = [sys.executable, FOLDER / "table.py", "--tiny", "viewer"]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "page with a viewer" in printed
    assert (tmp_path / "outputs/benchmarks/table.md").read_text().count("page with a viewer") >= 2


def test_lesions_of_one_anatomy_count_once(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    shared = importlib.import_module("shared_anatomies")
    who = [shared.anatomy_of(name) for name in ("sub-02lesion1", "sub-01lesion1", "sub-02lesion2", "sub-01lesion2")]
    np.testing.assert_array_equal(shared.by_anatomy(who, np.array([1.0, 0.0, 0.0, 0.5])), [0.25, 0.5])
    assert shared.sign_flip_p(np.array([0.1, 0.2, 0.3, 0.1])) == 2 / 16  # four anatomies cannot give less
    assert shared.sign_flip_p(np.zeros(4)) == 1
