"""The viewer in a real browser: places, values, sides, overlays, scales, colours, rows, what is unpacked when."""

import numpy as np
import pytest

from synthpet.report.html import Page, Section
from tests.conftest import GRID
from tests.report.browser import CHROMIUM
from tests.report.pages import (
    COPY,
    SPOT,
    bright,
    bright_in_pictures,
    choose,
    click,
    colour,
    drawn,
    here_mm,
    make_page,
    press_button,
    read,
    slide,
    spot_in_axial,
    switch,
)  # fmt: skip

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium; install it to test the pages in a browser")


def test_the_viewer_starts_at_the_first_place_with_the_values_there(page):
    x, y, z = (f"{mm:g}" for mm in GRID.matrix[:3, :3] @ SPOT + GRID.matrix[:3, 3])
    values = "T1 2.00; PET 1.60 SUVR; expected PET 1.40 SUVR; difference 0.20 SUVR; z 6.0"
    assert read(page) == f"At {x} {y} {z} mm: {values}."
    beside = page.ask("[...document.querySelectorAll('.panel .value')].map((value) => value.textContent)")
    assert beside == ["2.00", "1.60 SUVR", "1.40 SUVR", "0.20 SUVR", "6.0"]


def test_the_place_stays_in_sight_down_to_the_last_row(page):
    page.ask("document.querySelector('.viewer .rows > canvas:nth-last-of-type(1)').scrollIntoView({block: 'end'})")
    box = page.ask("(() => { const b = document.querySelector('.viewer output').getBoundingClientRect();"
                   "return [b.top, b.bottom] })()")  # fmt: skip
    assert box[0] >= 0 and box[1] < 200


def test_the_viewer_moves_by_keys_sliders_buttons_and_clicks(page):
    start = read(page)
    page.ask("document.querySelector('.viewer canvas').focus()")
    page.press("PageUp")
    up = read(page)
    assert up != start and "T1 0.50; PET 0.40 SUVR" in up
    page.ask("document.querySelector('.viewer .controls button').click()")
    assert read(page) == start
    slide(page, "x (left", 0)
    assert "outside the brain" in read(page)
    click(page, 0, 0.5, 0.5)
    assert "T1 0.50" in read(page)


def test_the_left_of_the_volume_is_on_the_left_and_up_is_up(page):
    """The bright voxel lies left of the middle, in front of it and above: so it does in the planes."""
    share = bright()
    for (across, up), place in zip(((0, 1), (0, 2), (1, 2)), bright_in_pictures(page), strict=True):
        assert place == pytest.approx([share[across], share[up]], abs=0.02)
    assert page.ask("document.querySelector('.viewer .controls').textContent.includes("
                    "'Neurological: left of the picture is the left of the patient')")  # fmt: skip


def test_a_radiologist_sees_the_left_on_the_right_and_clicks_there(radiological_page):
    page, share = radiological_page, bright()
    start = here_mm(page)
    expected = [(1 - share[0], share[1]), (1 - share[0], share[2]), (share[1], share[2])]  # sagittal as before
    for found, place in zip(bright_in_pictures(page), expected, strict=True):
        assert found == pytest.approx(place, abs=0.02)
    assert page.ask("document.querySelector('.viewer .controls').textContent.includes("
                    "'Radiological: left of the picture is the right of the patient')")  # fmt: skip
    press_button(page, "middle")
    click(page, 0, 1 - share[0], 1 - share[1])
    assert here_mm(page)[:2] == start[:2]
    page.press("ArrowRight")  # on the screen: towards the patient's left
    assert here_mm(page)[0] == start[0] - 5
    page.press("ArrowLeft")
    assert here_mm(page)[:2] == start[:2]


