"""Tables in fixed width, for a terminal."""

from collections.abc import Mapping, Sequence


def plain_table(rows: Sequence[Mapping[str, str]]) -> str:
    """The table in fixed width, for a terminal; a heading such as ``synthetic-patch3d`` takes two lines."""
    names = list(rows[0])
    parts = {name: name.partition("-") for name in names}
    first = {name: normative + hyphen for name, (normative, hyphen, _) in parts.items()}
    second = {name: gan for name, (_, _, gan) in parts.items()}
    body = [first, *([second] if any(second.values()) else []), *rows]
    widths = {name: max(len(row[name]) for row in body) for name in names}
    return "\n".join("  ".join(row[name].ljust(widths[name]) for name in names).rstrip() for row in body)
