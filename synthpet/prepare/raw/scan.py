"""One image that was found: what it shows, of whom, and what its name says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

ANY_SPACE = "*"  # of an image that a pattern names: the user's word is taken
KINDS = ("t1w", "pet", "flair", "brain_mask", "lesion_mask")


@dataclass(frozen=True)
class Scan:
    """An image below the folder that is read.

    ``path``: relative to that folder; ``session``: the label, empty without sessions; ``space``: empty for the
    person's own T1 space, otherwise the template's name or ``ANY_SPACE``; ``rank``: the preferred variant has 0;
    ``site``: where the path names it, otherwise empty.
    """

    path: PurePosixPath
    kind: str
    participant_id: str
    session: str = ""
    space: str = ""
    rank: int = 0
    entities: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    site: str = ""

    def order(self) -> tuple[object, ...]:
        """Sort key: the preferred variant first, then by session and name, run-2 before run-10."""
        return (self.rank, natural(self.session), natural(self.path))


@dataclass(frozen=True, order=True)
class NotUsed:
    """An image that was seen and is not used; ``path`` relative to the folder that is read."""

    path: str
    reason: str


def natural(text: str | Path | PurePosixPath) -> list[tuple[int, int, str]]:
    """Sort key in which run-2 stands before run-10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(text)) if part]


def words_of_path(scan: Scan) -> list[str]:
    """The words of an image's path, without the person's own name: what folders and files without entities tell."""
    label = scan.participant_id.removeprefix("sub-")
    parts = [part for part in scan.path.parts if re.sub(r"^sub-|[^0-9a-zA-Z]", "", part) != label]
    return re.findall(r"[0-9A-Za-z]+", "/".join(parts).removesuffix(".gz").removesuffix(".nii"))


def entities_of(path: PurePosixPath) -> tuple[dict[str, str], str]:
    """The BIDS entities of a file name and its suffix: ``sub-01_ses-a_T1w.nii.gz`` gives (sub, ses) and T1w."""
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    parts = stem.split("_")
    entities = dict(part.split("-", 1) for part in parts[:-1] if "-" in part)
    return entities, parts[-1]
