"""The page of the comparison: what it says first, and what it must never leave out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.uad.test_comparison import PUBLISHED, SETTINGS, outcome
from uad.comparison.cells import generator_pictures, quality_parts, rank_table
from uad.comparison.figures import _few, make_pictures
from uad.comparison.page import in_short, kind_of, make_page
from uad.comparison.statistics import compare
from uad.comparison.table import Froc, table_rows


@pytest.fixture(scope="module")
def cells():
    froc = Froc(np.arange(3.0), np.zeros((3, 12)))
    columns = {n: replace(outcome(Path(f"evaluation-sae-{n}"), r, r), froc=froc) for n, r in PUBLISHED.items()}
    return {"sae": columns, "<zmap>": columns}


@pytest.fixture(scope="module")
def pictures(cells):
    return make_pictures(cells, SETTINGS)


@pytest.fixture(scope="module")
def page(cells, pictures):
    statistics = compare(cells, SETTINGS)
    tables = {name: table_rows(columns, 10) for name, columns in cells.items()}
    return make_page(cells, tables, statistics, pictures, SETTINGS, simulated=True).render()


def test_the_page_says_synthetic_simulated_and_escapes_what_it_is_given(page):
    assert "SYNTHETIC" in page and "SIMULATED" in page
    assert "<zmap>" not in page and "&lt;zmap&gt;" in page
    assert "../evaluation-sae-real/report.html" in page


def test_every_picture_is_a_png_with_words(pictures):
    assert {name.partition("-")[0] for name in pictures} == {"table", "ranks", "sensitivity", "froc", "seeds"}
    assert all(p.image.startswith(b"\x89PNG") and p.caption and p.alt for p in pictures.values())


@pytest.mark.filterwarnings("error")
def test_many_patients_of_one_rank_leave_room_for_the_lines(tmp_path):
    columns = {n: outcome(tmp_path / f"evaluation-{n}", [1] * 80) for n in ("real", "oracle")}
    assert _few([f"p{k}" for k in range(80)]).endswith("p7 and 72 more")
    assert _few(["p0", "p1"]) == "p0, p1"
    make_pictures({"zmap": columns}, SETTINGS)


def test_behind_each_cell_stands_the_patients_picture_and_summaries_stay_below(tmp_path):
    columns = {n: outcome(tmp_path / f"evaluation-{n}", [1, np.nan]) for n in ("real", "oracle")}
    who = columns["real"].patients[0]
    folder = columns["real"].folder / who
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("page")
    Image.new("RGB", (760, 240)).save(folder / f"{who}_projections.png")
    table = rank_table("zmap", columns, 10, 100)
    found, missing = table.rows[0][2:]
    assert found.href == f"../evaluation-real/{who}/report.html" and found.picture.image[8:12] == b"WEBP"
    assert "found at rank 1" in found.picture.caption and found.shade > 0.9
    assert missing == "1"  # no page, no link
    assert table.rows[1][2:] == ["missed", "missed"] and table.foot == [["detected", "", "1 of 2", "1 of 2"]]
    assert rank_table("zmap", columns, 10, 3).rows[0][2].picture is None  # no room left
    (folder / "report.html").rename(folder.parent / "report.html")
    assert rank_table("zmap", columns, 10, 100).rows[0][2].href == "../evaluation-real/report.html"


def test_without_several_seeds_the_page_says_that_the_spread_is_unknown(tmp_path):
    columns = {n: outcome(tmp_path / n, [1, 2]) for n in ("real", "oracle")}
    tables, statistics = {"zmap": table_rows(columns, 10)}, compare({"zmap": columns}, SETTINGS)
    html = make_page({"zmap": columns}, tables, statistics, {}, SETTINGS, simulated=False).render()
    assert "trained with one seed only" in html and "SIMULATED" not in html


def test_the_answer_stands_first_and_never_says_equivalent(page, cells):
    words = in_short(compare(cells, SETTINGS))
    assert "With 12 patients, no difference from real is distinguishable" in words[0] and "(comparisons: 4)" in words[0]
    assert "8 against 6 of 12: not distinguishable, difference +0.17" in page
    assert "does not mean equal" in words[-1]
    assert page.index("The answer in short") < page.index("Detector: sae")
    assert "equivalent" not in page


def test_a_difference_that_holds_is_called_by_its_name(tmp_path):
    columns = {"real": outcome(tmp_path, [np.nan] * 12), "oracle": outcome(tmp_path, [1] * 12)}
    (first, *_) = in_short(compare({"zmap": columns}, SETTINGS))
    assert "better than real: oracle with zmap (12 against 0 of 12)" in first
    assert "Not so the others (0 of 1 comparisons)" in first


def test_identical_ranks_are_said_to_be_identical(tmp_path):
    columns = {name: outcome(tmp_path, [1, 2]) for name in ("real", "completed-patch3d")}
    words = in_short(compare({"residual": columns}, SETTINGS))
    assert words[1].startswith("Every patient at the same rank as with real: residual with completed-patch3d. Equal")


def test_two_tests_that_contradict_each_other_decide_nothing():
    test = {"p_holm": 0.01, "difference": 0.5, "interval": [0.2, 0.8]}  # more detected, but at worse ranks
    assert kind_of({"identical": False, "detected": test, "ranks": test}) == "not distinguishable"
    assert kind_of({"identical": False, "detected": test, "ranks": test | {"p_holm": 0.2}}) == "better"
    assert kind_of({"identical": False, "detected": test | {"p_holm": 0.2}, "ranks": test}) == "worse"


def test_every_picture_of_a_generator_on_the_page_is_an_input_of_it(tmp_path):
    folder = tmp_path / "synthetic-patch3d"
    for path in (folder / "report.html", folder / "figures" / "metrics.png", folder / "figures" / "other.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    folders = {"patch3d": folder, "semi3d": tmp_path / "synthetic-semi3d"}
    assert generator_pictures(folders) == [folder / "figures" / "metrics.png"]
    assert [part.kind for part in quality_parts(folders)] == ["link", "picture"]
