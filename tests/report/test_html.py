"""The page: one file, nothing from outside, nothing unescaped."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from synthpet.report.html import RESEARCH_USE, Link, Page, Picture, Section, Table

PNG = b"\x89PNG\r\n\x1a\n"
EVIL = '<script>alert("x")</script>'


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def html():
    parts = [EVIL, Table(("a", "b"), [(EVIL, "1")], EVIL), Picture(PNG, EVIL, 'quote " here')]
    section = Section("Part & parcel", parts)
    return Page(EVIL, [section], ["SIMULATED"], {"Config": '{"a": "</pre><b>"}'}).render()


def test_every_text_is_escaped(html):
    assert EVIL not in html and html.count("<script>") == 1  # our own
    assert "</pre><b>" not in html
    assert Reader(html).text.count(EVIL) == 6  # title, heading, paragraph, table cell and caption, figure caption


def test_nothing_comes_from_outside(html):
    for _, attributes in Reader(html).tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,"))
    assert not re.search(r"url\(|@import|https?:", html)
    assert "default-src 'none'" in html


def test_the_research_use_banner_comes_first_and_every_notice_is_there(html):
    text = Reader(html).text
    assert text.index(RESEARCH_USE) < text.index("SIMULATED") < text.index("Part & parcel")


def test_pictures_have_words_and_tables_have_headings(html):
    tags = Reader(html).tags
    assert all(attributes.get("alt") for tag, attributes in tags if tag == "img")
    assert [attributes["scope"] for tag, attributes in tags if tag == "th"] == ["col", "col", "row"]
    assert ("html", {"lang": "en"}) in tags


def test_both_light_and_dark_are_served(html):
    assert "prefers-color-scheme: dark" in html


def test_provenance_stands_at_the_end(html):
    text = Reader(html).text
    assert text.index("Provenance") > text.index("Part & parcel")
    assert '{"a": "</pre><b>"}' in text


def test_a_cell_can_lead_to_a_file_below_the_page():
    table = Table(("a", "b"), [(Link(EVIL, "sub-01/report.html"), "1"), ("x", Link("two", 'a"b.html'))], "links")
    html = Page("links", [Section("part", [table])]).render()
    links = [attributes["href"] for tag, attributes in Reader(html).tags if tag == "a"]
    assert links[1:] == ["sub-01/report.html", 'a"b.html']
    assert EVIL not in html


def test_only_our_own_scripts_may_run(html):
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in html
    assert not re.search(r"fetch\(|XMLHttpRequest|eval\(|innerHTML", script)


def test_a_picture_behind_a_cell_and_summaries_below():
    cell = Link("1", "../evaluation-x/sub-01/report.html", Picture(PNG, EVIL, "map"), shade=0.9)
    table = Table(("a", "b"), [("x", cell), ("all", "1 of 1")], "ranks", n_foot=1)
    html = Page("ranks", [Section("part", [table])]).render()
    link = next(attributes for tag, attributes in Reader(html).tags if "data-picture" in attributes)
    assert link["href"] == "../evaluation-x/sub-01/report.html" and link["data-caption"] == EVIL
    assert html.index("<tfoot>") < html.index("1 of 1") and html.index("</tbody>") > html.index("data-picture")


@pytest.mark.parametrize(
    "href",
    ["https://example.org", "javascript:alert(1)", "/etc/passwd", "../up.html", "../a/../b.html", "../../a/b", "..\\a"],
)
def test_a_link_never_leads_elsewhere(href):
    with pytest.raises(ValueError, match="below the page's folder"):
        Link("x", href)
