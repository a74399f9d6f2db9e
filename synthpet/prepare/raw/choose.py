"""Which of a person's images are used, and why the others are not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from synthpet.prepare.raw.look import MAX_LENGTH_MM, NOT_CORRECTED, Look
from synthpet.prepare.raw.scan import ANY_SPACE, Scan
from synthpet.prepare.raw.sessions import choose_sessions, postoperative
from synthpet.prepare.raw.tracer import UNKNOWN

WORDS = {"t1w": "T1w", "pet": "PET", "flair": "FLAIR", "brain_mask": "brain mask", "lesion_mask": "lesion mask"}


@dataclass
class Choice:
    """A person's images by kind, what should be said, what is not used with the reason, why nothing can be chosen."""

    used: dict[str, Scan] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dropped: list[tuple[Scan, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def drop(self, scans: Iterable[Scan], reason: str) -> None:
        """Leave images out."""
        self.dropped += [(scan, reason) for scan in scans]

    @property
    def doubtful_pets(self) -> list[tuple[Scan, str]]:
        """PETs that may well be what is looked for, where none is used: of an unknown tracer, or not corrected."""
        doubts = (UNKNOWN, NOT_CORRECTED)
        pets = [(scan, reason) for scan, reason in self.dropped if scan.kind == "pet" and reason.startswith(doubts)]
        return [] if "pet" in self.used else pets


def choose(scans: Sequence[Scan], look: Look, *, session: str | Mapping[str, str] | None = None) -> Choice:
    """Take one T1, and what belongs to it: of its session and space where there is a choice.

    Args:
        scans: a person's images.
        look: what is known of them.
        session: only this session's (and images without one), or one for ``t1w`` and one for ``pet``; None: the one
            that has both, see ``choose_sessions``.
    """
    choice = Choice()
    scans = _of_session(scans, session, choice)
    pets = []
    for scan in (s for s in scans if s.kind == "pet"):
        reason = look.why_not_pet(scan)
        if reason:
            choice.drop([scan], reason)
        else:
            pets.append(scan)
    t1ws = [s for s in scans if s.kind == "t1w"]
    if not t1ws:
        choice.drop([s for s in scans if s.kind != "pet"] + pets, "this person has no T1w")
        return choice
    found = choose_sessions(t1ws, pets, look.acquired, said=session is not None)
    choice.notes += found.notes
    if found.problem:
        choice.problems.append(f"E_SESSION {t1ws[0].participant_id}: {found.problem}")
    t1w = _choose_t1w([s for s in t1ws if s.session == found.t1w] or t1ws, t1ws, pets, look, choice)
    elsewhere = [s for s in pets if found.pet is not None and s.session != found.pet]
    choice.drop(elsewhere, f"another PET of this person is used, of {_session(found.pet)}")
    _choose_kind("pet", _of_the_head([s for s in pets if s not in elsewhere], look, choice), t1w, choice)
    pet = choice.used.get("pet")
    if pet and session is None and not found.problem and _across_surgery(t1w, pet):
        choice.problems.append(
            f"E_SESSION {t1w.participant_id}: of {_short(t1w)} and {_short(pet)} one was taken after surgery, as its "
            "name says; expected both from before surgery; narrow the patterns t1w= and pet="
        )
    masks = _with_t1w([s for s in scans if s.kind == "lesion_mask"], t1w, choice)
    flairs = _with_t1w([s for s in scans if s.kind == "flair"], t1w, choice)
    _choose_kind("flair", _drawn_on(masks, flairs, choice), t1w, choice)
    _choose_kind("lesion_mask", masks, t1w, choice)
    _choose_brain_mask([s for s in scans if s.kind == "brain_mask"], t1w, choice, look)
    return choice


def _of_session(scans: Sequence[Scan], session: str | Mapping[str, str] | None, choice: Choice) -> list[Scan]:
    """The images of the session that the user says, and those without one."""
    if session is None:
        return list(scans)
    kept = []
    for scan in scans:
        said = session if isinstance(session, str) else session.get("pet" if scan.kind == "pet" else "t1w")
        if said is None or scan.session in ("", said.removeprefix("ses-")):
            kept.append(scan)
        else:
            choice.drop([scan], f"another session than session={said.removeprefix('ses-')}")
    return kept


def _choose_t1w(here: list[Scan], t1ws: list[Scan], pets: list[Scan], look: Look, choice: Choice) -> Scan:
    """The best of the session; of several spaces (CAPS) the preferred one that a PET shares."""
    with_pet = [s for s in here if any(p.space in (s.space, ANY_SPACE) and p.session == s.session for p in pets)]
    first = min(with_pet or here, key=Scan.order)
    equal = [scan for scan in here if (scan.rank, scan.space) == (first.rank, first.space)]
    if len(equal) > 1:
        known = {scan: look.t1w(scan) for scan in equal}
        equal = sorted(equal, key=lambda scan: (postoperative(scan), known[scan].order, scan.order()))
        first, others = equal[0], equal[1:]
        alike = (postoperative(first), known[first].order) == (postoperative(others[0]), known[others[0]].order)
        why = f"{known[first]}" + (", the first by name of those alike" if alike else "")
        not_used = ", ".join(f"{_short(scan)} ({known[scan]})" for scan in others)
        choice.notes.append(f"{len(equal)} T1w: {_short(first)} is used ({why}), not {not_used}")
    else:
        known = {first: look.t1w(first)}
    if known[first].contrast:
        choice.notes.append(f"T1w with {known[first].contrast}")
    choice.used["t1w"] = first
    choice.drop([scan for scan in t1ws if scan is not first], "another T1w of this person is used")
    return first


def _across_surgery(t1w: Scan, pet: Scan) -> bool:
    """Whether the names of images that patterns found say before and after surgery; sessions tell it of others."""
    return ANY_SPACE in (pet.space, t1w.space) and postoperative(pet) != postoperative(t1w)


def _of_the_head(pets: list[Scan], look: Look, choice: Choice) -> list[Scan]:
    """Without PETs of the whole body where there is one of the head."""
    if len(pets) < 2:
        return pets
    long = [scan for scan in pets if MAX_LENGTH_MM < look.length_mm(scan) < float("inf")]
    if len(long) == len(pets):
        return pets
    choice.drop(long, f"longer than {MAX_LENGTH_MM:.0f} mm, and there is a PET of the head")
    return [scan for scan in pets if scan not in long]


def _with_t1w(scans: list[Scan], t1w: Scan, choice: Choice) -> list[Scan]:
    """Without a lesion mask that was drawn on another T1, and what was taken on the other side of surgery."""
    fitting = []
    for scan in scans:
        other = _another_scan(scan, t1w) if scan.kind == "lesion_mask" else ""
        if other:
            choice.drop([scan], other)
        elif postoperative(scan) and not postoperative(t1w):
            choice.drop([scan], "after surgery, as its name says; the T1w is from before")
        else:
            fitting.append(scan)
    return fitting


def _drawn_on(masks: list[Scan], flairs: list[Scan], choice: Choice) -> list[Scan]:
    """The FLAIRs whose whole name that of a lesion mask begins with; all of them where there is none."""
    names = {scan: scan.path.name.removesuffix(".gz").removesuffix(".nii") for scan in flairs}
    named = [scan for scan in flairs if any(mask.path.name.startswith(f"{names[scan]}_") for mask in masks)]
    if not named:
        return flairs
    choice.drop([scan for scan in flairs if scan not in named], "the lesion mask was drawn on another FLAIR")
    return named


def _choose_kind(kind: str, scans: list[Scan], t1w: Scan, choice: Choice) -> None:
    """The first of the T1's session, else of another, with a note; always in the T1's space."""
    fitting = [scan for scan in scans if t1w.space == ANY_SPACE or scan.space in (t1w.space, ANY_SPACE)]
    elsewhere = [scan for scan in scans if scan not in fitting]
    choice.drop(elsewhere, f"not in the space of the T1w that is used ({t1w.space or 'its own'})")
    own = [scan for scan in fitting if _same_session(scan, t1w)]
    candidates = sorted(own or fitting, key=lambda scan: (postoperative(scan) != postoperative(t1w), scan.order()))
    if not candidates:
        return
    first = candidates[0]
    equal = [s for s in candidates if (s.rank, postoperative(s)) == (first.rank, postoperative(first))]
    if len(equal) > 1:
        choice.notes.append(f"{len(equal)} {WORDS[kind]}, the first is used: {_short(first)}")
    elif not own and kind != "pet":  # said of a PET by choose_sessions
        choice.notes.append(f"{WORDS[kind]} of {_session(first.session)}, T1w of {_session(t1w.session)}")
    choice.used[kind] = first
    choice.drop([scan for scan in fitting if scan is not first], f"another {WORDS[kind]} of this person is used")


def _choose_brain_mask(masks: list[Scan], t1w: Scan, choice: Choice, look: Look) -> None:
    fitting = []
    for mask in masks:
        reason = _another_scan(mask, t1w) or look.why_not_mask(mask, t1w)
        if reason:
            choice.drop([mask], reason)
        else:
            fitting.append(mask)
    _choose_kind("brain_mask", fitting, t1w, choice)


def _another_scan(mask: Scan, t1w: Scan) -> str:
    """A mask that was found by its name has to name the T1's session, run and acquisition, or none."""
    if mask.space == ANY_SPACE:
        return ""
    same = all(mask.entities.get(entity) in (None, t1w.entities.get(entity)) for entity in ("run", "acq", "ce", "rec"))
    fits = _same_session(mask, t1w) and same
    return "" if fits else f"{WORDS[mask.kind]} of another T1w than the one that is used"


def _same_session(scan: Scan, t1w: Scan) -> bool:
    return scan.session in ("", t1w.session) or not t1w.session


def _session(label: str | None) -> str:
    return f"ses-{label}" if label else "no session"


def _short(scan: Scan) -> str:
    """The path below the person's folder."""
    parts = scan.path.parts
    start = next((i + 1 for i, part in enumerate(parts[:-1]) if part == scan.participant_id), 0)
    return "/".join(parts[start:])
