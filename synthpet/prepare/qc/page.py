"""The pages of quality control: one of the cohort, the most suspicious first, and one of each person."""

from collections import Counter
from collections.abc import Mapping, Sequence

from synthpet.plausibility.flags import CHECKS, OUTLIER_Z, Norm
from synthpet.plausibility.measures import COLUMNS, MEASURES
from synthpet.prepare.qc.cohort import MIN_SIDES, Person, verdict_word
from synthpet.prepare.qc.person import DRAWN
from synthpet.prepare.qc.pictures import CAPTIONS
from synthpet.report.assemble import Parts, assemble
from synthpet.report.html import Link, Page, Picture, Section, Table

NBSP = "\N{NO-BREAK SPACE}"
SIGNS = {"wrong?": f"▲{NBSP}wrong?", "look": f"△{NBSP}look", "ok": "ok", "not checked": "▲ not checked"}
SHOWN = {"similarity": "T1, r", "mask_dice": "Dice", "pet_fit": "PET, r"}  # of the table; those that somebody has
HOW = (
    "Scroll through the pictures below, the most suspicious first. Do not trust the verdict alone: it knows "
    "numbers, you see brains. Whoever is wrong and cannot be corrected: delete the row in participants.tsv.",
    f"First row: {CAPTIONS['t1w']}",
)
SIDES = (
    "Left and right: no picture shows whether they are swapped, and the template is symmetric. Two numbers can: "
    f"left_right (this brain against the asymmetry that the others share; needs {MIN_SIDES} people) and pet_own_gain "
    "(PET against T1 of the same person). A mistake that all images of all people share is seen by neither."
)


def cohort_page(
    name: str,
    people: Sequence[Person],
    refused: Mapping[str, str],
    provenance: Mapping[str, str],
    decisions: Sequence[str | Table] = (),
    *,
    simulated: bool,
) -> Page:
    """The page of all people.

    Args:
        name: of the cohort.
        people: the most suspicious first.
        refused: why others could not be prepared.
        provenance: heading to text.
        decisions: who was taken as what, and why.
        simulated: whether these people do not exist.
    """
    parts: Parts = {
        "decisions": list(decisions) or None,
        "summary": [_summary(people, refused), *_masks(people)],
        "refused": _refused(refused) if refused else None,
        "overview": _overview(people),
        "how": [*HOW, *_more_captions(people), SIDES],
        "strips": [_strip(person) for person in people],
        "limits": _limits_words(),
        "definitions": _definitions(people),
    }
    return assemble(__package__, "cohort_page.yaml", parts, {"name": name}, _notices(simulated), provenance)


def person_page(person: Person, norm: Norm, decisions: Sequence[str] = (), *, simulated: bool) -> Page:
    """Large pictures, what was decided, and every number of one person; ``simulated``: who does not exist."""
    found = person.checked
    pictures = [
        Picture(found.pictures[kind], CAPTIONS[kind], f"{kind} of {person.participant_id} in several planes")
        for kind in DRAWN
        if found is not None and kind in found.pictures
    ]
    parts: Parts = {
        "findings": _findings(person),
        "decisions": [*decisions, *([f"Brain mask: {found.mask_from}."] if found and found.mask_from else [])] or None,
        "pictures": pictures,
        "limits": _limits_words(),
        "numbers": _numbers(person, norm),
    }
    words = {"name": person.participant_id, "verdict": verdict_word(person)}
    return assemble(__package__, "person_page.yaml", parts, words, _notices(simulated))


def _notices(simulated: bool) -> list[str]:
    return ["SIMULATED: the images come from a computer model; these people do not exist."] if simulated else []


def _refused(refused: Mapping[str, str]) -> Table:
    rows = [(who, " ".join(problem.split())) for who, problem in refused.items()]
    return Table(("Subject", "Reason"), rows, "These people are not in the cohort.", prose=True)


def _summary(people: Sequence[Person], refused: Mapping[str, str]) -> str:
    count = {word: sum(verdict_word(person) == word for person in people) for word in SIGNS}
    words = [f"{len(people)} people were prepared"]
    if refused:
        words.append(f"{len(refused)} could not be, for the reasons below")
    words.append(
        f"{count['wrong?']} look wrong, {count['look']} should be looked at, {count['ok']} show nothing unusual"
    )
    if count["not checked"]:
        words.append(f"{count['not checked']} could not be checked")
    return "; ".join(words) + "."


