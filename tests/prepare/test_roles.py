"""Who is who: participants.tsv as it is met, and the roles that follow."""

import codecs

import pytest

from synthpet.cohort.index import Subject
from synthpet.errors import DataError, UsageError
from synthpet.prepare.raw import RawOptions, read_raw
from synthpet.prepare.raw.participants import read_participants
from synthpet.prepare.raw.roles import RoleRules, deal_roles
from tests.prepare.trees import make

TABLE = """participant_id\tage\tgender\tgroup\tsite
sub-01\t39.5\tfemale\tdepr\tA
02\tn/a\tM\tpatient\tn/a
sub-03\t85+\t?\tHC\tB
"""


def people(tmp_path, table: str, *, n: int = 4, pets=(), **rules):
    make(tmp_path, *(f"sub-0{i}/anat/sub-0{i}_T1w.nii.gz" for i in range(1, n + 1)))
    make(tmp_path, *(f"sub-0{i}/pet/sub-0{i}_trc-18FFDG_pet.nii.gz" for i in pets))
    (tmp_path / "participants.tsv").write_text(table)
    return read_raw(tmp_path, RawOptions(rules=RoleRules(**rules)))


def test_the_table_gives_age_sex_group_and_site(tmp_path):
    one, two, three, four = people(tmp_path, TABLE, control_groups=["HC"]).people
    assert (one.subject.age, one.subject.sex, one.subject.site) == (39.5, "F", "A")
    assert (one.subject.group, one.subject.role) == ("control", "unpaired")
    assert one.notes == ("group 'depr' taken as control",)
    assert (two.subject.group, two.subject.role, two.subject.age) == ("patient", "patient", None)
    assert two.notes == ("patient without FDG PET",)
    assert three.subject.group == "control"
    assert three.notes == ("age '85+' is not a number, left out", "sex '?' is not F or M, left out")
    assert (four.subject.group, four.notes) == ("control", ("not in participants.tsv, taken as control",))


def test_columns_and_their_words_are_configurable(tmp_path):
    table = "participant_id\tdiagnosis\tsplit\nsub-01\tHC\ttrain\nsub-02\tTLE\tn/a\nsub-03\tHC\ttest\nsub-04\tHC\t\n"
    raw = people(
        tmp_path, table, pets=(1, 2, 3, 4), control_groups=["HC"], patient_groups=["TLE"],
        columns={"group": "Diagnosis", "role": "split"}, role_values={"train": "paired", "test": "heldout"},
    )  # fmt: skip
    assert [person.subject.role for person in raw.people] == ["paired", "patient", "heldout", "paired"]


def test_a_column_that_is_named_has_to_be_there(tmp_path):
    with pytest.raises(DataError, match=r"E_COLUMNS .*columns.group=diagnosis; found: participant_id, age"):
        people(tmp_path, TABLE, columns={"group": "diagnosis"})


def test_a_role_without_its_pet_or_that_nobody_knows_is_a_problem(tmp_path):
    table = "participant_id\tgroup\trole\nsub-01\tcontrol\tpaired\nsub-02\tcontrol\ttraining\nsub-03\tpatient\tpaired\n"
    one, two, three, _ = people(tmp_path, table, pets=(2, 3)).people
    assert one.problem.startswith("E_ROLE sub-01: role paired in participants.tsv, but no FDG PET was found")
    assert two.problem.startswith("E_ROLE sub-02: role 'training' in participants.tsv; expected paired, unpaired")
    assert three.problem.startswith("E_ROLE sub-03: role paired in group patient")


def test_the_pet_of_somebody_who_is_unpaired_by_the_table_is_not_used(tmp_path):
    raw = people(tmp_path, "participant_id\trole\nsub-01\tunpaired\n", n=1, pets=(1,))
    assert raw.people[0].pet is None
    assert [line.reason for line in raw.not_used] == ["its person has the role unpaired in participants.tsv"]


def test_people_of_the_table_without_images_are_named(tmp_path):
    assert (
        "participants.tsv names 1 without images here: sub-07"
        in people(tmp_path, TABLE + "sub-07\t3\tF\tHC\tA\n").notes
    )


def test_a_table_that_is_not_there_is_a_usage_error(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(UsageError, match=r"participants=.*no such file"):
        read_raw(tmp_path, RawOptions(participants=tmp_path / "absent.tsv"))


ACCENTS = "participant_id\tsite\nsub-01\tOrl\u00e9ans\n"


@pytest.mark.parametrize(
    ("content", "noted"),
    [
        (ACCENTS.encode(), ""),
        (codecs.BOM_UTF8 + ACCENTS.encode(), ""),
        (ACCENTS.replace("\n", "\r\n").encode() + b"\r\n", ""),
        (ACCENTS.encode("cp1252"), "Windows-1252"),
        (codecs.BOM_UTF16_LE + ACCENTS.encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_BE + ACCENTS.encode("utf-16-be"), "UTF-16"),
    ],
)
def test_encodings_line_ends_and_blank_lines_are_accepted(content, noted, tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_bytes(content)
    table = read_participants(path)
    assert table.value("sub-01", "site") == "Orl\u00e9ans"
    assert noted in " ".join(table.notes)
    assert bool(table.notes) == bool(noted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected a header line"),
        ("participant_id,age\nsub-01,3\n", "separated by commas; expected tabs"),
        ("participant_id;age\nsub-01;3\n", "separated by semicolons"),
        ("id\tage\nsub-01\t3\n", "E_COLUMNS .*no column participant_id; found: id, age"),
        ("participant_id\tage\tAge\nsub-01\t3\t4\n", "several columns are named age"),
        ("participant_id\tage\nsub-01\t3\n01\t4\n", "E_DUP_ID sub-01"),
        ("participant_id\tage\nsub-01\t3\t4\nsub-02\t5\t6\n", "(?s)row 2 has 3 cells.*row 3 has 3"),
        ("participant_id\tage\nsub-01\t3\n\t5\n", "row 3 names nobody"),
        ("participant_id\0\tage\n", "E_TEXT .*zero bytes"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_own_message(text, message, tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_participants(path)


def controls(n: int) -> dict[str, tuple[Subject, bool]]:
    return {f"sub-{k:02d}": (Subject(f"sub-{k:02d}", "control", ""), True) for k in range(n)}


def held_out(n: int, **rules) -> set[str]:
    return {i for i, subject in deal_roles(controls(n), RoleRules(**rules)).items() if subject.role == "heldout"}


def test_a_seeded_share_of_the_paired_is_held_out():
    assert [len(held_out(n)) for n in (1, 2, 3, 10, 20)] == [0, 0, 1, 2, 4]
    assert held_out(20) == held_out(20)
    assert held_out(20) != held_out(20, seed=1)
    assert held_out(20, heldout_share=0) == set()


def test_who_joins_changes_the_role_of_at_most_one_other():
    for n in range(3, 40):
        before, after = held_out(n), held_out(n + 1)
        assert len((before ^ after) - {f"sub-{n:02d}"}) <= 1


def test_controls_without_pet_are_unpaired_and_given_roles_stay():
    given = {"sub-a": (Subject("sub-a", "control", "heldout"), True), "sub-b": (Subject("sub-b", "control", ""), False)}
    dealt = deal_roles({**controls(4), **given}, RoleRules(heldout_share=0.1))
    assert (dealt["sub-a"].role, dealt["sub-b"].role) == ("heldout", "unpaired")
    assert {dealt[f"sub-0{k}"].role for k in range(4)} == {"paired"}  # one is held out already
