"""Who is who: participants.tsv as it is met, and the roles that follow."""

import codecs

import numpy as np
import pytest

from synthpet.cohort.images import write_image
from synthpet.cohort.index import Subject
from synthpet.cohort.words import years_of
from synthpet.errors import DataError, UsageError
from synthpet.prepare.raw import RawOptions, read_raw
from synthpet.prepare.raw.participants import read_participants
from synthpet.prepare.raw.roles import RoleRules, deal_roles
from tests.prepare.trees import TINY, make

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
    one, two, three, four = people(tmp_path, TABLE, control_groups=["depr"]).people
    assert (one.subject.age, one.subject.sex, one.subject.site) == (39.5, "F", "A")
    assert (one.subject.group, one.subject.role) == ("control", "unpaired")
    assert one.why == "group 'depr' in participants.tsv"
    assert (two.subject.group, two.subject.role, two.subject.age) == ("patient", "patient", None)
    assert two.notes == ("patient without FDG PET",)
    assert three.subject.group == "control"
    assert (three.subject.age, three.subject.sex) == (85.0, None)
    assert three.notes == ("sex is not a known word for F or M, left out",)
    assert four.problem.startswith("E_GROUP sub-04: participants.tsv has no row of this person; expected control or")
    assert (four.t1w, four.subject.group) == (None, "control")


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
    raw = people(tmp_path, TABLE + "sub-07\t3\tF\tHC\tA\n")
    assert "participants.tsv names 1 without images here: sub-07" in raw.notes


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
        ("participant_id\tage\nsub-01\t3\n\t5\n", "row 3 has no participant_id"),
        ("participant_id\0\tage\n", "E_TEXT .*zero bytes"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_own_message(text, message, tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_participants(path)


@pytest.mark.parametrize(
    ("patient", "control"),
    [("Patient", "Control"), ("patients", "CONTROLS"), ("fcd", "hc"), ("Epilepsy", "Healthy"), ("FCD type IIb", "CN"),
     ("left TLE", "healthy volunteers"), ("malades", "t\u00e9moins"), ("MRI negative epilepsy", "NC"),
     ("Pazienti", "Controlli"), ("nonlesional TLE", "cognitively normal"), ("pacientes", "voluntarios sanos")],
)  # fmt: skip
@pytest.mark.parametrize("column", ["group", "diagnosis", "DX_group"])
def test_known_words_of_any_case_and_number_tell_who_is_ill(patient, control, column, tmp_path):
    rows = f"sub-01\t{control}\nsub-02\t{patient}\n"
    raw = people(tmp_path, f"participant_id\t{column}\n{rows}", n=2)
    assert [person.subject.group for person in raw.people] == ["control", "patient"]
    assert [person.why for person in raw.people] == [
        f"{column.lower()} {word!r} in participants.tsv" for word in (control, patient)
    ]
    assert raw.questions == ()


@pytest.mark.parametrize("word", ["1", "A", "depr", "HS", "non-epileptic", "control patient", "no epilepsy"])
def test_other_words_stop_with_the_values_and_the_option_that_says_what_they_mean(word, tmp_path):
    table = f"participant_id\tgroup\nsub-01\t{word}\nsub-02\tpatient\n"
    (question,) = people(tmp_path, table, n=2).questions
    assert question.startswith(f"E_GROUP participants.tsv: column group holds {word!r} (1); expected words such as")
    assert f"control_groups=[{word}] or patient_groups=[{word}]" in question
    for group in ("control", "patient"):
        raw = people(tmp_path, table, n=2, **{f"{group}_groups": [word]})
        assert (raw.questions, raw.people[0].subject.group) == ((), group)


def test_numbers_mean_what_participants_json_says(tmp_path):
    (tmp_path / "participants.json").write_text('{"group": {"Levels": {"1": "healthy control", "2": "patient"}}}')
    raw = people(tmp_path, "participant_id\tgroup\nsub-01\t1.0\nsub-02\t2.0\n", n=2)
    assert ([person.subject.group for person in raw.people], raw.questions) == (["control", "patient"], ())


def test_a_table_that_says_nothing_of_health_is_asked_about_until_the_user_says_so(tmp_path):
    table = "participant_id\tage\nsub-01\t30\nsub-02\t31\n"
    (question,) = people(tmp_path, table, n=2).questions
    assert "no column says who is a patient; found: participant_id, age" in question
    said = people(tmp_path, table, n=2, control_groups=["n/a"])
    assert (said.questions, {person.subject.group for person in said.people}) == ((), {"control"})


def test_an_empty_group_is_a_problem_of_its_person(tmp_path):
    one, two = people(tmp_path, "participant_id\tgroup\nsub-01\tn/a\nsub-02\thc\n", n=2).people
    assert one.problem.startswith("E_GROUP sub-01: participants.tsv has no group of this person")
    assert (two.problem, two.subject.group) == ("", "control")


def test_ids_that_a_spreadsheet_shortened_are_matched_and_said(tmp_path):
    raw = people(tmp_path, "participant_id\tgroup\n1\tcontrol\n2.0\tpatient\n", n=2)
    assert [person.subject.group for person in raw.people] == ["control", "patient"]
    assert raw.notes == ("participants.tsv: 2 ids are matched but for zeros and case: 1 is sub-01, 2 is sub-02",)


@pytest.mark.parametrize(
    ("columns", "one", "words"),
    [("group\tdiagnosis", "control\tFCD", "is 'FCD'"), ("group\tlesion_site", "hc\tinsula", "a lesion_site")],
)
def test_a_row_that_contradicts_itself_is_a_problem_of_its_person(columns, one, words, tmp_path):
    table = f"participant_id\t{columns}\nSUB-01\t{one}\nsub-02\tcontrol\tn/a\n"
    first, second = people(tmp_path, table, n=2).people
    assert first.problem.startswith("E_GROUP sub-01: taken as control (group ") and words in first.problem
    assert second.problem == ""


def test_ids_that_could_be_several_people_are_nobodys(tmp_path):
    make(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz")
    found = people(tmp_path, "participant_id\tgroup\n001\tpatient\n02\tcontrol\n", n=2).people
    said = {person.subject.participant_id: "no row of this person" in person.problem for person in found}
    assert said == {"sub-1": True, "sub-01": True, "sub-02": False}


def test_a_table_of_other_people_is_an_error(tmp_path):
    (question,) = people(tmp_path, "participant_id\tgroup\nA1\tpatient\nA2\tcontrol\n", n=2).questions
    assert question.startswith("E_TABLE participants.tsv: no row belongs to anybody: it names sub-A1, sub-A2, the fold")


MASK = "derivatives/masks/{0}/anat/{0}_label-lesion_mask.nii.gz"


def test_controls_with_lesions_where_no_patient_has_one_are_asked_about(tmp_path):
    make(tmp_path, MASK.format("sub-01"))
    table = "participant_id\tgroup\nsub-01\tcontrol\nsub-02\tpatient\n"
    (question,) = people(tmp_path, table, n=2).questions
    assert "1 taken as controls have a lesion mask (sub-01), and the table names 1 patients, none of whom" in question
    raw = people(tmp_path, table, n=2, control_groups=["control"])
    note = "taken as control as control_groups says, so its lesion mask is not used"
    assert (raw.questions, raw.people[0].notes) == ((), (note,))


def test_a_control_with_a_lesion_beside_patients_with_theirs_is_a_problem_and_an_empty_mask_is_none(tmp_path):
    make(tmp_path, MASK.format("sub-01"), MASK.format("sub-02"))
    write_image(tmp_path / MASK.format("sub-03"), np.zeros(TINY.shape, np.uint8), TINY)
    table = "participant_id\tgroup\nsub-01\tcontrol\nsub-02\tpatient\nsub-03\tcontrol\n"
    one, two, three = people(tmp_path, table, n=3).people
    assert one.problem.startswith("E_GROUP sub-01: taken as control (group 'control' in participants.tsv), but has a")
    assert (two.problem, three.problem) == ("", "")


@pytest.mark.parametrize(
    ("word", "sex"),
    [("Mujer", "F"), ("homme", "M"), ("w", "F"), ("Woman", "F"), ("m\u00e4nnlich", "M"), ("2", None), ("x", None)],
)
def test_sex_is_mapped_by_a_list(word, sex, tmp_path):
    (one,) = people(tmp_path, f"participant_id\tgroup\tsex\nsub-01\thc\t{word}\n", n=1).people
    assert one.subject.sex == sex
    assert bool(one.notes) == (sex is None)


def test_m_beside_h_may_be_a_woman_and_is_left_out(tmp_path):
    one, two = people(tmp_path, "participant_id\tgroup\tsex\nsub-01\thc\tM\nsub-02\thc\tH\n", n=2).people
    assert (one.subject.sex, two.subject.sex) == (None, None)


@pytest.mark.parametrize(
    ("text", "years"),
    [("39", 39), ("034Y", 34), ("89+", 89), ("34,5", 34.5), ("408M", 34), ("34 years", 34), ("1987", None),
     ("1957-03-02", None), ("-3", None), ("adult", None)],
)  # fmt: skip
def test_ages_are_years_or_left_out(text, years):
    assert years_of(text) == years


def test_ages_in_months_are_months_where_participants_json_says_so(tmp_path):
    (tmp_path / "participants.json").write_text('{"age": {"Units": "months"}}')
    (one,) = people(tmp_path, "participant_id\tgroup\tage\nsub-01\thc\t90\n", n=1).people
    assert one.subject.age == 7.5


def test_without_a_table_names_of_patients_are_asked_about(tmp_path):
    make(tmp_path, "sub-PAT01/anat/sub-PAT01_T1w.nii.gz", "sub-HC01/anat/sub-HC01_T1w.nii.gz")
    assert "1 folders have names of patients (sub-PAT01)" in read_raw(tmp_path).questions[0]
    said = RawOptions(rules=RoleRules(control_groups=["n/a"]))
    assert read_raw(tmp_path, said).questions == ()


def test_a_site_has_one_spelling(tmp_path):
    rows = "".join(f"sub-0{k}\thc\t{site}\n" for k, site in enumerate(("Lyon", "lyon", "Lyon", "Brest"), 1))
    raw = people(tmp_path, f"participant_id\tgroup\tsite\n{rows}")
    assert [person.subject.site for person in raw.people] == ["Lyon", "Lyon", "Lyon", "Brest"]
    assert raw.notes == ("site 'lyon' is taken as 'Lyon'",)


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
