"""Whose a folder is: what made it and from which people; nothing else is ever written into it.

``.made_by`` says so from the first moment on, also of a folder whose making was interrupted. Folders of versions
without it are known by their manifests. A folder that a person made has neither.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from synthpet.cohort import Cohort
from synthpet.cohort.files import sha256, write_json
from synthpet.cohort.manifest import MANIFEST, Manifest
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError, DiskError, UsageError

CLAIM = ".made_by"
SIMULATED, PREPARED, RAW, RESULTS, PATIENT = (
    "a cohort simulated by synthpet.phantom", "a cohort made by synthpet.prepare",
    "raw data simulated by synthpet.phantom", "results", "results of a patient",
)  # fmt: skip
DATA = (SIMULATED, PREPARED, RAW)
BY_STAGE = {"cohort": SIMULATED, "prepare": PREPARED, "raw data": RAW}  # of manifests
DATA_FILES = ("participants.tsv", "dataset_description.json")
DERIVATIVES = "derivatives"  # below it results may lie within a data set, as BIDS has it
NOBODYS = "nobody"  # the place of simulated people
N_PEOPLE = 5  # of whom the claim remembers a file
SHOWN = 4  # names in a message


@dataclass(frozen=True)
class Source:
    """Which people: where their images lie, and the SHA-256 of some of them.

    Args:
        place: digest of the folder's path and its number on the disk (in containers all paths are alike).
        people: participant id to SHA-256, so that a data set that was moved is known again.
    """

    place: str = ""
    people: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, images: Mapping[str, Path]) -> "Source":
        """Of a data set: its folder, and one image of each person."""
        found = {}
        for who, path in sorted(images.items()):
            with suppress(OSError):  # not fetched, or not readable: others are
                found[who] = sha256(path)
            if len(found) == N_PEOPLE:
                break
        return cls(place_of(root), found)

    def is_same(self, other: "Source") -> bool:
        """Whether both are of one place, or share a person with the same image."""
        return bool(self.place and self.place == other.place) or any(
            other.people.get(who) == digest for who, digest in self.people.items()
        )


NOBODY = Source(NOBODYS)


def source_of(cohort: Cohort) -> Source:
    """Of whom a cohort is: what its claim says, else its own folder and T1s."""
    found = read_claim(cohort.root)
    if found is not None and found.source != Source():
        return found.source
    if found is not None and found.what == SIMULATED:
        return NOBODY
    return Source.of(cohort.root, {s.participant_id: cohort.path(s.participant_id, "t1w") for s in cohort.subjects})


@dataclass(frozen=True)
class Claim:
    """What made a folder, and from whom."""

    what: str
    source: Source


def place_of(path: Path) -> str:
    """A digest that tells folders (and files) apart without telling where they lie."""
    path = path.resolve()
    return hashlib.sha256(f"{path} {path.stat().st_ino if path.exists() else ''}".encode()).hexdigest()[:16]


def claim(folder: Path, what: str, source: Source) -> None:
    """Say in a folder what makes it from whom, before anything else is written there; arguments as ``check_claim``.

    Raises:
        UsageError: as ``check_claim``.
    """
    check_claim(folder, what, source)
    _write(folder, Claim(what, source))


def _write(folder: Path, claimed: Claim) -> None:
    if _written(folder) != claimed:
        with suppress(DiskError):  # a finished result may be read-only; who has to write more will say it
            write_json(folder / CLAIM, asdict(claimed))


def check_claim(folder: Path, what: str, source: Source) -> None:
    """Refuse to write into a folder that something else made, or from other people.

    Args:
        folder: may not exist yet.
        what: one of this module's words.
        source: of the people.

    Raises:
        UsageError: something else made the folder, or it is not empty and nobody says what made it.
    """
    check_no_data_above(folder)
    found = read_claim(folder)
    free = (RESULTS,) if found is None and not is_data_set(folder) else ()  # they go into folders of their own in it
    if _files(folder) and what not in free and not _is_same(found, Claim(what, source)):
        others = found is not None and found.what == what
        raise UsageError(f"{_there(folder, found, from_others=others)}; {_expected(what)}")


def claim_below(folder: Path) -> None:
    """A folder among results is of the same people as they are; one that was copied there from others is left alone.

    Raises:
        UsageError: it is of others.
    """
    own, above = _written(folder), next((c for p in folder.resolve().parents if (c := _written(p)) is not None), None)
    if above is None or above.what != RESULTS or (own is not None and own.what != RESULTS):
        return
    if own is not None and not own.source.is_same(above.source):
        raise UsageError(f"{_there(folder, own, from_others=True)}; {_expected(RESULTS)}")
    _write(folder, above)


def _is_same(found: Claim | None, wanted: Claim) -> bool:
    if found is None or found.what != wanted.what:
        return False
    unsaid = found.source == Source() and found.what != PREPARED  # simulated, by a version without claims
    return unsaid or found.source.is_same(wanted.source)


def check_no_data_above(folder: Path) -> None:
    """Results lie beside data, not within.

    Raises:
        UsageError: a folder above is a cohort or raw data of this project, and no ``derivatives`` lies between.
    """
    below = folder.resolve()
    for parent in below.parents:
        if below.name == DERIVATIVES:
            return
        if any((parent / name).is_file() for name in (*DATA_FILES, CLAIM)):
            found = read_claim(parent)
            if found is not None and found.what in DATA:
                raise UsageError(f"{_there(parent, found)}; {_expected(RESULTS)}: {folder} lies within")
        below = parent


def check_place(work_dir: Path) -> None:
    """Before a command writes anything: its ``work_dir`` is no data set and lies in none of ours.

    Raises:
        UsageError: it is, or does.
    """
    check_no_data_above(work_dir)
    found = read_claim(work_dir)
    if (found is not None and found.what in DATA) or (found is None and is_data_set(work_dir)):
        raise UsageError(f"{_there(work_dir, found)}; {_expected(RESULTS)}")


def is_data_set(folder: Path) -> bool:
    """Whether a folder looks like a data set."""
    return any((folder / name).is_file() for name in DATA_FILES)


def read_claim(folder: Path) -> Claim | None:
    """What a folder says of itself; None where it says nothing."""
    if (found := _written(folder)) is not None:
        return found
    what = BY_STAGE.get(_manifest(folder).stage)
    if what in (PREPARED, None) and (people := _people_of(folder)):
        return Claim(PREPARED, Source("", people))
    return None if what is None else Claim(what, Source())


def _written(folder: Path) -> Claim | None:
    with suppress(DataError, KeyError, TypeError, ValueError):
        about = read_json_object(folder / CLAIM)
        return Claim(str(about["what"]), Source(str(about["source"]["place"]), dict(about["source"]["people"])))
    return None


def _manifest(folder: Path) -> Manifest:
    try:
        return Manifest.read(folder)
    except DataError:
        return Manifest(folder / MANIFEST, exists=False)


def _people_of(folder: Path) -> dict[str, str]:
    """Person to the SHA-256 of the raw T1, from the manifests of a prepared cohort."""
    manifest = folder / MANIFEST
    state = manifest.stat().st_mtime_ns if manifest.exists() else 0
    return _read_people(folder.absolute(), state)


@lru_cache(maxsize=4)
def _read_people(cohort: Path, state: int) -> dict[str, str]:
    """Read once in a process until the cohort's manifest (``state``) is another: a comparison asks a hundred times."""
    found: dict[str, str] = {}
    for folder in sorted(cohort.glob("sub-*")):
        digests = list(_manifest(folder).inputs.values())
        found |= {folder.name: str(digests[0])} if digests else {}  # the T1 comes first
    return found


def _files(folder: Path) -> list[str]:
    """What lies there, apart from hidden files."""
    return sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []


def _there(folder: Path, found: Claim | None, *, from_others: bool = False) -> str:
    """What is there, in words."""
    files, name = _files(folder), _name(folder)
    what = found.what if found is not None else "a folder not made by this project"
    words = f"{what}{f' called {name}' if name else ''}{', from other people' if from_others else ''}"
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return f"E_CLAIMED {folder}: is {words}; it holds {', '.join(files[:SHOWN])}{more}"


def _name(folder: Path) -> str:
    try:
        return str(read_json_object(folder / "dataset_description.json").get("Name", ""))
    except DataError:
        return ""


def _expected(what: str) -> str:
    advice = {
        SIMULATED: "give cohort=<that folder> to use it, or another work_dir=",
        PREPARED: "give another out= (or cohort.name=)",
        RAW: "name a new folder by raw= (`python -m synthpet.prepare bids_dir=` reads your own)",
        RESULTS: "give another work_dir=",
        PATIENT: "give this patient a name of its own by name=",
    }[what]
    return f"expected a new or empty folder, or one with {what} from the same people; {advice}. Nothing was written"
