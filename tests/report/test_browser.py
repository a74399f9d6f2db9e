"""Pages in a real browser: no error, nothing from outside, tables sort, viewer and pictures behind cells work."""

import io

import numpy as np
import pytest
from PIL import Image

from synthpet.report.html import Link, Page, Picture, Section, Table
from synthpet.report.viewer import Layer, make_viewer
from tests.conftest import GRID, ellipsoid
from tests.report.browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; install it to test the pages in a browser")
MASK = ellipsoid(0.9)
SPOT = (7, 12, 10)  # voxel


def png(colour):
    stream = io.BytesIO()
    Image.new("RGB", (40, 20), colour).save(stream, "PNG")
    return stream.getvalue()


def cell(text):
    return Link(text, f"../evaluation/{text}/report.html", Picture(png("red"), f"caption {text}", text))


def make_page():
    numbers = Table(
        ("name", "value", "cm³"), [("a", "9", "-1.5"), ("b", "10", "+2"), ("c", "–", "0.5"), ("all", "x", "y")],
        "Numbers.", n_foot=1,
    )  # fmt: skip
    ranks = Table(("who", "one", "two"), [("p1", cell("11"), cell("12")), ("p2", cell("21"), "missed")], "Ranks.")
    volume = np.where(MASK, 0.5, 0).astype(np.float32)
    volume[SPOT] = 2.0
    place = GRID.matrix[:3, :3] @ SPOT + GRID.matrix[:3, 3]
    layers = [Layer("T1", volume, "gray", (0.0, 1.0), "T1"), Layer("z", 3 * volume, "magma", (1.0, 6.0), "z")]
    viewer = make_viewer(
        layers, MASK, GRID, outlined=[("candidates", "cyan", volume > 1)],
        places=[("Candidate 1", place), ("middle", (0.0, 0.0, 0.0))], caption="Look.",
    )  # fmt: skip
    return Page(
        "<i>Test</i>",
        [Section("Tables", [numbers, ranks]), Section("Viewer", [viewer])],
        ["SIMULATED"],
        {"Config": "{}"},
    )


@pytest.fixture(scope="module")
def browser():
    found = Browser()
    yield found
    found.close()


