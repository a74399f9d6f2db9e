"""What was decided of each person, and why, in words for pages: control or patient, which images, what is peculiar."""

from collections import Counter
from collections.abc import Sequence

from synthpet.prepare.raw import RawSubject
from synthpet.report.html import Table

USED = {"T1w": "t1w", "PET": "pet", "FLAIR": "flair", "lesion mask": "lesion_mask"}


def who_is_who(people: Sequence[RawSubject]) -> list[str]:
    """How many were taken as what, for which reason."""
    counts = Counter((person.subject.group, person.why) for person in people if person.why)
    return [f"{n} taken as {group}: {why}" for (group, why), n in sorted(counts.items())]


def of_person(person: RawSubject) -> list[str]:
    """What was decided of one person."""
    subject = person.subject
    why = f": {person.why}" if person.why else ""
    return [f"Taken as {subject.group}, role {subject.role}{why}.", *_images(person), *person.notes]


def decisions_table(people: Sequence[RawSubject]) -> Table:
    """A row for each person."""
    rows = [
        (
            person.subject.participant_id,
            f"{person.subject.group}, {person.subject.role}",
            person.why or "–",
            "; ".join((*_images(person), *person.notes)),
        )
        for person in people
    ]
    header = ("Subject", "Taken as", "Because of", "Images that are used, and notes")
    return Table(header, rows, "What was decided of each person. Paths are below the folder that was read.", prose=True)


def _images(person: RawSubject) -> list[str]:
    paths = ((word, getattr(person, kind)) for word, kind in USED.items())
    return [f"{word}: {person.source(path)}" for word, path in paths if path is not None]
