"""Who is who: control or patient, paired, unpaired or held out."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synthpet.cohort.index import ROLES, Subject
from synthpet.prepare.raw.participants import COLUMNS, Participants, is_number

GROUP_OF = {role: group for group, roles in ROLES.items() for role in roles}


@dataclass(frozen=True)
class RoleRules:
    """How groups and roles are read from participants.tsv, and dealt where it says nothing.

    ``columns``: what -> column; ``role_values``: a word of the role column -> role; ``heldout_share``: of the controls
    with a PET and no given role.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: dict(COLUMNS))
    control_groups: Sequence[str] = ("control",)
    patient_groups: Sequence[str] = ("patient",)
    role_values: Mapping[str, str] = field(default_factory=dict)
    heldout_share: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Identity:
    """A person as the table has them: ``subject.role`` is empty where no role is given."""

    subject: Subject
    notes: tuple[str, ...] = ()
    problem: str = ""


def identify(participant_id: str, table: Participants, rules: RoleRules) -> Identity:
    """Group, given role, age, sex and site of one person."""

    def value(what: str, *more: str) -> str | None:
        return table.value(participant_id, rules.columns.get(what) or what, *more)

    notes: list[str] = []
    if table.rows and participant_id not in table.rows:
        notes.append("not in participants.tsv, taken as control")
    role, problem = _given_role(participant_id, value("role"), rules)
    group = _group(value("group"), role, rules, notes)
    if role and not problem and GROUP_OF[role] != group:
        problem = f"E_ROLE {participant_id}: role {role} in group {group}; expected one of {', '.join(ROLES[group])}"
    age, sex = value("age"), value("sex", "gender")
    if age and not is_number(age):
        notes.append(f"age {age!r} is not a number, left out")
    initial = (sex or "").upper()[:1]
    if sex and initial not in ("F", "M"):
        notes.append(f"sex {sex!r} is not F or M, left out")
    subject = Subject(
        participant_id=participant_id,
        group=group,
        role="patient" if group == "patient" else role,
        age=float(age) if age and is_number(age) else None,
        sex=initial if initial in ("F", "M") else None,
        site=value("site"),
        lesion_site=value("lesion_site") if group == "patient" else None,
    )
    return Identity(subject, tuple(notes), problem)


def _given_role(participant_id: str, given: str | None, rules: RoleRules) -> tuple[str, str]:
    if given is None:
        return "", ""
    role = rules.role_values.get(given, given.lower())
    if role in GROUP_OF:
        return role, ""
    return "", (
        f"E_ROLE {participant_id}: role {given!r} in participants.tsv; expected {', '.join(GROUP_OF)}, or "
        "role_values={<your word>: paired, ...}"
    )


def _group(given: str | None, role: str, rules: RoleRules, notes: list[str]) -> str:
    if given is None:
        return GROUP_OF.get(role, "control")
    if given in set(rules.patient_groups):
        return "patient"
    if given not in set(rules.control_groups):
        if role:
            return GROUP_OF[role]
        notes.append(f"group {given!r} taken as control")
    return "control"


def deal_roles(people: Mapping[str, tuple[Subject, bool]], rules: RoleRules) -> dict[str, Subject]:
    """Give a role to every control that has none: with a PET paired or held out, without unpaired.

    Everybody has a rank, a hash of seed and id; the lowest ranks are held out. So somebody who joins changes the role
    of at most one other person. With three or more paired controls at least one is held out.

    Args:
        people: by id, each with whether there is a PET.
        rules: the share that is held out, and the seed.
    """
    drawn = sorted(
        (pid for pid, (s, has_pet) in people.items() if not s.role and has_pet), key=lambda p: _rank(p, rules)
    )
    n = round(rules.heldout_share * len(drawn))
    given = any(subject.role == "heldout" for subject, _ in people.values())
    if rules.heldout_share > 0 and len(drawn) >= 3 and not given:
        n = max(n, 1)
    held_out = set(drawn[: max(0, min(n, len(drawn) - 2))])
    return {
        pid: subject if subject.role else dataclasses.replace(subject, role=_role(pid in held_out, has_pet))
        for pid, (subject, has_pet) in people.items()
    }


def _role(held_out: bool, has_pet: bool) -> str:
    if held_out:
        return "heldout"
    return "paired" if has_pet else "unpaired"


def _rank(participant_id: str, rules: RoleRules) -> str:
    return hashlib.sha256(f"{rules.seed}/{participant_id}".encode()).hexdigest()
