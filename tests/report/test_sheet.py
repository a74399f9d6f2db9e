"""One page of paper: lines that wrap, tables, and what is said when there is no room."""

import io
import re

import pytest
from matplotlib.backends.backend_pdf import PdfFile, RendererPdf
from matplotlib.figure import Figure
from matplotlib.text import Text

from synthpet.report.sheet import FULL, HEIGHT, MARGIN, WIDTH, Sheet, paragraph, pdf, table, wrapped

LONG = "banks of the superior temporal sulcus 41 %, isthmus of the cingulate 22 %, parahippocampal 12 %"


def boxes(figure: Figure) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Every text with left, bottom, right and top in points, as drawn."""
    figure.set_dpi(72)
    renderer = RendererPdf(PdfFile(io.BytesIO()), 72, HEIGHT / 72, WIDTH / 72)
    found = []
    for text in figure.findobj(lambda artist: isinstance(artist, Text)):
        rank = text.axes is not None and text.get_text().isdigit()  # in a projection: one may lie before another
        if text.get_visible() and text.get_text().strip() and not rank:
            box = text.get_window_extent(renderer)
            found.append((text.get_text(), (box.x0, box.y0, box.x1, box.y1)))
    return found


def check_apart_and_on_the_page(figure: Figure) -> None:
    found, slack = boxes(figure), 0.6
    for text, (left, bottom, right, top) in found:
        assert left > MARGIN - slack and right < WIDTH - MARGIN + 1.5, text
        assert bottom > MARGIN - 8 and top < HEIGHT - MARGIN + 8, text
    for k, (one, a) in enumerate(found):
        for other, b in found[k + 1 :]:
            across, up = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            assert across <= slack or up <= slack, (one, other)


def sheet(n_notices: int, n_rows: int, least_pictures: float = 240.0) -> Sheet:
    rows = [[str(k + 1), LONG, "-12.3"] for k in range(n_rows)]
    above = {
        "title": paragraph(["name" * 16], 13.0, bold=True),
        "notices": paragraph([f"NOTICE {k}: {LONG}" for k in range(n_notices)], 7.0, least=4, rest="{n} more lines"),
        "rows": table(["Rank", "Regions", "Asymmetry, %"], rows, "Regions", least=3, rest="{n} more places"),
    }
    return Sheet(above, {"foot": paragraph([LONG])}, ("rows", "notices"), least_pictures, 300.0)


def shown(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


@pytest.mark.parametrize(("n_notices", "n_rows"), [(0, 1), (3, 10), (40, 30), (200, 100)])
def test_nothing_runs_into_anything_or_off_the_page(n_notices, n_rows):
    figure, room = sheet(n_notices, n_rows).draw()
    check_apart_and_on_the_page(figure)
    assert room.height >= 240
    texts = [box for text, box in boxes(figure)]
    assert not [box for box in texts if box[1] < room.bottom + room.height - 1 and box[3] > room.bottom + 9]


def test_what_is_left_out_is_counted():
    figure, _ = sheet(200, 100).draw()
    text = shown(figure)
    assert len(re.findall("-12.3", text)) == 3 and "97 more places" in text
    (left_out,) = (int(n) for n in re.findall(r"(\d+) more lines", text))
    assert len(re.findall("NOTICE", text)) + left_out == 200 and left_out < 196  # one line each
    assert "more" not in shown(sheet(2, 3).draw()[0])


def test_a_line_is_never_wider_than_it_may_be_and_no_word_is_lost():
    for width in (30.0, 90.0, FULL):
        lines = wrapped(f"{LONG} {'x' * 300} end", 7.0, width)
        assert "".join("".join(lines).split()) == f"{LONG}{'x' * 300}end".replace(" ", "")
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
        for line in lines:
            figure.text(0, 0.5, line, fontsize=7.0, family="DejaVu Sans")
        assert max(box[2] - box[0] for _, box in boxes(figure)) < width + 1.0
    assert wrapped("", 7.0, 90.0) == [""]


def test_equal_pages_are_equal_files_without_a_date_or_a_script():
    one, other = (pdf(sheet(3, 4).draw()[0], "title") for _ in range(2))
    assert one == other and one.startswith(b"%PDF-1.4")
    assert len(re.findall(rb"/Type /Page\b", one)) == 1
    for word in (b"CreationDate", b"ModDate", b"JavaScript", b"/AA", b"/OpenAction", b"/URI"):
        assert word not in one


def test_a_dollar_is_a_dollar_and_a_line_feed_a_space():
    figure, _ = Sheet({"a": paragraph(["costs $x$ and $y_1$\nnext\x1b[31m"])}, {}, (), 0.0, 0.0).draw()
    assert shown(figure) == "costs $x$ and $y_1$ next\\u001b[31m"
    check_apart_and_on_the_page(figure)
    assert pdf(figure, "a")
