"""The page of the comparison: what it says first, and what it must never leave out."""

import numpy as np
import pytest

from tests.uad.test_comparison import PUBLISHED, SETTINGS, outcome
from uad.comparison_figures import make_pictures
from uad.comparison_page import in_short, make_page
from uad.comparison_statistics import compare
from uad.comparison_table import table_rows


@pytest.fixture
def cells(tmp_path):
    columns = {name: outcome(tmp_path / f"evaluation-sae-{name}", r, r) for name, r in PUBLISHED.items()}
    return {"sae": columns, "<zmap>": columns}


@pytest.fixture
def page(cells):
    statistics = compare(cells, SETTINGS)
    tables = {name: table_rows(columns, 10) for name, columns in cells.items()}
    return make_page(cells, tables, statistics, make_pictures(cells, SETTINGS), SETTINGS, simulated=True).render()


def test_the_page_says_synthetic_simulated_and_escapes_what_it_is_given(page):
    assert "SYNTHETIC" in page and "SIMULATED" in page
    assert "<zmap>" not in page and "&lt;zmap&gt;" in page
    assert "../evaluation-sae-real/report.html" in page


def test_every_picture_is_a_png_with_words(cells):
    pictures = make_pictures(cells, SETTINGS)
    assert {name.partition("-")[0] for name in pictures} == {"table", "ranks", "sensitivity", "froc", "seeds"}
    assert all(p.png.startswith(b"\x89PNG") and p.caption and p.alt for p in pictures.values())


def test_the_answer_stands_first_and_never_says_equivalent(page, cells):
    words = in_short(compare(cells, SETTINGS))
    assert (
        "synthetic-patch3d against real, lesions detected of 12: not distinguishable with sae 8 against 6" in words[1]
    )
    assert "does not mean equal" in words[-1]
    assert page.index("The answer in short") < page.index("Detector: sae")
    assert "equivalent" not in page


def test_a_difference_that_holds_is_called_by_its_name(tmp_path):
    columns = {"real": outcome(tmp_path, [np.nan] * 12), "oracle": outcome(tmp_path, [1] * 12)}
    assert "better with zmap 12 against 0" in in_short(compare({"zmap": columns}, SETTINGS))[0]
