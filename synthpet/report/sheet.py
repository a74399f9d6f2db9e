"""One page of paper as a PDF: text that wraps, tables, and room for pictures; what does not fit is counted.

Lengths are points (1/72 inch), y grows upwards from the foot of the page. Text is measured as it is drawn, without a
screen's pixels, so that no line runs into another or off the page.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from synthpet.errors import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 595.276, 841.890  # A4
MARGIN = 34.0
FULL = WIDTH - 2 * MARGIN
FONT = "DejaVu Sans"  # comes with matplotlib
LEADING = 1.22  # from line to line, of the font's size
COLUMN_GAP = 7.0
NOTHING = "–"  # in a table
DPI = 200  # of pictures


@dataclass(frozen=True)
class Cell:
    """Lines of text from ``x`` on, or up to it."""

    x: float
    lines: tuple[str, ...]
    right: bool = False


@dataclass(frozen=True)
class Row:
    """Cells side by side."""

    cells: tuple[Cell, ...]
    size: float
    bold: bool = False
    colour: str = "black"
    ruled: bool = False  # a line below

    @property
    def height(self) -> float:
        """Of its longest cell."""
        return LEADING * self.size * max(len(cell.lines) for cell in self.cells) + (2.0 if self.ruled else 0.0)


@dataclass(frozen=True)
class Block:
    """Rows that belong together.

    Args:
        rows: from top to bottom.
        least: how many are shown however little room there is.
        rest: what is said of ``{n}`` rows that are left out.
        gap: below it.
        fill: colour behind it; empty: none.
        n_left_out: rows that are not shown any more.
    """

    rows: tuple[Row, ...]
    least: int
    rest: str
    gap: float = 5.0
    fill: str = ""
    n_left_out: int = 0

    @property
    def shown(self) -> tuple[Row, ...]:
        """The rows, and how many are left out."""
        if not self.n_left_out:
            return self.rows
        first = self.rows[-1]
        told = Cell(first.cells[0].x, tuple(wrapped(self.rest.format(n=self.n_left_out), first.size, FULL)))
        kept = self.rows[: len(self.rows) - self.n_left_out]
        return (*kept, Row((told,), first.size, colour="0.35"))

    @property
    def height(self) -> float:
        """With the gap."""
        return sum(row.height for row in self.shown) + (self.gap if self.rows else 0.0)

    def shorter(self) -> "Block | None":
        """With one row less; None: no more can be left out."""
        if len(self.rows) - self.n_left_out <= self.least:
            return None
        return replace(self, n_left_out=self.n_left_out + 1)


@dataclass(frozen=True)
class Box:
    """A part of the page."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def share(self) -> tuple[float, float, float, float]:
        """Left, bottom, width and height as shares of the page, as matplotlib has them."""
        return self.left / WIDTH, self.bottom / HEIGHT, self.width / WIDTH, self.height / HEIGHT


@dataclass(frozen=True)
class Sheet:
    """What stands on the page; ``above`` and ``below`` the pictures, of which ``give_way`` is shortened in this order.

    Args:
        above: blocks by name, from the top.
        below: blocks by name, down to the foot.
        give_way: names of the blocks that get shorter if there is too little room.
        least_pictures: height that the pictures get before text gives way.
        most_pictures: height beyond which they do not grow.
    """

    above: dict[str, Block]
    below: dict[str, Block]
    give_way: Sequence[str]
    least_pictures: float
    most_pictures: float
    blocks: dict[str, Block] = field(init=False)

    def __post_init__(self) -> None:
        blocks, room = {**self.above, **self.below}, HEIGHT - 2 * MARGIN - self.least_pictures
        for name in self.give_way:
            while sum(block.height for block in blocks.values()) > room and (less := blocks[name].shorter()):
                blocks[name] = less
        object.__setattr__(self, "blocks", blocks)

    def draw(self) -> "tuple[Figure, Box]":
        """The page with its text, and where the pictures belong."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), facecolor="white")
        top = HEIGHT - MARGIN
        for name in self.above:
            top = _draw(figure, self.blocks[name], top)
        foot = MARGIN + sum(self.blocks[name].height for name in self.below)
        bottom = max(foot, top - self.most_pictures)
        y = min(foot, bottom)
        for name in self.below:
            y = _draw(figure, self.blocks[name], y)
        return figure, Box(MARGIN, bottom, FULL, max(0.0, top - bottom))


def paragraph(
    texts: Sequence[str], size: float = 7.5, *, bold: bool = False, least: int = 99, rest: str = "", fill: str = ""
) -> Block:
    """Texts one below the other.

    Args:
        texts: each wraps on its own.
        size: of the font.
        bold: all of it.
        least: lines that are always shown.
        rest: what is said of ``{n}`` lines that are left out.
        fill: colour behind.
    """
    inset = 5.0 if fill else 0.0
    lines = [line for text in texts for line in wrapped(text, size, FULL - 2 * inset, bold)]
    rows = tuple(Row((Cell(MARGIN + inset, (line,)),), size, bold) for line in lines)
    return Block(rows, least, rest, fill=fill, gap=9.0 if fill else 5.0)


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], prose: str, size: float = 7.0, *, least: int = 99,
    rest: str = "",
) -> Block:  # fmt: skip
    """A table over the width of the page.

    Args:
        header: of the columns.
        rows: cells.
        prose: the column that takes what the others leave, and wraps.
        size: of the font.
        least: rows that are always shown.
        rest: what is said of ``{n}`` rows that are left out.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(_narrowest(cells[0], size), *(_width(cell, size) for cell in cells[1:])) for cells in columns]
    others = sum(w for w, name in zip(widths, header, strict=True) if name != prose) + COLUMN_GAP * (len(header) - 1)
    widths = [FULL - others if name == prose else w for w, name in zip(widths, header, strict=True)]
    lefts = [MARGIN + sum(widths[:k]) + COLUMN_GAP * k for k in range(len(widths))]
    numbers = [name != prose and all(map(_is_number, cells[1:])) for name, cells in zip(header, columns, strict=True)]

    def row(cells: Sequence[str], *, bold: bool) -> Row:
        made = []
        for cell, left, width, right in zip(cells, lefts, widths, numbers, strict=True):
            made.append(Cell(left + width if right else left, tuple(wrapped(cell, size, width, bold)), right))
        return Row(tuple(made), size, bold, ruled=True)

    return Block((row(header, bold=True), *(row(cells, bold=False) for cells in rows)), least + 1, rest)


