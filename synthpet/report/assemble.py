"""One assembler of all pages: a YAML says which parts stand in which section and order, code makes the parts."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import yaml

from synthpet.report.html import Page, Part, Section

Parts = Mapping[str, Part | Section | Sequence[Part | Section] | None]  # None or nothing in it: there is none


def assemble(
    package: str, plan: str, parts: Parts, words: Mapping[str, str], notices: Sequence[str] = (),
    provenance: Mapping[str, str] | None = None,
) -> Page:  # fmt: skip
    """Put a page together.

    The YAML has ``title`` and ``sections``; a section has ``title``, ``show`` (names of parts, in order) and, if it
    likes, ``text`` that stands before them; ``folded: true`` shows it at a click only. A section of which no part is
    there is left out. A part that is itself one or several ``Section`` stands alone in ``show``, and its section needs
    no title.

    Args:
        package: that holds the YAML.
        plan: the YAML's file name.
        parts: what the code has made, by name.
        words: what stands for ``{name}`` in the YAML's titles and texts.
        notices: see ``Page``.
        provenance: see ``Page``.

    Raises:
        ValueError: the YAML and the parts do not name the same.
    """
    found: dict[str, Any] = yaml.safe_load(files(package).joinpath(plan).read_text("utf-8"))
    named = {name for section in found["sections"] for name in section["show"]}
    if named != set(parts):
        raise ValueError(f"{package}/{plan}: parts {sorted(named ^ set(parts))} are in the page or in the plan only")
    sections = [section for planned in found["sections"] for section in _sections(planned, parts, words)]
    return Page(found["title"].format_map(words), sections, notices, provenance or {})


def _sections(planned: Mapping[str, Any], parts: Parts, words: Mapping[str, str]) -> list[Section]:
    shown = [part for name in planned["show"] for part in _listed(parts[name])]
    whole = [part for part in shown if isinstance(part, Section)]
    if whole or not shown:
        return whole
    text = [planned["text"].format_map(words).strip()] if "text" in planned else []
    single = [part for part in shown if not isinstance(part, Section)]
    return [Section(planned["title"].format_map(words), [*text, *single], folded=planned.get("folded", False))]


def _listed(part: Any) -> list[Any]:
    if not part:
        return []
    return list(part) if isinstance(part, list | tuple) else [part]
