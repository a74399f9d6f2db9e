"""Everybody together: whether groups and lesion masks agree, one spelling of each site, the roles that are dealt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from synthpet.cohort.images import read_image
from synthpet.errors import DataError
from synthpet.prepare.raw.participants import one_spelling
from synthpet.prepare.raw.roles import RoleRules, deal_roles
from synthpet.prepare.raw.scan import NotUsed
from synthpet.prepare.raw.subject import RawSubject

SHOWN = 6  # ids in one message


def one_site_spelling(people: Sequence[RawSubject]) -> tuple[list[RawSubject], list[str]]:
    """The same site under one name, and what was said otherwise."""
    same = one_spelling(person.subject.site for person in people)
    notes = [f"site {other!r} is taken as {name!r}" for other, name in sorted(same.items())]
    renamed = [
        replace(p, subject=replace(p.subject, site=same.get(p.subject.site or "", p.subject.site))) for p in people
    ]
    return renamed, notes


def against_masks(people: Sequence[RawSubject], rules: RoleRules) -> tuple[list[RawSubject], list[str]]:
    """Hold groups against lesion masks: a control with a lesion is asked about unless ``control_groups`` was given.

    Returns:
        The people, those with a contradiction of their own with a problem; and questions that concern everybody: no
        patient has a mask while controls do, as where the words for patient and control are exchanged.
    """
    ill = [p for p in people if p.subject.group == "control" and p.lesion_mask and _shows_a_lesion(p.lesion_mask)]
    if not ill:
        return list(people), []
    ids = [person.subject.participant_id for person in ill]
    if rules.control_groups:  # the user's own word
        note = "taken as control as control_groups says, so its lesion mask is not used"
        return [replace(p, lesion_mask=None, notes=(*p.notes, note)) if p in ill else p for p in people], []
    answer = (
        "correct the table, or confirm by control_groups=[<word of the table; n/a for none>] that people with a "
        "lesion mask are controls"
    )
    if not any(p.subject.group == "patient" and p.lesion_mask for p in people):
        n_patients = sum(p.subject.group == "patient" for p in people)
        named = f"{n_patients} patients, none of whom has one" if n_patients else "nobody a patient"
        shown = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
        return list(people), [
            f"E_GROUP participants.tsv: {len(ids)} taken as controls have a lesion mask ({shown}), and the table names "
            f"{named}; expected lesions in patients; {answer}"
        ]
    done = []
    for person in people:
        who = person.subject.participant_id
        words = f"E_GROUP {who}: taken as control ({person.why}), but has a lesion mask; expected a patient; {answer}"
        done.append(person.refused(words) if person in ill else person)
    return done, []


def _shows_a_lesion(mask: Path) -> bool:
    """Whether a mask holds anything; many data sets give controls an empty one. What cannot be read counts as full."""
    try:
        return bool(read_image(mask, xform="sform")[0].any())
    except DataError:
        return True


def with_roles(people: Sequence[RawSubject], rules: RoleRules) -> tuple[list[RawSubject], list[NotUsed]]:
    """Deal roles to the controls without one; a PET of somebody who is unpaired by the table is not used."""
    can_be = {p.subject.participant_id: (p.subject, p.pet is not None) for p in people if not p.problem}
    subjects = deal_roles(can_be, rules)
    done, given_up = [], []
    for person in people:
        subject = subjects.get(person.subject.participant_id)
        if subject is None:  # a problem: no role matters, but the type wants one
            done.append(replace(person, subject=replace(person.subject, role=person.subject.role or "unpaired")))
            continue
        person = replace(person, subject=subject)
        if subject.role == "unpaired" and person.pet is not None:
            given_up.append(NotUsed(person.source(person.pet), "its person has the role unpaired in participants.tsv"))
            person = replace(person, pet=None, notes=(*person.notes, "role unpaired, the PET is not used"))
        if subject.role == "patient" and person.pet is None:
            person = replace(person, notes=(*person.notes, "patient without FDG PET"))
        done.append(person)
    return done, given_up