def test_a_press_turns_the_pictures_and_the_marks_and_back(page):
    corner = "pen.getImageData({x}, 0, 40, 36).data"
    marks = (
        f"(() => {{ const canvas = document.querySelector('.viewer canvas'), pen = {COPY}(canvas);"
        f"return [[...{corner.format(x=0)}].join(), [...{corner.format(x='canvas.width - 40')}].join()] }})()"
    )
    before, start = page.ask(marks), here_mm(page)
    right, down = spot_in_axial()
    press_button(page, "Switch to radiological")
    assert page.ask(marks) != before
    assert page.ask("document.querySelector('.viewer').dataset.convention") == "radiological"
    click(page, 0, right, down)
    assert here_mm(page)[0] == -start[0]  # the box is symmetric about x = 0
    click(page, 0, 1 - right, down)
    assert here_mm(page) == start
    press_button(page, "Switch to neurological")
    assert page.ask(marks) == before
    click(page, 0, right, down)
    assert here_mm(page) == start


def test_a_map_lies_over_the_t1_where_it_exceeds_its_lower_end(page):
    right, down = spot_in_axial()
    switch(page, "crosshair")
    switch(page, "outline: candidates")
    grey = colour(page, 0, 0.5, 0.5)
    assert colour(page, 0, right, down) == [255] * 3 and grey == pytest.approx([127] * 3, abs=3)
    choose(page, "Over the T1", "z")
    top = colour(page, 12, right, down)  # of the map's own row
    assert page.ask("document.querySelector('.panel').textContent.includes('2.00with z 6.0')")
    slide(page, "opacity", 40)
    assert colour(page, 0, right, down) == pytest.approx([0.6 * 255 + 0.4 * c for c in top], abs=2)
    assert colour(page, 0, 0.5, 0.5) == grey  # z = 0.5 is below 1
    assert colour(page, 0, 0.01, 0.99) == [0, 0, 0]  # outside the brain
    slide(page, "opacity", 100)
    assert colour(page, 0, right, down) == top
    slide(page, "z, lower end", 0.2)
    assert colour(page, 0, 0.5, 0.5) != grey
    page.ask("document.querySelector('.viewer canvas').focus()")
    page.press("PageUp")
    page.press("PageDown")
    drawn(page)
    assert colour(page, 0, right, down) == top  # the choice stays while the reader scrolls
    choose(page, "Over the T1", "none")
    assert colour(page, 0, 0.5, 0.5) == grey


def test_a_difference_lies_over_the_t1_the_clearer_the_larger_it_is(page):
    right, down = spot_in_axial()
    switch(page, "crosshair")
    switch(page, "outline: candidates")
    choose(page, "Over the T1", "difference")
    slide(page, "opacity", 100)
    strong, weak = (np.array(colour(page, 0, *place)) for place in ((right, down), (0.5, 0.5)))  # 0.2 and 0.05 of 0.5
    own = np.array(colour(page, 9, right, down))
    assert strong == pytest.approx(255 + 0.4 * (own - 255.0), abs=4)
    assert np.abs(weak - 127).max() < 0.15 * 128


def test_a_scale_is_stretched_and_set_back_and_every_pet_keeps_the_same(page):
    switch(page, "crosshair")
    first = [colour(page, k, 0.5, 0.5) for k in (0, 3, 6)]
    slide(page, "PET, upper end", 0.6)
    after = [colour(page, k, 0.5, 0.5) for k in (0, 3, 6)]
    assert after[0] == first[0]
    assert sum(after[1]) > sum(first[1]) and sum(after[2]) > sum(first[2])
    ends = "[...document.querySelectorAll('.panel .scale:first-child')].map((scale) => scale.textContent)"
    assert page.ask(ends)[1:3] == ["0.60"] * 2 and page.ask(ends)[0] == "10"
    press_button(page, "reset scale", 1)
    assert [colour(page, k, 0.5, 0.5) for k in (0, 3, 6)] == first
    slide(page, "difference, upper end", 0.2)
    assert page.ask(ends)[3] == "0.2-0.2"  # stays even about zero


