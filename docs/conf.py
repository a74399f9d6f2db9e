"""How the manual becomes a site: `make docs`."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

project, release = PACKAGE["name"], PACKAGE["version"]
copyright = "the authors, MIT licence"
extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

FROM_ROOT = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")  # which people look for there

myst_heading_anchors = 3  # links to headings, as GitHub names them; Sphinx checks them
root_doc = "index"
exclude_patterns = ["reference/*/modules.rst"]

# Reference pages come from the docstrings, a page for each room.
apidoc_modules = [
    {"path": f"../{name}", "destination": f"reference/{name}", "max_depth": 1, "module_first": True}
    for name in ("synthpet", "uad")
]
autodoc_default_options = {
    "members": True,
    "exclude-members": "set_fit_request, set_score_request, set_predict_request, set_decision_function_request",
}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_mock_imports = ["ants"]  # an extra, which nothing here calls
# Docstrings are plain text for readers of the code, and some pages leave a level of headings out; links stay checked.
suppress_warnings = ["docutils", "ref.python", "myst.header"]

highlight_language = "none"  # equations in docstrings are no Python
html_theme = "pydata_sphinx_theme"
html_title = "synthpet + uad"
html_sidebars = {"*": [], "reference/root/*": []}  # the others have a list of rooms
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "announcement": "For research only. Not a medical device.",
}


def plain_text(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Take docstrings as they are read in the code: a star, a bar or an underscore is itself, an equation a block."""
    blocks = "\n".join(lines).split("\n\n")
    shown = (f"::\n\n{block}" if what == "module" and block.startswith("    ") else as_it_is(block) for block in blocks)
    lines[:] = "\n\n".join(shown).split("\n")


def as_it_is(text: str) -> str:
    """Marks of reStructuredText escaped, but for code between backticks."""
    parts = re.split(r"(``[^`]*``)", text)
    return "".join(part if part.startswith("``") else re.sub(r"([*|\\]|\b_|_\b)", r"\\\1", part) for part in parts)


def bring_from_root(app: Any) -> None:
    """Copy what lies beside ``docs/`` to where Sphinx looks, with its links."""
    folder = ROOT / "docs" / "reference" / "root"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FROM_ROOT:
        text = (ROOT / name).read_text()
        text = re.sub(r"\]\(docs/", "](../../", text)
        text = re.sub(r"\]\((notebooks|tests|configs|LICENSE)", r"](../../../\1", text)
        (folder / name).write_text(text)


def point_there(app: Any, name: str, source: list[str]) -> None:
    """Links of the manual to what lies beside it."""
    source[0] = re.sub(rf"\]\(\.\./({'|'.join(FROM_ROOT)})", r"](reference/root/\1", source[0])


def setup(app: Any) -> None:
    """Before Napoleon, which reads the sections ``Args``, ``Returns`` and ``Raises``."""
    app.connect("builder-inited", bring_from_root, priority=100)
    app.connect("source-read", point_there)
    app.connect("autodoc-process-docstring", plain_text, priority=100)
