"""What is said of a folder before the work starts, and the table of what is not used."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthpet.cohort.files import write_tsv
from synthpet.cohort.index import ROLES
from synthpet.prepare.decisions import who_is_who
from synthpet.prepare.raw import RawData, RawSubject
from synthpet.prepare.raw.layouts import LAYOUTS
from synthpet.runtime.console import say

NOT_USED = "not_used.tsv"
SHOWN = 6  # names or reasons in one go; tables hold the rest


def write_not_used(raw: RawData, out: Path) -> Path:
    """Write ``not_used.tsv``: the path below the folder that was read, and the reason."""
    return write_tsv(out / NOT_USED, [vars(line) for line in raw.not_used], ("path", "reason"))


def announce(raw: RawData, out: Path) -> None:
    """Say who and what was found, what is peculiar, and how many images are left out for which reason."""
    usable = [person for person in raw.people if not person.problem]
    roles = Counter(person.subject.role for person in usable)
    named = [f"{roles[role]} {role}" for roles_of in ROLES.values() for role in roles_of if roles[role]]
    images = {"FDG PET": "pet", "FLAIR": "flair", "brain mask": "brain_mask", "lesion mask": "lesion_mask"}
    counts = [f"{word} {sum(getattr(person, kind) is not None for person in usable)}" for word, kind in images.items()]
    who = f"{len(raw.people)} subject{'s' * (len(raw.people) > 1)}, {LAYOUTS[raw.layout]}"
    say(f"{who}: {', '.join(named) or 'no usable subject'}; {', '.join(counts)}")
    for note in (*who_is_who(usable), *raw.notes):
        say(f"  {note}")
    for note, people in _by_note(raw.people).items():
        say(f"  {note}: {_listed(people)}")
    _say_not_used(raw, out)


def _by_note(people: Sequence[RawSubject]) -> Mapping[str, list[str]]:
    """Who has which note: what many people share is said once."""
    found: dict[str, list[str]] = {}
    for person in people:
        for note in person.notes:
            found.setdefault(note, []).append(person.subject.participant_id)
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _say_not_used(raw: RawData, out: Path) -> None:
    reasons = Counter(line.reason for line in raw.not_used)
    if not reasons:
        return
    say(f"  not used: {len(raw.not_used)} images, each with its reason in {out / NOT_USED}")
    for reason, count in reasons.most_common(SHOWN):
        example = next(line.path for line in raw.not_used if line.reason == reason)
        say(f"    {count} x {reason} ({example})")
    if len(reasons) > SHOWN:
        say(f"    and {len(reasons) - SHOWN} other reasons")
