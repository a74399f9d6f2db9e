"""One browser for the tests of a file, and a page open in it."""

import pytest

from tests.report.browser import Browser
from tests.report.pages import drawn, make_page


@pytest.fixture(scope="module")
def browser():
    found = Browser()
    yield found
    found.close()


def opened(browser, tmp_path, **options):
    """The page in the browser, its viewer in sight and every image unpacked."""
    path = tmp_path / "report.html"
    path.write_text(make_page(**options).render())
    browser.open(path)
    browser.ask("document.querySelector('.viewer').scrollIntoView()")
    browser.wait("document.querySelector('.viewer').dataset.ready")
    drawn(browser)
    yield browser
    assert browser.problems == []
    assert [url for url in browser.requests if url != path.as_uri() and not url.startswith("data:")] == []


@pytest.fixture
def page(browser, tmp_path):
    yield from opened(browser, tmp_path)


@pytest.fixture
def radiological_page(browser, tmp_path):
    yield from opened(browser, tmp_path, radiological=True)
