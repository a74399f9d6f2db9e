"""The patient's sheet of paper: what stands on it, however much there is to say."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from synthpet.report.display import Display
from synthpet.report.html import RESEARCH_USE
from tests.conftest import GRID
from tests.report.test_sheet import check_apart_and_on_the_page
from tests.uad.test_patient_page import CALIBRATION, MASK, findings
from uad.findings.health import Health
from uad.patient.pdf import Told, make_pdf, make_sheet
from uad.patient.pictures import Case

TOLD = Told(CALIBRATION, Health(np.arange(28.0), 0.2), "ab" * 32)
REGIONS = (
    "banks of the superior temporal sulcus 41 %, isthmus of the cingulate 22 %, rostral anterior cingulate 17 %, "
    "parahippocampal 12 %"
)
NORMAL = np.where(MASK, 0.75, np.nan).astype(np.float32)


def case(n_notices=2, **more) -> Case:
    notices = [
        "NORMAL is what 4 controls show.",
        "SIMULATED: these people do not exist.",
        *["The rest. " * 20] * n_notices,
    ]
    settings = {"Detector": "zmap", "Normative set": "real: 4 controls", "Threshold": "z > 3.00", "Ranked by": "mass"}
    return Case("sub-x", notices, facts={"Person": "40 years, F"}, settings=settings, normal=NORMAL, **more)


def places(n: int, *, candidate: bool = True):
    """Findings with n clusters of long names."""
    found = findings(min(n, 2))
    like = [found.clusters[min(k, 1)] for k in range(n)] if n > 1 else found.clusters
    clusters = [
        replace(c, rank=k + 1, regions=REGIONS, region=REGIONS[:37], candidate=candidate, healthy_as_strong=k)
        for k, c in enumerate(like)
    ]
    return replace(found, clusters=clusters)


def texts(figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def shown_ranks(figure) -> list[str]:
    """The column of healthy scans, which the test counts up."""
    return [text.get_text() for text in figure.texts if re.fullmatch(r"\d+ of 28", text.get_text())]


@pytest.mark.parametrize("convention", ["neurological", "radiological"])
@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_the_page_says_what_it_is_what_was_found_and_by_what(n, convention):
    figure = make_sheet(case(display=Display(convention)), places(n), TOLD, GRID)
    check_apart_and_on_the_page(figure)
    words = texts(figure)
    assert "Suspicious places in the T1 and PET: sub-x" in words and "40 years, F" in words
    assert RESEARCH_USE in words and "SIMULATED: these people do not exist." in words
    assert ("No candidate." in words) == (n == 0) and ("The most suspicious one: left" in words) == (n > 0)
    assert "Not tested: 0.0 cm³" in words and "Detector: zmap." in words and "Threshold: z > 3.00." in words
    assert "synthpet " in words and "ab" * 32 in words
    side = {"neurological": "left", "radiological": "RIGHT"}[convention]
    assert f"Left of the picture: {side} of the patient" in words
    assert shown_ranks(figure) == [f"{k} of 28" for k in range(n)]
    assert ("-20" in words.split()) == (n > 0)  # PET against the controls' mean


@pytest.mark.parametrize(("n", "pictures"), [(0, 1 + 2), (1, 1 + 3), (2, 1 + 3 + 2)])
def test_the_first_two_candidates_are_shown_beside_all_places(n, pictures):
    figure = make_sheet(case(), places(n), TOLD, GRID)
    assert len(figure.axes) == pictures  # rows of three planes
    assert all(len(axes.images) == 3 for axes in figure.axes)


def test_ten_candidates_and_many_notices_stay_on_one_page_and_what_is_left_out_is_counted():
    crowded = case(n_notices=40, remarks=["There is no FLAIR. " * 60] * 5)
    crowded = replace(crowded, name="x" * 64, facts={str(k): "fact " * 40 for k in range(9)})
    figure = make_sheet(crowded, places(10), TOLD, GRID)
    check_apart_and_on_the_page(figure)
    words = texts(figure)
    assert RESEARCH_USE in words and "SIMULATED: these people do not exist." in words
    n_shown = len(shown_ranks(figure))
    assert f"Candidates that are not shown here: {10 - n_shown} (report.html" in words and n_shown >= 3
    assert len(re.findall(r"lines that are not shown here: \d+ \(report.html\)", words)) >= 3
    assert len(figure.axes) >= 3
    data = make_pdf(crowded, places(10), TOLD, GRID)
    assert len(re.findall(rb"/Type /Page\b", data)) == 1


def test_without_a_pet_there_is_no_picture_of_one():
    found = replace(findings(1, pet=False), clusters=[replace(findings(1).clusters[0], candidate=True)])
    figure = make_sheet(replace(case(), normal=None), found, TOLD, GRID)
    check_apart_and_on_the_page(figure)
    assert "Suspicious places in the T1 alone: sub-x" in texts(figure) and len(figure.axes) == 2


def test_weaker_places_are_told_not_listed():
    words = texts(make_sheet(case(), places(3, candidate=False), TOLD, GRID))
    assert "No candidate." in words and "3 weaker places stand out as well" in words
    assert "Healthy scans" not in words


def test_equal_input_gives_equal_bytes():
    one, other = (make_pdf(case(), places(2), TOLD, GRID) for _ in range(2))
    assert one == other and b"CreationDate" not in one


@pytest.mark.skipif(not shutil.which("pdftotext") or not shutil.which("pdftoppm"), reason="no poppler-utils")
def test_a_reader_of_pdf_finds_the_words_and_an_empty_margin(tmp_path):
    (tmp_path / "a.pdf").write_bytes(make_pdf(case(), places(10), TOLD, GRID))
    words = subprocess.run(["pdftotext", tmp_path / "a.pdf", "-"], capture_output=True, text=True, check=True).stdout
    for part in (RESEARCH_USE, "Candidate 1: left banks of the superior temporal sulcus", "3.4 cm³", "ab" * 32):
        assert part in " ".join(words.split())
    subprocess.run(["pdftoppm", "-r", "72", "-png", "-singlefile", tmp_path / "a.pdf", tmp_path / "a"], check=True)
    page = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    inside = np.zeros(page.shape, bool)
    inside[26:-26, 30:-30] = True
    assert page.shape == (842, 596) and page[~inside].min() == 255 and page[inside].min() < 50