def _masks(people: Sequence[Person]) -> list[str]:
    """Where the brain masks are from: whether this program has drawn the outlines that are looked at."""
    counts = Counter(person.checked.mask_from for person in people if person.checked and person.checked.mask_from)
    return ["Brain masks: " + "; ".join(f"{n} x {words}" for words, n in counts.most_common()) + "."] if counts else []


def _more_captions(people: Sequence[Person]) -> list[str]:
    have = {kind for person in people if person.checked for kind in person.checked.pictures}
    return [f"{CAPTIONS[kind]}" for kind in ("pet", "flair") if kind in have]


def _overview(people: Sequence[Person]) -> Table:
    columns = [column for column in SHOWN if any(person.numbers.get(column) is not None for person in people)]
    header = ("Subject", "Verdict", "What stands out", *(SHOWN[column] for column in columns))
    rows: list[list[str | Link]] = [
        [
            Link(person.participant_id, f"#{person.participant_id}"),
            SIGNS[verdict_word(person)],
            person.problem or ", ".join(flag.short for flag in person.verdict.flags) or "–",
            *(_number(person.numbers.get(column)) for column in columns),
        ]
        for person in people
    ]
    return Table(
        header,
        rows,
        "The most suspicious first. All numbers: qc.tsv. T1, r: T1 and template; PET, r: PET and own tissues.",
        prose=True,
    )


def _strip(person: Person) -> Section:
    large: list[str | Link] = [Link("Large pictures and all numbers", f"{person.participant_id}/report.html")]
    if person.checked is None:
        return Section(f"{person.participant_id}: not checked", [person.problem], anchor=person.participant_id)
    picture = Picture(person.checked.pictures["strip"], "", f"Slices of {person.participant_id} with outlines")
    title = f"{person.participant_id}: {verdict_word(person)}"
    return Section(title, [*_flag_words(person), *large, picture], person.participant_id)


def _findings(person: Person) -> list[str]:
    if person.problem:
        return [person.problem]
    return _flag_words(person) or ["Nothing stands out in the numbers. Look at the pictures."]


def _flag_words(person: Person) -> list[str]:
    """What stands out, what to do, and what the preparation noted."""
    flags = person.verdict.flags
    notes = [f"Note: {note}" for note in person.checked.notes] if person.checked else []
    return [*map(str, flags), *([f"What to do: {person.verdict.advice}"] if flags else []), *notes]


def _numbers(person: Person, norm: Norm) -> Table:
    flagged = {flag.column: flag.level for flag in person.verdict.flags}
    rows = [
        (
            column,
            _number(value),
            _number(norm.centre.get(column)),
            _limits(column),
            flagged.get(column, ""),
            {**MEASURES, **COLUMNS}.get(column, "measure of the preparation"),
        )
        for column, value in person.numbers.items()
    ]
    header = ("Number", "Value", "Cohort's median", "Limits", "Flag", "Meaning")
    return Table(header, rows, "As in qc.tsv.", prose=True)


def _limits_words() -> list[str]:
    return [
        "▲ beyond a limit for an alarm; △ beyond a limit for a notice, or an outlier: robust z (median and median "
        f"absolute deviation of the cohort) of {OUTLIER_Z:g} or more in the bad direction, with 5 people or more."
    ]


def _limits(column: str) -> str:
    if column not in CHECKS:
        return ""
    found = []
    for sign, (low, high) in (("▲", CHECKS[column].alarm), ("△", CHECKS[column].notice)):
        found += [f"{sign} below {low:g}"] if low is not None else []
        found += [f"{sign} above {high:g}"] if high is not None else []
    return ", ".join(found)


def _definitions(people: Sequence[Person]) -> Table:
    present = {column for person in people for column in person.numbers}
    rows = [(column, words, _limits(column)) for column, words in COLUMNS.items() if column in present]
    return Table(("Number", "Meaning", "Limits"), rows, "The numbers of qc.tsv that are judged.", prose=True)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
