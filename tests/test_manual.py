"""The manual: its links lead somewhere, its pages are reached, its words have one line each, the site builds."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from synthpet import __main__ as synthpet_overview
from uad import __main__ as uad_overview

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")), *DOCS.glob("*.md")]
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
COMMANDS = {
    "synthpet": set(synthpet_overview.COMMANDS),
    "uad": {name.removeprefix("uad_") for name in uad_overview.COMMANDS},
}


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path, text: str) -> list[str]:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        there = (page.parent / name) if name else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings_that_are_there(page):
    assert dead_links(page, page.read_text()) == []


def test_a_dead_link_would_be_found():
    page = DOCS / "clinician.md"
    text = "[a](nowhere.md) [b](pages.md#no-such-heading) [c](pages.md#the-viewer) [d](../README.md#limits) [e](#none)"
    assert dead_links(page, text) == ["nowhere.md", "pages.md#no-such-heading", "#none"]


def test_every_page_is_in_the_list_of_pages_and_somebody_is_sent_there():
    index = (DOCS / "index.md").read_text()
    listed = set(re.findall(r"^(\w+)$", "\n".join(FENCE.findall(index)), re.MULTILINE))
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert listed == pages
    assert {link.removesuffix(".md") for link in re.findall(r"\]\((\w+\.md)", index)} == pages


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_console_commands_that_a_page_names_exist(page):
    text = page.read_text()
    lines = [
        *re.findall(r"`([^`\n]+)`", text),
        *re.findall(r"^(?!#)(.+)$", "\n".join(FENCE.findall(text)), re.MULTILINE),
    ]
    named = [found.groups() for line in lines if (found := re.match(r"(synthpet|uad) ([a-z]\w*)\b(?! =)", line))]
    assert [pair for pair in named if pair[1] not in COMMANDS[pair[0]]] == []


def test_each_word_of_the_glossary_has_one_line_in_the_order_of_the_alphabet():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (DOCS / "glossary.md").read_text(), re.MULTILINE)[1:]
    words = [word for word, _ in rows if word != "---"]
    assert len(words) > 30
    assert words == sorted(set(words), key=str.casefold)
    assert all(meaning.endswith(".") for _, meaning in rows if not meaning.startswith("---"))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="Sphinx is not installed: make docs, or .[docs]")
def test_the_site_builds_with_reference_pages_and_asks_nobody_for_anything(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "trees")]
    done = subprocess.run([*command, str(DOCS), str(tmp_path / "site")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    findings = (tmp_path / "site/reference/uad/uad.findings.html").read_text()
    assert "ensure_calibrated" in findings
    for page in (tmp_path / "site").rglob("*.html"):
        assert not re.search(r'<(?:script|img|link)\b[^>]*(?:src|href)="(?:https?:)?//', page.read_text()), page
