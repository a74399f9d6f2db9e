"""Tables in fixed width, for a terminal."""

from collections.abc import Mapping, Sequence


def plain_table(rows: Sequence[Mapping[str, str]]) -> str:
    """The table in fixed width, for a terminal; a heading with a hyphen in it takes two lines."""
    names = list(rows[0])
    parts = {name: name.partition("-") for name in names}
    first = {name: before + hyphen for name, (before, hyphen, _) in parts.items()}
    second = {name: after for name, (_, _, after) in parts.items()}
    body = [first, *([second] if any(second.values()) else []), *rows]
    widths = {name: max(len(row[name]) for row in body) for name in names}
    return "\n".join("  ".join(row[name].ljust(widths[name]) for name in names).rstrip() for row in body)
