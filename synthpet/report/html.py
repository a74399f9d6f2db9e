"""A page in one HTML file: text, tables, pictures, viewer, provenance at the end; opens offline, asks for nothing."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import ClassVar

from synthpet.report.viewer import Viewer

RESEARCH_USE = "For research only. Not a medical device: nothing on this page may guide the care of a patient."
HREF = re.compile(
    r"#[\w.-]+|(\.\./[\w-][\w.-]*/)?[\w-][^:/\\]*(/[\w-][^:/\\]*)*"
)  # below the page, or beside its folder
VIEWER_SCRIPTS = ("viewer_layers.js", "viewer_planes.js", "viewer_panel.js", "viewer.js")  # in this order


@dataclass(frozen=True)
class Picture:
    """A PNG or WebP with its caption (what to look for) and its text for those who cannot see it."""

    image: bytes
    caption: str
    alt: str
    kind: ClassVar[str] = "picture"

    @property
    def uri(self) -> str:
        """The picture as a ``data:`` address."""
        kind = "webp" if self.image[8:12] == b"WEBP" else "png"
        return f"data:image/{kind};base64," + base64.b64encode(self.image).decode()


@dataclass(frozen=True)
class Link:
    """A cell of a table, or a paragraph, that leads to a file or to a part of the page.

    Args:
        text: what is read.
        href: the file, relative to the page's folder and below it or in a folder beside it (``../other/page.html``),
            or ``#`` and a section's anchor.
        picture: shown at a click instead of following the link at once; its caption says what it is.
        shade: how dark the cell is, 0 to 1.

    Raises:
        ValueError: an address that leads elsewhere.
    """

    text: str
    href: str
    picture: Picture | None = None
    shade: float = 0.0
    kind: ClassVar[str] = "link"

    def __post_init__(self) -> None:
        if not HREF.fullmatch(self.href):
            raise ValueError(f"href: found {self.href!r}; expected a file below the page's folder, or beside it")


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row is its heading, the others are numbers or, with ``prose``, text.

    A click on a heading sorts it. The last ``n_foot`` rows are summaries: they stay below.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str | Link]]
    caption: str
    prose: bool = False
    n_foot: int = 0
    kind: ClassVar[str] = "table"

    @property
    def body(self) -> Sequence[Sequence[str | Link]]:
        """The rows that are sorted."""
        return self.rows[: len(self.rows) - self.n_foot]

    @property
    def foot(self) -> Sequence[Sequence[str | Link]]:
        """The rows that stay below."""
        return self.rows[len(self.rows) - self.n_foot :]


Part = str | Link | Table | Picture | Viewer


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in order.

    ``anchor``: what links lead to; a section with one is one of many and is not named at the top.
    ``folded``: shown at a click on the title.
    """

    title: str
    parts: Sequence[Part] = ()
    anchor: str = ""
    folded: bool = False


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
        """The page as HTML; every text is escaped, and only our own scripts may run (by their SHA-256)."""
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup

        here = files("synthpet.report")
        scripts = [here.joinpath(name).read_text("utf-8") for name in self._scripts()]
        digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        return environment.from_string(here.joinpath("page.html").read_text("utf-8")).render(
            page=self,
            notices=(RESEARCH_USE, *self.notices),
            style=Markup(here.joinpath("page.css").read_text("utf-8")),  # noqa: S704 - our own file
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            policy=" ".join(f"'sha256-{digest}'" for digest in digests),
        )

    def _scripts(self) -> list[str]:
        shows = any(isinstance(part, Viewer) for section in self.sections for part in section.parts)
        return ["page.js", *VIEWER_SCRIPTS] if shows else ["page.js"]
