"""Which image of a folder is what: raw BIDS, Clinica CAPS, PETPrep and fMRIPrep outputs, or patterns.

Sources: BIDS 1.9; https://aramislab.paris.inria.fr/clinica/docs/public/latest/CAPS/Specifications/;
https://petprep.readthedocs.io/en/latest/outputs.html.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from synthpet.errors import UsageError
from synthpet.prepare.raw.scan import ANY_SPACE, Scan, entities_of

LAYOUTS = {
    "bids": "raw BIDS",
    "caps": "Clinica CAPS",
    "petprep": "PETPrep or fMRIPrep outputs",
    "patterns": "folders by patterns",
}
NATIVE = ("", "T1w", "orig", "individual")  # values of space- that mean the T1's own
Person = tuple[str, str, dict[str, str], str]  # participant, session, entities, suffix
Classify = Callable[[PurePosixPath], Scan | str]  # an image's path to what it is, or why it is not used

CAPS_FOLDER = re.compile(
    r"^(subjects/)?sub-[^/]+/ses-[^/]+/(t1_linear|pet_linear|flair_linear|t1/spm|pet/preprocessing)/"
)
PETPREP_T1W = re.compile(r"^sub-[^/]+/(ses-[^/]+/)?anat/[^/]*_desc-preproc_T1w\.nii")
OTHER = "{suffix}: not an image that is looked for (T1w, FLAIR, pet and masks are)"


def find_layout(layout: str, images: Iterable[PurePosixPath], patterns: Mapping[str, str]) -> str:
    """The key of ``LAYOUTS`` that was asked for, or for ``auto`` the one that the names show.

    Raises:
        UsageError: an unknown layout, or ``patterns`` without one for the T1.
    """
    if layout not in (*LAYOUTS, "auto"):
        raise UsageError(f"layout={layout!r}: expected auto, {', '.join(LAYOUTS)}")
    if layout == "patterns" and "t1w" not in patterns:
        raise UsageError("layout=patterns: expected t1w=, a pattern such as '{participant_id}/mri/T1.nii.gz'")
    if layout != "auto":
        return layout
    if "t1w" in patterns:
        return "patterns"
    names = [str(image) for image in images]
    if any(CAPS_FOLDER.match(name) for name in names):
        return "caps"
    return "petprep" if any(PETPREP_T1W.match(name) for name in names) else "bids"


def classifier(layout: str, patterns: Mapping[str, str], folder: str = "") -> Classify:
    """What tells the images of a layout apart; a kind that has a pattern is found by its pattern alone.

    Args:
        layout: a key of ``LAYOUTS``.
        patterns: by kind of image.
        folder: name of the folder that is read: the one person's name when no pattern has a placeholder.

    Raises:
        UsageError: a pattern that tells nobody apart.
    """
    by_name = {"bids": _bids, "caps": _caps, "petprep": _petprep, "patterns": _no_pattern}[layout]
    alone = layout == "patterns" and not any("{" in pattern for pattern in patterns.values())
    matchers = {kind: compile_pattern(pattern, kind, alone=alone) for kind, pattern in patterns.items()}

    def classify(path: PurePosixPath) -> Scan | str:
        for kind, matcher in matchers.items():
            match = matcher.fullmatch(str(path))
            if match:
                return _of_pattern(path, kind, match.groupdict() | ({"label": folder} if alone else {}))
        found = by_name(path)
        if isinstance(found, Scan) and found.kind in matchers:
            return f"does not match the pattern {found.kind}="
        return found

    return classify


def compile_pattern(pattern: str, kind: str, *, alone: bool = False) -> re.Pattern[str]:
    """A path pattern as a regular expression: ``*``, ``?`` within a name, ``**/`` for any folders, placeholders.

    Letters of either case match: one data set can write ``ct`` and ``CT``.

    Args:
        pattern: the path below the folder that is read.
        kind: of image, for the message.
        alone: there is one person only, and no placeholder.

    Raises:
        UsageError: without ``{participant_id}`` or ``{label}`` nobody could be told apart.
    """
    placeholders = re.findall(r"\{([^}]*)\}", pattern)
    nobody = not {"participant_id", "label"} & set(placeholders) and not alone
    if nobody or set(placeholders) - {"participant_id", "label", "site"}:
        raise UsageError(
            f"{kind}={pattern!r}: expected a path below bids_dir with {{participant_id}} (the folder's whole name, "
            "sub-01) or {label} (01), and {site} before it where ids repeat from site to site"
        )
    token = re.compile(r"\{participant_id\}|\{label\}|\{site\}|\*\*/|\*\*|\*|\?|[^{}*?]+")
    text, named, placed = "", False, False
    for part in token.findall(pattern.removeprefix("./")):
        if part in ("{participant_id}", "{label}"):
            before = "(?:sub-)?" if part == "{participant_id}" else ""
            text += before + ("(?P=label)" if named else "(?P<label>[^/]+?)")
            named = True
        elif part == "{site}":  # of one folder or several: Utrecht, Amsterdam/GE3T
            text += "(?P=site)" if placed else "(?P<site>.+?)"
            placed = True
        else:
            text += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part)
    return re.compile(text, re.IGNORECASE)


def _of_pattern(path: PurePosixPath, kind: str, named: Mapping[str, str]) -> Scan:
    site = named.get("site", "")
    entities, _ = entities_of(path)
    session = next((part[4:] for part in path.parts[:-1] if part.startswith("ses-")), entities.get("ses", ""))
    known_as = f"sub-{site}{named['label']}"
    return Scan(path, kind, known_as, session, ANY_SPACE, entities=entities, site=re.sub(r"[^0-9a-zA-Z]", "", site))


def _no_pattern(path: PurePosixPath) -> str:
    return "no pattern matches it"


def _person(path: PurePosixPath, start: int = 0) -> Person | str:
    """Participant and session by the folders, entities and suffix by the name; or what is wrong with them."""
    parts = path.parts[start:]
    if not parts[0].startswith("sub-") or len(parts) < 2:
        return "lies outside the sub-*/ folders"
    entities, suffix = entities_of(path)
    session = parts[1][4:] if parts[1].startswith("ses-") else ""
    if entities.get("sub") != parts[0][4:]:
        said = f"sub-{entities['sub']}" if "sub" in entities else "nobody"
        return f"its name says {said}, its folder another; or name it by a pattern (t1w=, pet=, ...)"
    if entities.get("ses", "") != session:
        return "its name says another session than its folder"
    return parts[0], session, entities, suffix


def _person_or_mask(path: PurePosixPath, start: int = 0) -> Person | Scan | str:
    """A mask of brain or lesion, why an image is not used, or whose image it is: for what a layout makes of it."""
    person = _person(path, start)
    if isinstance(person, str):
        return person
    participant_id, session, entities, suffix = person
    mask = _mask_kind(path, entities, suffix)
    if mask in ("brain_mask", "lesion_mask"):
        return Scan(path, mask, participant_id, session, entities=entities)
    return mask or person


def _bids(path: PurePosixPath) -> Scan | str:
    if path.parts[0] == "derivatives":
        return _derivative_mask(path)
    person = _person_or_mask(path)
    if not isinstance(person, tuple):
        return person
    participant_id, session, entities, suffix = person
    folder = path.parts[-2]
    kind = {"T1w": "t1w", "FLAIR": "flair", "pet": "pet"}.get(suffix)
    if kind is None:
        return OTHER.format(suffix=suffix)
    if entities.get("part", "mag") != "mag":
        return f"part-{entities['part']}; expected magnitudes"
    if folder != ("pet" if kind == "pet" else "anat"):
        return f"{suffix} lies in {folder}/; expected {'pet/' if kind == 'pet' else 'anat/'}"
    if entities.get("space", "") not in NATIVE:
        return f"lies in the space {entities['space']}; expected the person's own"
    # Of a scan's reconstructions the static one is what is read as FDG
    later = kind == "pet" and "dyn" in entities.get("rec", "")
    return Scan(path, kind, participant_id, session, rank=int(later), entities=entities)


def _derivative_mask(path: PurePosixPath) -> Scan | str:
    start = next((i for i, part in enumerate(path.parts[:-1]) if part.startswith("sub-")), None)
    if start is None:
        return "in derivatives only masks in sub-*/ are looked for"
    found = _person_or_mask(path, start)
    if not isinstance(found, tuple):
        return found
    return "in derivatives only masks are looked for; to prepare these, set bids_dir= to that folder"


def _mask_kind(path: PurePosixPath, entities: Mapping[str, str], suffix: str) -> str:
    """``brain_mask``, ``lesion_mask``, why a mask is none of them, or empty where it is no mask."""
    if suffix.lower() not in ("mask", "brainmask", "roi", "lesion"):
        return ""
    about = path.name.lower()
    space = entities.get("space", "")
    lesion = "lesion" in about or suffix == "roi"
    if not lesion and "brain" not in about:
        return "a mask of neither brain nor lesion"
    if space not in NATIVE:
        return f"a mask in the space {space}; expected the T1's own"
    drawn_on = next((word for word in ("FLAIR", "T2w", "pet", "bold") if f"_{word}_" in path.name), "")
    if drawn_on or "pet" in path.parts[-2:-1] or "func" in path.parts[-2:-1]:
        where = drawn_on or path.parts[-2]
        return f"a mask in the space of the {where}; expected the T1's (lesion_mask= takes it, see lesion_space=)"
    return "lesion_mask" if lesion else "brain_mask"


def _petprep(path: PurePosixPath) -> Scan | str:
    person = _person_or_mask(path)
    if not isinstance(person, tuple):
        return person
    participant_id, session, entities, suffix = person
    kind = {"T1w": "t1w", "FLAIR": "flair", "pet": "pet"}.get(suffix)
    if kind is None:
        return OTHER.format(suffix=suffix)
    if entities.get("desc") != "preproc":
        return "expected desc-preproc"
    space = entities.get("space", "")
    if space not in NATIVE:
        return f"lies in the space {space}; expected the person's own"
    return Scan(path, kind, participant_id, session, rank=int(kind == "pet" and not space), entities=entities)


def _caps(path: PurePosixPath) -> Scan | str:
    start = 1 if path.parts[0] == "subjects" else 0
    if len(path.parts) < start + 2:
        return "lies outside the sub-*/ folders"
    person = _person(path, start)
    if isinstance(person, str):
        return person
    participant_id, session, entities, suffix = person
    place = "/".join(path.parts[start + 2 : -1])
    kind = {"T1w": "t1w", "flair": "flair", "FLAIR": "flair", "pet": "pet", "brainmask": "brain_mask"}.get(suffix)
    places = {
        "t1_linear": ("t1w",), "flair_linear": ("flair",), "pet_linear": ("pet",),
        "t1/spm/segmentation/normalized_space": ("t1w",),
    }  # fmt: skip
    wanted = ("pet", "brain_mask") if place.startswith("pet/preprocessing/") else places.get(place, ())
    if kind is None or kind not in wanted:
        return OTHER.format(suffix=suffix)
    if "pvc" in entities or "mask" in entities:
        return "corrected for partial volume or masked; the plain image is expected"
    # The uncropped image first: the crop can end below the brain. T1 and FLAIR of t1_linear before t1_volume's
    space = entities.get("space", "")
    rank = int("desc" in entities) + 2 * int(space == "Ixi549Space")
    return Scan(path, kind, participant_id, session, "" if space in NATIVE else space, rank, entities)
