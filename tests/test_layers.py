"""The data flows one way: synthpet knows nothing of uad."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_synthpet_imports_nothing_of_uad():
    importing = [
        p for p in (ROOT / "synthpet").rglob("*.py") if re.search(r"^\s*(from|import) uad\b", p.read_text(), re.M)
    ]
    assert importing == []


def test_packages_are_all_named_in_pyproject():
    named = set(re.findall(r'"((?:synthpet|uad)[\w.]*)"', (ROOT / "pyproject.toml").read_text()))
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("synthpet", "uad")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert found <= named
