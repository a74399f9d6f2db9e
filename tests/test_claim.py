"""A folder that another command, another source or a person made is never written into."""

import shutil

import pytest

from synthpet.checks.cohort import open_cohort
from synthpet.cohort.files import sha256, write_json
from synthpet.cohort.problems import Report
from synthpet.errors import UsageError
from synthpet.generators.crossfit import ensure_cohort
from synthpet.phantom.cohort import ensure_phantom
from synthpet.phantom.raw_dataset import ensure_raw
from synthpet.prepare.cohort import ensure_prepared
from synthpet.runtime.claim import NOBODY, PATIENT, PREPARED, RESULTS, SIMULATED, Source, check_place, claim, read_claim
from synthpet.runtime.stage import Stage
from tests.conftest import study, write_cohort


def content(folder):
    return {path.relative_to(folder): sha256(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def prepared(tmp_path):
    """Results of real people in ``work``, their cohort as an older version of ``prepare`` left it."""
    cohort = write_cohort(tmp_path / "work" / "cohort")
    write_json(cohort.root / "run.json", {"stage": "prepare", "config": {}, "inputs": {}, "outputs": {}})
    return cohort


def test_a_simulated_cohort_is_never_written_over_a_prepared_one(prepared):
    work, before = prepared.root.parent, content(prepared.root)
    for config in ("uad_compare", "train", "phantom"):
        with pytest.raises(UsageError, match=r"E_CLAIMED .*cohort: is a cohort made by synthpet.prepare called test"):
            ensure_cohort(study(config, f"work_dir={work}", "study=tiny"))
    assert content(prepared.root) == before


def test_a_folder_of_somebodys_own_is_not_written_into(tmp_path):
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"not made by this project; it holds thesis.txt.*cohort="):
        ensure_phantom(study("phantom", f"work_dir={tmp_path}", "study=tiny"))
    with pytest.raises(UsageError, match=r"E_CLAIMED.*bids_dir="):
        ensure_raw(study("phantom", f"raw={tmp_path / 'cohort'}", "study=tiny"))
    assert [path.name for path in (tmp_path / "cohort").iterdir()] == ["thesis.txt"]


def test_prepare_does_not_write_over_the_cohort_of_another_data_set(prepared, tmp_path):
    from tests.prepare.trees import make

    raw = make(tmp_path / "raw", "sub-00/anat/sub-00_T1w.nii.gz")
    before = content(prepared.root)
    with pytest.raises(UsageError, match=r"is a cohort made by synthpet.prepare called test cohort, from other people"):
        ensure_prepared(study("prepare", f"bids_dir={raw}", f"out={prepared.root}"))
    assert content(prepared.root) == before
    write_json(
        prepared.root / "sub-00" / "run.json",
        {"inputs": {"sub-00/anat/sub-00_T1w.nii.gz": sha256(raw / "sub-00/anat/sub-00_T1w.nii.gz")}},
    )
    (prepared.root / "run.json").touch()
    claim(prepared.root, PREPARED, Source.of(raw, {"sub-00": raw / "sub-00/anat/sub-00_T1w.nii.gz"}))  # now its own


def test_results_of_other_people_are_not_mixed_into_a_work_dir(tmp_path, monkeypatch):
    monkeypatch.setattr("synthpet.checks.cohort.validate_cohort", lambda *_: Report("cohort", 8, ()))  # looks at images
    one, other = write_cohort(tmp_path / "one"), write_cohort(tmp_path / "other", first_seed=50)
    work = tmp_path / "work"
    for _ in range(2):
        open_cohort(study("train", f"cohort={one.root}", f"work_dir={work}"))
        (work / "validation.json").touch()
    with pytest.raises(UsageError, match=r"E_CLAIMED .*work: is results, from other people.*another work_dir="):
        open_cohort(study("train", f"cohort={other.root}", f"work_dir={work}"))
    with pytest.raises(UsageError, match=r"E_CLAIMED .*work: is results, from other people"):
        ensure_cohort(study("train", "study=tiny", f"work_dir={work}"))
    assert not (work / "cohort").exists()
    moved = shutil.move(one.root, tmp_path / "moved")
    open_cohort(study("train", f"cohort={moved}", f"work_dir={work}"))


def test_a_data_set_is_no_place_for_results(prepared, tmp_path):
    for work_dir in (prepared.root, prepared.root / "below" / "it"):
        with pytest.raises(UsageError, match=r"E_CLAIMED .*cohort: is a cohort made by synthpet.prepare"):
            check_place(work_dir)
    check_place(prepared.root / "derivatives" / "results")
    check_place(tmp_path / "new")
    (tmp_path / "dataset_description.json").write_text('{"Name": "ours"}')
    with pytest.raises(UsageError, match="not made by this project called ours"):
        check_place(tmp_path)


def test_a_claim_is_known_again_and_one_without_files_holds_nobody_off(tmp_path):
    folder = tmp_path / "cohort"
    claim(folder, SIMULATED, NOBODY)
    assert read_claim(folder).what == SIMULATED
    claim(folder, PREPARED, Source("there", {"sub-01": "abc"}))  # the other was broken off before it wrote anything
    (folder / "participants.tsv").touch()
    claim(folder, PREPARED, Source("elsewhere", {"sub-01": "abc", "sub-02": "d"}))
    assert read_claim(folder).source.place == "elsewhere"
    for what, source in ((SIMULATED, NOBODY), (PREPARED, Source("x", {"sub-01": "other"})), (RESULTS, NOBODY)):
        with pytest.raises(UsageError, match="E_CLAIMED"):
            claim(folder, what, source)


def test_another_patients_page_is_not_replaced(tmp_path):
    folder = tmp_path / "detect-patient"
    claim(folder, PATIENT, Source("", {"t1w": "one"}))
    (folder / "report.html").touch()
    with pytest.raises(UsageError, match=r"results of a patient, from other people.*name="):
        claim(folder, PATIENT, Source("", {"t1w": "two"}))
    claim(folder, PATIENT, Source("", {"t1w": "one"}))


def test_results_that_were_copied_from_another_study_are_left_alone(tmp_path):
    one, other = Source("one", {"sub-01": "a"}), Source("other", {"sub-01": "b"})
    for name, source in (("one", one), ("other", other)):
        claim(tmp_path / name, RESULTS, source)
        Stage("generator", tmp_path / name / "gan-x" / "fold-0", {"of": name}).ensure(list)
    shutil.copytree(tmp_path / "other" / "gan-x", tmp_path / "one" / "gan-y")
    (tmp_path / "one" / "gan-y" / "fold-0" / "generator.safetensors").touch()
    before = content(tmp_path / "one" / "gan-y")
    with pytest.raises(UsageError, match=r"E_CLAIMED .*fold-0: is results, from other people; it holds generator"):
        Stage("generator", tmp_path / "one" / "gan-y" / "fold-0", {"of": "one"}).ensure(list)
    assert content(tmp_path / "one" / "gan-y") == before
