"""A page in one HTML file: text, tables, embedded pictures, provenance at the end; opens offline, asks for nothing."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

RESEARCH_USE = "For research only. Not a medical device: nothing on this page may guide the care of a patient."


@dataclass(frozen=True)
class Picture:
    """A PNG or WebP with its caption (what to look for) and its text for those who cannot see it."""

    image: bytes
    caption: str
    alt: str

    @property
    def uri(self) -> str:
        """The picture as a ``data:`` address."""
        kind = "webp" if self.image[8:12] == b"WEBP" else "png"
        return f"data:image/{kind};base64," + base64.b64encode(self.image).decode()


@dataclass(frozen=True)
class Link:
    """A cell of a table, or a paragraph, that leads to a file beside the page or to a part of it.

    Args:
        text: what is read.
        href: the file, relative to the page's folder, or ``#`` and a section's anchor.

    Raises:
        ValueError: an address that leads elsewhere.
    """

    text: str
    href: str

    def __post_init__(self) -> None:
        if ":" in self.href or self.href.startswith(("/", "\\", "..")):
            raise ValueError(f"href: found {self.href!r}; expected a file below the page's folder")


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row is its heading, the others are numbers or, with ``prose``, text."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | Link]]
    caption: str
    prose: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page: heading, paragraphs, then tables, then pictures.

    ``anchor``: what links lead to; a section with one is one of many and is not named at the top.
    """

    title: str
    paragraphs: Sequence[str | Link] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    anchor: str = ""


@dataclass(frozen=True)
class Page:
    """A whole page.

    Args:
        title: heading and window title.
        notices: what the reader must know first; ``RESEARCH_USE`` always stands before them.
        sections: the content, in order.
        provenance: heading to preformatted text, folded away at the end.
    """

    title: str
    sections: Sequence[Section]
    notices: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def render(self) -> str:
        """The page as HTML; every text is escaped."""
        from jinja2 import Environment, StrictUndefined

        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        template = environment.from_string(files("synthpet.report").joinpath("page.html").read_text("utf-8"))
        return template.render(page=self, notices=(RESEARCH_USE, *self.notices))
