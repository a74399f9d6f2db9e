"""What preparation and validation hold a raw T1 to, before the long work."""

import numpy as np
import pytest

from synthpet.cohort.images import Grid, write_image
from synthpet.errors import DataError
from synthpet.prepare.check_raw import check_raw
from synthpet.prepare.raw import read_raw
from synthpet.prepare.reading import read_person
from tests.conftest import study


def hole(t1w):
    t1w[48, 56, 38] = np.nan
    return t1w


CHANGES = {
    "E_CONSTANT": np.ones_like,
    "E_NONFINITE": hole,
}


@pytest.fixture
def folder(tmp_path, scan):
    def write(t1w, *more):
        write_image(tmp_path / "raw/sub-01/anat/sub-01_T1w.nii.gz", t1w.astype(np.float32), scan.grid)
        return study("prepare", f"bids_dir={tmp_path / 'raw'}", f"work_dir={tmp_path / 'w'}",
                     "registration=affine", *more)  # fmt: skip

    return write


@pytest.mark.parametrize("code", CHANGES)
def test_validation_finds_what_preparation_refuses(code, folder, scan):
    given = folder(CHANGES[code](scan.t1w.copy()))
    assert [problem.code for problem in check_raw(given).errors] == [code]
    (person,) = read_raw(given.bids_dir, given.reading).people
    with pytest.raises(DataError, match=rf"{code} sub-01 .*T1w"):
        read_person(person, given.settings)


def test_validation_gives_all_reasons_of_a_person(folder, scan, tmp_path):
    given = folder(scan.t1w)
    grid = Grid.of((96, 112, 25), np.diag([1.8, 1.9, 6.9, 1.0]))
    thick = CHANGES["E_CONSTANT"](scan.t1w.copy())[:, :, :75:3]
    write_image(tmp_path / "raw/sub-01/anat/sub-01_T1w.nii.gz", thick.astype(np.float32), grid)
    assert [problem.code for problem in check_raw(given).errors] == ["E_CONSTANT", "E_RESOLUTION"]


def test_a_t1_or_pet_under_two_ids_is_found_in_the_raw_folder(folder, scan, tmp_path):
    given = folder(scan.t1w)
    uptake = np.random.default_rng(0).uniform(1, 9, (8, 8, 8)).astype(np.float32)
    for who in ("sub-01", "sub-02"):
        write_image(tmp_path / f"raw/{who}/pet/{who}_trc-18FFDG_pet.nii.gz", uptake, Grid.of((8, 8, 8), np.eye(4)))
    write_image(tmp_path / "raw/sub-02/anat/sub-02_T1w.nii.gz", scan.t1w, scan.grid)
    problems = check_raw(given).errors
    assert {(p.participant_id, p.code) for p in problems} == {(w, "E_LEAK_SAME_IMAGE") for w in ("sub-01", "sub-02")}
    assert {p.message[:7] for p in problems} == {"the T1w", "the PET"}


@pytest.mark.parametrize("how", ["mp2rage", "z-scores"])
def test_a_brain_with_values_below_zero_keeps_its_whole_mask(how, folder, scan):
    brain = scan.t1w > 0
    values = scan.t1w / 1800 - 0.5 if how == "mp2rage" else (scan.t1w - scan.t1w[brain].mean()) / scan.t1w[brain].std()
    given = folder(np.where(brain, values, 0))
    (person,) = read_raw(given.bids_dir, given.reading).people
    native = read_person(person, given.settings)
    assert native.mask.sum() >= brain.sum()
    assert native.t1w[native.mask].min() > 0
    assert "is below 0" in native.notes[-1]
    assert any("is below 0" in problem.message for problem in check_raw(given).problems)


@pytest.mark.parametrize("how", ["outside", "everything else", "labels"])
def test_a_lesion_mask_that_shows_no_lesion_of_the_brain_is_refused(how, folder, scan):
    given = folder(scan.t1w, "lesion_mask={participant_id}/anat/*roi.nii.gz")
    brain = scan.t1w > 0
    drawn = {"outside": np.indices(brain.shape).sum(0) < 5, "everything else": ~brain, "labels": 1 + brain}[how]
    path = given.bids_dir / "sub-01/anat/sub-01_T1w_label-lesion_roi.nii.gz"
    write_image(path, drawn.astype(np.uint8), scan.grid)
    (person,) = read_raw(given.bids_dir, given.reading).people
    assert person.lesion_mask is not None
    with pytest.raises(DataError, match=r"E_LESION sub-01 .*roi"):
        read_person(person, given.settings)
    assert "E_LESION" in {problem.code for problem in check_raw(given).errors}