def test_the_colours_of_every_pet_change_at_once(page):
    switch(page, "crosshair")
    before = colour(page, 0, 0.5, 0.5)
    choose(page, "colours of the PET", "inverse grey")
    pets = [colour(page, k, 0.5, 0.5) for k in (3, 6)]
    for found, uptake in zip(pets, (0.4, 0.35), strict=True):
        assert found == pytest.approx([255 * (1 - uptake / 1.8)] * 3, abs=3)
    assert colour(page, 3, 0.01, 0.99) == [255] * 3  # around the brain: as no uptake
    choose(page, "colours of the PET", "hot iron")
    red, green, blue = colour(page, 3, 0.5, 0.5)
    assert red > 100 and green == blue == 0
    assert colour(page, 0, 0.5, 0.5) == before


def test_crosshair_outline_and_rows_can_be_hidden(page):
    right, _ = spot_in_axial()
    with_cross = colour(page, 0, right, 0.9)
    switch(page, "crosshair")
    assert colour(page, 0, right, 0.9) != with_cross
    count = "[...document.querySelectorAll('.viewer .rows > *')].filter((one) => one.getClientRects().length).length"
    everything = page.ask(count)
    switch(page, "expected PET")
    assert page.ask(count) == everything - 4
    switch(page, "expected PET")
    assert page.ask(count) == everything


def test_images_are_unpacked_only_once_the_reader_comes_near(browser, tmp_path):
    path = tmp_path / "report.html"
    sections = make_page().sections
    text = Section("Words", ["Many words."] * 200)
    path.write_text(Page("Far down", [text, sections[1]]).render())
    browser.open(path)
    drawn(browser)
    ready = "document.querySelector('.viewer').dataset.ready"
    assert browser.ask(ready) is None and "…" in read(browser)
    browser.ask("document.querySelector('.viewer').scrollIntoView()")
    browser.wait(ready)
    assert "T1 2.00" in read(browser)
    assert browser.ask("document.querySelectorAll('.viewer script').length") == 0  # what has been read is let go


def test_without_javascript_the_page_says_what_is_missing(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(make_page().render())
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(path)
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.ask("document.querySelector('.viewer').innerText.includes('The viewer needs JavaScript')")
    assert browser.ask("document.querySelectorAll('.viewer canvas').length") == 0


def test_a_picture_out_of_sight_shows_the_right_slice_when_it_comes_into_sight(page):
    page.resize(1000, 300)
    switch(page, "crosshair")
    page.ask("document.querySelector('.viewer .rows > canvas').scrollIntoView()")
    drawn(page)
    right, down = spot_in_axial()
    before = colour(page, 12, right, down)
    slide(page, "z (down", 0)  # below the brain
    assert colour(page, 0, right, down) == [0, 0, 0]
    assert colour(page, 12, right, down) == before  # not drawn: nobody sees it
    page.ask("document.querySelectorAll('.viewer .rows > canvas')[12].scrollIntoView()")
    drawn(page)
    assert colour(page, 12, right, down) != before


@pytest.fixture
def without(browser, tmp_path):
    """A page opened in a browser that lacks something; what it then says."""
    scripts = []

    def open_without(lacking):
        script = browser.send("Page.addScriptToEvaluateOnNewDocument", source=f"delete {lacking};")
        scripts.append(script["identifier"])
        path = tmp_path / "report.html"
        path.write_text(make_page().render())
        browser.open(path)
        browser.ask("document.querySelector('.viewer').scrollIntoView()")
        return browser

    yield open_without
    for script in scripts:
        browser.send("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


def test_a_browser_of_some_years_ago_reads_the_same_values(without):
    page = without("Uint8Array.fromBase64")
    page.wait("document.querySelector('.viewer').dataset.ready")
    assert "T1 2.00; PET 1.60 SUVR" in read(page)


def test_a_browser_that_cannot_unpack_is_told_so(without):
    page = without("window.DecompressionStream")
    assert page.ask("document.querySelector('.viewer').innerText.includes('too old for the viewer')")
    assert page.ask("document.querySelectorAll('.viewer canvas').length") == 0
