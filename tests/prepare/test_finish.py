"""The tables and pages of a prepared cohort: who is in it, who is not, who could not be checked."""

import json

import pytest

from synthpet.cohort.files import read_tsv, write_json
from synthpet.prepare.cohort import ensure_prepared
from synthpet.prepare.finish import remove_refused, remove_results
from tests.prepare.test_cohort import configure
from tests.test_bids_validator import errors


@pytest.fixture(scope="module")
def root(tmp_path_factory, raw_bids):
    return ensure_prepared(configure(raw_bids, tmp_path_factory.mktemp("finish"))).root


def test_the_table_has_everybody_and_every_column_is_explained(root):
    rows = {row["participant_id"]: row for row in read_tsv(root / "qc.tsv")}
    assert [row["verdict"] for row in rows.values()] == ["not prepared", "not prepared", "ok"]
    assert float(rows["sub-01"]["t1w_turn_deg"]) < 1 and float(rows["sub-01"]["outside_image_percent"]) == 0
    assert list(json.loads((root / "qc.json").read_text())) == list(rows["sub-01"])


def test_the_page_names_the_refused_with_reasons_and_no_folder_of_the_machine(root, raw_bids):
    page = (root / "report.html").read_text()
    assert page.index("E_NOT_NIFTI sub-02") < page.index('href="#sub-01"')
    for path in (root / "report.html", root / "qc.tsv", root / "sub-01" / "report.html", root / "sub-01" / "qc.json"):
        assert str(raw_bids) not in path.read_text() and str(root.parent) not in path.read_text()


def test_the_prepared_cohort_passes_the_bids_validator(root):
    assert errors(root) == []


def test_whoever_cannot_be_checked_is_said_and_hides_nobody(root, raw_bids, capsys):
    lost = next(root.glob("sub-01/anat/*label-GM*.nii.gz"))
    lost.rename(lost.with_suffix(".away"))
    (root / "sub-01" / "run-qc.json").unlink()
    manifest = root / "sub-01" / "run.json"  # the subject itself is up to date but for that image
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "outputs": {}}))
    ensure_prepared(configure(raw_bids, root.parent))
    assert "sub-01 not checked: E_QC sub-01: KeyError: 'gm'" in capsys.readouterr().out
    assert "not checked" in (root / "report.html").read_text()


def test_images_of_somebody_who_is_refused_now_are_removed_and_nothing_else(tmp_path):
    folder = tmp_path / "sub-01"
    (folder / "anat").mkdir(parents=True)
    (folder / "anat" / "image.nii.gz").write_bytes(b"old")
    (folder / "report.html").write_text("old")
    (tmp_path / "other.txt").write_text("not ours")
    (folder / "run.json").write_text(json.dumps({"outputs": {"anat/image.nii.gz": {}, "../other.txt": {}}}))
    remove_results(folder)
    remove_results(tmp_path / "sub-02")  # who never had any
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["other.txt"]


def test_results_stay_where_the_raw_images_are_only_out_of_reach(tmp_path):
    refused = {"sub-01": "E_POINTER sub-01: a link to nothing", "sub-02": "E_NOT_NIFTI sub-02: a web page"}
    for who in refused:
        write_json(tmp_path / who / "run.json", {"outputs": {}})
    remove_refused(tmp_path, refused)
    assert [path.name for path in tmp_path.iterdir()] == ["sub-01"]
