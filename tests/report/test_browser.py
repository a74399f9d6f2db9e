"""Pages in a real browser: no error, nothing from outside, tables sort, pictures behind cells open, prints."""

import pytest
from PIL import Image

from tests.report.browser import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; install it to test the pages in a browser")


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


@pytest.mark.parametrize("width", [400, 900, 1000, 1400, 2000])
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