def wrapped(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    """The text in lines of at most this width; a word that is wider is broken."""
    lines: list[list[str]] = [[]]
    space, used = _width(" ", size, bold), 0.0
    for word in printable(text).split():
        for part in _broken(word, size, width, bold):
            wide = _width(part, size, bold)  # words come again, lines do not
            if lines[-1] and used + space + wide > width:
                lines.append([])
            used = used + space + wide if lines[-1] else wide
            lines[-1].append(part)
    return [" ".join(line) for line in lines]


def write_at(figure: "Figure", text: str, x: float, y: float, size: float, **look: Any) -> None:
    """One line of text on its baseline; a dollar is a dollar."""
    figure.text(x / WIDTH, y / HEIGHT, text, fontsize=size, family=FONT, va="baseline", parse_math=False, **look)


def pdf(figure: "Figure", title: str) -> bytes:
    """The page as PDF with vector text; equal pages give equal bytes."""
    stream = io.BytesIO()
    about = {"Title": printable(title), "Creator": "synthpet", "CreationDate": None}
    figure.savefig(stream, format="pdf", dpi=DPI, metadata=about)
    return stream.getvalue()


def _draw(figure: "Figure", block: Block, top: float) -> float:
    """Draw a block below ``top``; return where the next begins."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    bottom = top - block.height
    if block.fill and block.rows:
        box = Box(MARGIN, bottom + block.gap - 3.0, FULL, block.height - block.gap + 4.0)
        left, low, width, height = box.share
        figure.add_artist(Rectangle((left, low), width, height, facecolor=block.fill, linewidth=0))
    y = top
    for row in block.shown:
        look = {"color": row.colour, "weight": "bold" if row.bold else "normal"}
        for cell in row.cells:
            for k, line in enumerate(cell.lines):
                ha = "right" if cell.right else "left"
                write_at(figure, line, cell.x, y - row.size - LEADING * row.size * k, row.size, ha=ha, **look)
        y -= row.height
        if row.ruled:
            across = [MARGIN / WIDTH, 1 - MARGIN / WIDTH]
            figure.add_artist(Line2D(across, [(y + 0.5) / HEIGHT] * 2, color="0.8", linewidth=0.4))
    return bottom


@lru_cache(maxsize=4096)
def _width(text: str, size: float, bold: bool = False) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    look = FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, look, ismath=False)[0])


def _narrowest(text: str, size: float) -> float:
    """Of a heading, which may have a line for each word."""
    return max(_width(word, size, True) for word in text.split())


def _broken(word: str, size: float, width: float, bold: bool) -> list[str]:
    """The word in parts that fit."""
    if _width(word, size, bold) <= width:
        return [word]
    parts, part = [], ""
    for letter in word:
        if part and _width(part + letter, size, bold) > width:
            parts.append(part)
            part = ""
        part += letter
    return [*parts, part]


def _is_number(cell: str) -> bool:
    return cell == NOTHING or cell.lstrip("+-").replace(".", "", 1).isdigit()
