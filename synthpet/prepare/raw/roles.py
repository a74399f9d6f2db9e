"""Who is who: control or patient, paired, unpaired or held out."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from synthpet.cohort.index import ROLES, Subject
from synthpet.cohort.words import group_of, plain, sex_of, years_of
from synthpet.errors import UsageError
from synthpet.prepare.raw.participants import COLUMNS, EMPTY, Participants
from synthpet.runtime.options import Options

NO_LESION = ("no", "no lesion", "healthy", "normal", "control", "0", "not applicable", "")
GROUP_OF = {role: group for group, roles in ROLES.items() for role in roles}


@dataclass(frozen=True)
class RoleRules(Options):
    """How groups and roles are read from participants.tsv, and dealt where it says nothing.

    Args:
        columns: what -> column.
        control_groups: the user's words for it beside the known ones, among them ``n/a`` for nothing.
        patient_groups: likewise.
        role_values: a word of the role column -> role.
        heldout_share: of the controls with a PET and no given role, from 0 to below 1.
        seed: of who is held out.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: dict(COLUMNS))
    control_groups: Sequence[str] = ()
    patient_groups: Sequence[str] = ()
    role_values: Mapping[str, str] = field(default_factory=dict)
    heldout_share: float = 0.2
    seed: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Options.of``; a column that is not named keeps its name, and words may be typed as numbers.

        Raises:
            UsageError: a column of nothing that is read.
        """
        columns, role_values = values.get("columns", {}), values.get("role_values") or {}
        if unknown := set(columns) - set(COLUMNS):
            raise UsageError(f"columns.{', '.join(sorted(unknown))}: expected {', '.join(COLUMNS)}")
        words = {name: tuple(map(str, values.get(name, ()))) for name in ("control_groups", "patient_groups")}
        roles = {str(word): str(role) for word, role in role_values.items()}
        return super().of({**values, **words, "columns": {**COLUMNS, **columns}, "role_values": roles})

    def meaning(self, word: str | None, levels: Mapping[str, str] | None = None) -> str:
        """``control``, ``patient``, or empty where nobody says: the user's words, then known ones, then ``Levels``.

        Args:
            word: of the table; None: the cell is empty or not there.
            levels: of participants.json, value to description.
        """
        for group, words in (("control", self.control_groups), ("patient", self.patient_groups)):
            empty = any(given.lower() in EMPTY for given in words)
            if empty if word is None else plain(word) in [plain(given) for given in words]:
                return group
        if word is None:
            return ""
        described = next((d for value, d in (levels or {}).items() if plain(value) == plain(word)), "")
        return group_of(word) or group_of(described)


@dataclass(frozen=True)
class Identity:
    """A person as the table has them: ``subject.role`` is empty where no role is given.

    ``why``: what made them a control or a patient.
    """

    subject: Subject
    notes: tuple[str, ...] = ()
    problem: str = ""
    why: str = ""


def identify(participant_id: str, table: Participants, rules: RoleRules, *, asked: bool = False) -> Identity:
    """Group, given role, age, sex and site of one person.

    Args:
        participant_id: of the folder.
        table: by these ids.
        rules: how it is read.
        asked: there are ``unknown_groups``: whoever's group is not known is no problem of their own.
    """

    def value(what: str, *more: str) -> str | None:
        return table.value(participant_id, rules.columns.get(what) or what, *more)

    notes: list[str] = []
    role, problem = _given_role(participant_id, value("role"), rules)
    group, why = _group(participant_id, table, role, rules)
    if not group:
        problem = problem or ("" if asked else _nothing_says(participant_id, table))
        group = "control"
    other = _says_otherwise(participant_id, table, group, rules) if why else ""
    if other and not problem:
        problem = (
            f"E_GROUP {participant_id}: taken as {group} ({why}), but {other}; expected one answer; correct the table, "
            "or say which column holds: columns.group=<column> with control_groups=[<its word>]"
        )
    if role and not problem and GROUP_OF[role] != group:
        problem = f"E_ROLE {participant_id}: role {role} in group {group}; expected one of {', '.join(ROLES[group])}"
    age, sex = value("age"), value("sex", "gender")
    years = years_of(age, table.units.get((rules.columns.get("age") or "age").lower(), "years")) if age else None
    if age and years is None:
        notes.append("age is not a number of years, left out")  # it may be a date of birth: not shown
    known_sex = _sex(sex, table, rules)
    if sex and known_sex is None:
        notes.append("sex is not a known word for F or M, left out")
    subject = Subject(
        participant_id=participant_id,
        group=group,
        role="patient" if group == "patient" else role,
        age=years,
        sex=known_sex,
        site=value("site"),
        lesion_site=value("lesion_site") if group == "patient" else None,
    )
    return Identity(subject, tuple(notes), problem, why)


def _sex(word: str | None, table: Participants, rules: RoleRules) -> str | None:
    """By the list, else by participants.json; where H stands beside M, M may be mujer and nobody's is known by it."""
    if word is None:
        return None
    column = next((c for c in ((rules.columns.get("sex") or "sex").lower(), "gender") if table.values(c)), "")
    letters = {plain(found) for found in table.values(column)}
    if {"h", "m"} <= letters and plain(word) == "m":
        return None
    described = next((d for v, d in table.levels.get(column, {}).items() if plain(v) == plain(word)), "")
    return sex_of(word) or sex_of(described)


