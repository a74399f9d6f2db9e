"""People side by side: choices, failures with names, a Dask cluster, going on."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from synthpet.cohort import Cohort
from synthpet.cohort.files import read_tsv
from synthpet.cohort.index import Subject
from synthpet.errors import DataError, DiskError, UsageError
from synthpet.prepare import running
from synthpet.prepare.cohort import ensure_prepared
from synthpet.prepare.raw import RawSubject, read_raw
from synthpet.prepare.running import prepare_all, prepare_one, select
from synthpet.prepare.settings import Settings
from synthpet.runtime.compute import Compute
from tests.conftest import study
from tests.prepare.trees import make

QUICK = ("registration=affine", "cohort.resolution_mm=6", "compute.n_jobs=1")


@pytest.fixture
def settings() -> Settings:
    return Settings.of({"resolution_mm": 6, "registration": "affine"})


def people(*labels: str) -> list[RawSubject]:
    return [RawSubject(Subject(f"sub-{label}", "control", "unpaired"), Path(f"{label}.nii.gz")) for label in labels]


def with_files(root: Path, three: list[RawSubject]) -> list[RawSubject]:
    return [dataclasses.replace(p, t1w=make(root, p.t1w.name) / p.t1w.name) for p in three]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DataError("E_GRID sub-01: wrong"), "E_GRID sub-01: wrong"),
        (
            RuntimeError("itk::ERROR\nSomething: too few samples"),
            "E_ITK sub-01 (01.nii.gz): Something: too few samples",
        ),
        (MemoryError(), "E_MEMORY sub-01 (01.nii.gz): too little memory"),
        (KeyError("surprise"), "E_INTERNAL sub-01 (01.nii.gz): KeyError: 'surprise' (test_running.py:"),
    ],
)
def test_whatever_goes_wrong_with_one_person_is_a_problem_with_the_name(
    error, expected, settings, tmp_path, monkeypatch
):
    def broken(*_):
        raise error

    monkeypatch.setattr(running, "write_subject", broken)
    (person,) = people("01")
    assert prepare_one(person, tmp_path, settings).startswith(expected)


def test_a_full_disk_concerns_everybody_and_ends_the_work(settings, tmp_path, monkeypatch):
    def full(*_):
        raise DiskError("disk full")

    monkeypatch.setattr(running, "write_subject", full)
    with pytest.raises(DiskError):
        prepare_one(people("01")[0], tmp_path, settings)


def test_one_bad_subject_does_not_stop_the_others_unless_asked(settings, tmp_path, monkeypatch):
    done = []

    def write(person, *_):
        if person.subject.participant_id == "sub-02":
            raise DataError("E_BAD sub-02")
        done.append(person.subject.participant_id)
        return []

    monkeypatch.setattr(running, "write_subject", write)
    three = with_files(tmp_path, people("01", "02", "03"))
    outcomes = prepare_all(three, tmp_path, settings, compute=Compute(), on_invalid="skip")
    assert [outcome.problem for outcome in outcomes] == ["", "E_BAD sub-02", ""]
    assert done == ["sub-01", "sub-03"]
    with pytest.raises(DataError, match=r"on_invalid=stop.*\n  E_BAD sub-02"):
        prepare_all(three, tmp_path / "other", settings, compute=Compute(), on_invalid="stop")
    assert done == ["sub-01", "sub-03", "sub-01"]


def test_chosen_people_are_named_with_or_without_sub_and_unknown_ones_refused():
    three = people("01", "02", "P03")
    assert select(three, ["02", "sub-01", "01"]) == [three[1], three[0]]
    with pytest.raises(
        UsageError, match=r"no participant is called 3; expected labels of the 3 people \(did you mean P03"
    ):
        select(three, ["01", "3"])


def test_only_chosen_people_are_prepared_and_those_who_are_ready_stay(settings, tmp_path, monkeypatch):
    def write(person, out, _):
        return [make(out / person.subject.participant_id, "image.nii.gz") / "image.nii.gz"]

    monkeypatch.setattr(running, "write_subject", write)
    three = with_files(tmp_path, people("01", "02", "03"))
    for label, expected in (("01", ["01"]), ("03", ["01", "03"])):
        outcomes = prepare_all(three, tmp_path, settings, compute=Compute(), on_invalid="skip", labels=[label])
        assert [outcome.raw.subject.participant_id.removeprefix("sub-") for outcome in outcomes] == expected


def test_results_among_the_raw_images_are_refused_but_derivatives_are_their_place(tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    for out in (tmp_path, tmp_path / "out", tmp_path / "derivatives"):
        with pytest.raises(UsageError, match="lies in bids_dir"):
            ensure_prepared(study("prepare", f"bids_dir={tmp_path}", f"out={out}", *QUICK))
    with pytest.raises(DataError, match="None of 1 subjects could be prepared"):
        ensure_prepared(study("prepare", f"bids_dir={tmp_path}", f"out={tmp_path}/derivatives/synthpet", *QUICK))


def test_people_are_prepared_on_a_dask_cluster(raw_bids, tmp_path, settings):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    bad = read_raw(raw_bids).people[1]  # a registration would take its time
    (outcome,) = prepare_all([bad], tmp_path, settings, compute=Compute("dask", 1), on_invalid="skip")
    assert outcome.problem.startswith("E_NOT_NIFTI")
    assert str(bad.t1w) in outcome.problem


def test_the_form_of_bids_apps_prepares_a_cohort_and_lists_what_is_not_used(raw_bids, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "synthpet.prepare", str(raw_bids), str(out), "participant"]
    result = subprocess.run(
        [*command, "--participant_label", "01", "02", "--n_cpus", "1", *QUICK[:2]],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "3 subjects, raw BIDS" in result.stdout
    assert "E_NOT_NIFTI" in result.stdout
    assert [subject.participant_id for subject in Cohort.open(out).subjects] == ["sub-01"]
    assert read_tsv(out / "not_used.tsv") == []
