"""Text that may hold anything, such as a file's name, made safe to show: a terminal obeys some signs in it."""

import re

# Control characters but tab and line feed, marks that turn the direction of writing, and bytes that are no UTF-8
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
BREAKS = re.compile("[\t\n]")


def printable(text: str) -> str:
    r"""The text with such signs as ``\u001b``, which JSON and JavaScript read back as they were."""
    return OBEYED.sub(_written, text)


def one_line(text: str) -> str:
    """The same for a cell of a table: also without tabs and line feeds."""
    return BREAKS.sub(_written, printable(text))


def _written(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