@pytest.fixture
def page(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(make_page().render())
    browser.open(path)
    browser.wait("document.querySelector('.viewer').dataset.ready")
    yield browser
    assert browser.problems == []
    assert [url for url in browser.requests if url != path.as_uri() and not url.startswith("data:")] == []


def column(page, k):
    rows = page.ask(f"[...document.querySelector('tbody').rows].map((row) => row.cells[{k}].textContent)")
    return "".join(rows) if k == 0 else rows


def click_heading(page, k):
    page.ask(f"document.querySelectorAll('thead button')[{k}].click()")


def test_numbers_sort_as_numbers_both_ways_and_summaries_stay_below(page):
    click_heading(page, 1)
    assert column(page, 0) == "abc"  # 9 before 10, nothing known last
    click_heading(page, 1)
    assert column(page, 0) == "bac"
    assert page.ask("document.querySelectorAll('thead th')[1].getAttribute('aria-sort')") == "descending"
    click_heading(page, 2)
    assert column(page, 0) == "acb"  # -1.5, 0.5, +2
    assert page.ask("document.querySelector('tfoot').textContent.trim().startsWith('all')")


def test_a_heading_sorts_by_keyboard(page):
    page.ask("document.querySelectorAll('thead button')[2].focus()")
    page.press("Enter")
    assert column(page, 0) == "acb"


def test_a_picture_behind_a_cell_opens_moves_by_arrows_and_closes(page):
    page.ask("document.querySelector('a[data-picture]').focus()")
    page.press("Enter")
    dialog = "document.querySelector('dialog')"
    assert page.ask(f"{dialog}.open && {dialog}.querySelector('p').textContent") == "caption 11"
    page.press("ArrowRight")
    page.press("ArrowDown")  # nothing behind that cell
    assert page.ask(f"{dialog}.querySelector('p').textContent") == "caption 12"
    assert page.ask(f"{dialog}.querySelector('a').getAttribute('href')") == "../evaluation/12/report.html"
    page.press("Escape")
    page.wait(f"!{dialog}.open")
    page.wait("document.activeElement.textContent === '12'")  # the dialog's close event comes after it has closed


def read(page):
    return page.ask("document.querySelector('.viewer output').textContent")


def test_the_viewer_starts_at_the_first_place_with_the_values_there(page):
    x, y, z = (GRID.matrix[:3, :3] @ SPOT + GRID.matrix[:3, 3]).round().astype(int)
    assert read(page) == f"At {x} {y} {z} mm: T1 2.00; z 6.0."


def test_the_viewer_moves_by_keys_sliders_buttons_and_clicks(page):
    start = read(page)
    page.ask("document.querySelector('.viewer canvas').focus()")
    page.press("PageUp")
    up = read(page)
    assert up != start and up.endswith("T1 0.50; z 1.5.")
    page.ask("document.querySelector('.viewer .controls button').click()")
    assert read(page) == start
    page.ask(
        "(() => { const slider = document.querySelector('.viewer input');"
        "slider.value = 0; slider.dispatchEvent(new Event('input')); })()"
    )
    assert "T1 0.00" in read(page)
    page.ask("document.querySelector('.viewer').scrollIntoView()")
    box = page.ask("(() => { const b = document.querySelector('.viewer canvas').getBoundingClientRect(); "
                   "return [b.left + b.width / 2, b.top + b.height / 2] })()")  # fmt: skip
    page.send("Input.dispatchMouseEvent", type="mousePressed", x=box[0], y=box[1], button="left", clickCount=1)
    assert "T1 0.50" in read(page)


def test_the_left_of_the_volume_is_on_the_left_and_up_is_up(page):
    """The bright voxel lies left of the middle, in front of it and above: so it does in the planes."""
    found = page.ask(
        "(() => { document.querySelectorAll('.viewer input[type=checkbox]').forEach((box) => box.click());"
        "return [...document.querySelectorAll('.viewer .rows > canvas')].slice(0, 3).map((canvas) => {"
        "const {width, height} = canvas, data = canvas.getContext('2d').getImageData(0, 30, width, height - 30).data;"
        "let n = 0, x = 0, y = 0;"
        "for (let k = 0; k < data.length / 4; k++)"
        "  if (data[4 * k] > 250) { n++; x += k % width; y += Math.floor(k / width); }"
        "return [x / n / width, 1 - (y / n + 30) / height]; }); })()"
    )
    box = [np.flatnonzero(MASK.any(axis=tuple(b for b in range(3) if b != a))) for a in range(3)]
    first = [max(0, b[0] - round(6 / GRID.spacing_mm[a])) for a, b in enumerate(box)]
    last = [min(MASK.shape[a], b[-1] + 1 + round(6 / GRID.spacing_mm[a])) for a, b in enumerate(box)]
    share = [(SPOT[a] + 0.5 - first[a]) / (last[a] - first[a]) for a in range(3)]
    for (across, up), place in zip(((0, 1), (0, 2), (1, 2)), found, strict=True):
        assert place == pytest.approx([share[across], share[up]], abs=0.02)


@pytest.mark.parametrize("width", [400, 900, 1400])
def test_nothing_sticks_out_at_any_width(page, width, tmp_path):
    page.resize(width, 900)
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.screenshot(tmp_path / "page.png")
    assert Image.open(tmp_path / "page.png").width == width


def test_a_print_leaves_out_the_viewer_and_the_parameters_and_says_where_they_are(page):
    page.send("Emulation.setEmulatedMedia", media="print")
    hidden = "[...document.querySelectorAll('details, .viewer')].every((part) => part.getClientRects().length === 0)"
    assert page.ask(hidden)
    assert page.ask("document.querySelectorAll('details, .viewer').length") > 1
    assert page.ask("document.querySelector('.printed').getClientRects().length") == 1
    page.send("Emulation.setEmulatedMedia", media="")
    assert page.ask("document.querySelector('.printed').getClientRects().length") == 0
    page.send("Page.printToPDF")
    assert page.ask("[...document.querySelectorAll('img')].every((image) => image.loading === 'eager')")