def _given_role(participant_id: str, given: str | None, rules: RoleRules) -> tuple[str, str]:
    if given is None:
        return "", ""
    role = rules.role_values.get(given, plain(given).replace(" ", ""))
    if role in GROUP_OF:
        return role, ""
    return "", (
        f"E_ROLE {participant_id}: role {given!r} in participants.tsv; expected {', '.join(GROUP_OF)}, or "
        "role_values={<your word>: paired, ...}"
    )


def _group(participant_id: str, table: Participants, role: str, rules: RoleRules) -> tuple[str, str]:
    """Control or patient, and what says so; empty where nothing does."""
    column = table.group_column(rules.columns.get("group") or "group")
    given = table.value(participant_id, column) if column else None
    group = rules.meaning(given, table.levels.get(column or ""))
    if given is not None and group:
        return group, f"{column} {given[:40]!r} in {table.name}"
    if role:
        return GROUP_OF[role], f"role {role} in {table.name}"
    if group:
        return group, f"{table.name} says nothing, {group}_groups holds n/a"
    return ("", "") if table.columns else ("control", "no participants.tsv")


def _says_otherwise(participant_id: str, table: Participants, group: str, rules: RoleRules) -> str:
    """What of a person's row contradicts the group; nothing does where the user gave the words."""
    if rules.control_groups or rules.patient_groups:
        return ""
    for column in table.usual_group_columns():
        word = table.value(participant_id, column)
        if word and rules.meaning(word, table.levels.get(column)) not in ("", group):
            return f"{column} is {word[:40]!r}"
    site = table.value(participant_id, rules.columns.get("lesion_site") or "lesion_site")
    return "there is a lesion_site" if group == "control" and site and plain(site) not in NO_LESION else ""


def _nothing_says(participant_id: str, table: Participants) -> str:
    where = "no group of this person" if participant_id in table.rows else "no row of this person"
    return (
        f"E_GROUP {participant_id}: {table.name} has {where}; expected control or patient; fill it in, or say what "
        "nothing means: control_groups=[n/a]"
    )


def unknown_groups(table: Participants, rules: RoleRules) -> tuple[str, ...]:
    """What has to be answered before anybody is taken for healthy: no column, or words that nobody knows."""
    column = table.group_column(rules.columns.get("group") or "group")
    if not table.rows or (column is None and rules.meaning(None)):
        return ()
    role = (rules.columns.get("role") or "role").lower()
    if column is None:
        if table.values(role):
            return ()
        return (
            f"E_GROUP {table.name}: no column says who is a patient; found: {', '.join(table.columns)[:200]}; expected "
            "group; name the column by columns.group=<column>, or say that everybody is a control: "
            "control_groups=[n/a]",
        )
    open_words = {
        word: n for word, n in table.values(column).items() if not rules.meaning(word, table.levels.get(column))
    }
    said = all(table.value(pid, role) for pid, row in table.rows.items() if row.get(column) in open_words)
    if not open_words or said:
        return ()
    found = ", ".join(f"{word!r} ({n})" for word, n in sorted(open_words.items())[:12])
    first = sorted(open_words)[0]
    return (
        f"E_GROUP {table.name}: column {column} holds {found}; expected words such as control, HC, patient, FCD; say "
        f"what they mean: control_groups=[{first}] or patient_groups=[{first}], or name another column: "
        "columns.group=<column>",
    )


def ill_by_name(table: Participants, ids: Sequence[str], rules: RoleRules) -> tuple[str, ...]:
    """Without a table: folders whose names say patient, such as ``sub-PAT01``, are asked about."""
    if table.columns or rules.meaning(None):
        return ()
    ill = [pid for pid in ids if group_of(re.sub(r"[^a-zA-Z].*", "", pid.removeprefix("sub-"))) == "patient"]
    if not ill:
        return ()
    return (
        f"E_GROUP no participants.tsv, and {len(ill)} folders have names of patients ({', '.join(ill[:6])}); expected "
        "a table that says who is one; write it, or say that everybody is a control: control_groups=[n/a]",
    )


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
