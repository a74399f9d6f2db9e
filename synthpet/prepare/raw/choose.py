"""Which of a person's images are used, and why the others are not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from synthpet.prepare.raw.scan import ANY_SPACE, Scan, natural

WORDS = {"t1w": "T1w", "pet": "PET", "flair": "FLAIR", "brain_mask": "brain mask", "lesion_mask": "lesion mask"}


@dataclass
class Choice:
    """A person's images by kind, what should be said, and what is not used with the reason."""

    used: dict[str, Scan] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dropped: list[tuple[Scan, str]] = field(default_factory=list)

    def drop(self, scans: Iterable[Scan], reason: str) -> None:
        """Leave images out."""
        self.dropped += [(scan, reason) for scan in scans]


def choose(
    scans: Sequence[Scan],
    *,
    session: str | None,
    why_not: Callable[[Scan, Scan], str],
    why_not_pet: Callable[[Scan], str],
) -> Choice:
    """Take one T1, and what belongs to it: of its session and space where there is a choice.

    Args:
        scans: a person's images.
        session: only this session's (and images without one); None: the first that has a T1.
        why_not: why a brain mask does not fit a T1, empty where it does.
        why_not_pet: why a PET is not of the tracer, empty where it is.
    """
    choice = Choice()
    if session is not None:
        label = session.removeprefix("ses-")
        choice.drop([s for s in scans if s.session not in ("", label)], f"another session than session={label}")
        scans = [s for s in scans if s.session in ("", label)]
    pets = []
    for scan in (s for s in scans if s.kind == "pet"):
        reason = why_not_pet(scan)
        if reason:
            choice.drop([scan], reason)
        else:
            pets.append(scan)
    t1w = _choose_t1w([s for s in scans if s.kind == "t1w"], pets, choice)
    if t1w is None:
        choice.drop([s for s in scans if s.kind != "pet"] + pets, "this person has no T1w")
        return choice
    _choose_kind("pet", pets, t1w, choice)
    for kind in ("flair", "lesion_mask"):
        _choose_kind(kind, [s for s in scans if s.kind == kind], t1w, choice)
    _choose_brain_mask([s for s in scans if s.kind == "brain_mask"], t1w, choice, why_not)
    return choice


def _choose_t1w(t1ws: list[Scan], pets: list[Scan], choice: Choice) -> Scan | None:
    """The first of the first session; of several spaces (CAPS) the preferred one that a PET shares."""
    if not t1ws:
        return None
    t1ws = sorted(t1ws, key=lambda scan: (natural(scan.session), scan.order()))
    here = [scan for scan in t1ws if scan.session == t1ws[0].session]
    with_pet = [s for s in here if any(p.space in (s.space, ANY_SPACE) and p.session == s.session for p in pets)]
    first = (with_pet or here)[0]
    equal = [scan for scan in here if (scan.rank, scan.space) == (first.rank, first.space)]
    if len(equal) > 1:
        choice.notes.append(f"{len(equal)} T1w, the first is used: {_short(first)}")
    sessions = list(dict.fromkeys(scan.session for scan in t1ws))
    if len(sessions) > 1:
        choice.notes.append(f"T1w in the sessions {', '.join(sessions)}: the first is used")
    choice.used["t1w"] = first
    choice.drop([scan for scan in t1ws if scan is not first], "another T1w of this person is used")
    return first


def _choose_kind(kind: str, scans: list[Scan], t1w: Scan, choice: Choice) -> None:
    """The first of the T1's session, else of another, with a note; always in the T1's space."""
    fitting = [scan for scan in scans if t1w.space == ANY_SPACE or scan.space in (t1w.space, ANY_SPACE)]
    elsewhere = [scan for scan in scans if scan not in fitting]
    choice.drop(elsewhere, f"not in the space of the T1w that is used ({t1w.space or 'its own'})")
    own = [scan for scan in fitting if not t1w.session or scan.session in ("", t1w.session)]
    candidates = sorted(own or fitting, key=Scan.order)
    if not candidates:
        return
    first = candidates[0]
    equal = [scan for scan in candidates if scan.rank == first.rank]
    if len(equal) > 1:
        choice.notes.append(f"{len(equal)} {WORDS[kind]}, the first is used: {_short(first)}")
    elif not own:
        choice.notes.append(f"{WORDS[kind]} of session {first.session}, T1w of session {t1w.session}")
    choice.used[kind] = first
    choice.drop([scan for scan in fitting if scan is not first], f"another {WORDS[kind]} of this person is used")


def _choose_brain_mask(masks: list[Scan], t1w: Scan, choice: Choice, why_not: Callable[[Scan, Scan], str]) -> None:
    fitting = []
    for mask in masks:
        reason = _another_scan(mask, t1w) or why_not(mask, t1w)
        if reason:
            choice.drop([mask], reason)
        else:
            fitting.append(mask)
    _choose_kind("brain_mask", fitting, t1w, choice)


def _another_scan(mask: Scan, t1w: Scan) -> str:
    """A mask that was found by its name has to name the T1's session and run, or none."""
    if mask.space == ANY_SPACE:
        return ""
    same_session = mask.session in ("", t1w.session) or not t1w.session
    same_run = mask.entities.get("run") in (None, t1w.entities.get("run"))
    return "" if same_session and same_run else "brain mask of another T1w than the one that is used"


def _short(scan: Scan) -> str:
    """The path below the person's folder."""
    parts = scan.path.parts
    start = next((i + 1 for i, part in enumerate(parts[:-1]) if part == scan.participant_id), 0)
    return "/".join(parts[start:])
