"""What real cohorts look like is not refused: integers with a scale, ringing, other units, a cut field of view."""

import nibabel as nib
import numpy as np
import pytest

from synthpet.checks.cohort import validate_cohort
from synthpet.checks.subject import CHECKED
from synthpet.cohort import Cohort, Grid, read_image, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.names import sidecar_path


def change(cohort, kind, how):
    for subject in cohort.select("paired", "heldout", "patient"):
        path = cohort.path(subject.participant_id, kind)
        data, grid = read_image(path)
        write_image(path, how(data, cohort.load_mask(subject.participant_id)).astype(np.float32), grid)


def as_int16(cohort):
    for subject in cohort.select("paired", "heldout", "patient"):
        path = cohort.path(subject.participant_id, "pet")
        data, grid = read_image(path)
        image = nib.Nifti1Image(data, grid.matrix)
        image.set_qform(grid.matrix, code=4)
        image.set_sform(grid.matrix, code=4)
        image.set_data_dtype(np.int16)  # nibabel fills the range and stores the slope
        nib.save(image, path)


def rim_below_zero(data, mask):
    data[tuple(np.argwhere(mask)[::12].T)] = -0.02  # 8 % of a generous mask lie in the noise of filtered backprojection
    return data


def ringing(data, mask):
    return data - 0.3 * (np.arange(data.shape[0]) % 2)[:, None, None]


def cut(data, mask):
    first = np.argwhere(mask)[:, 2].min()
    data[:, :, first + 2 :] = 0
    return data


def codes(cohort, level):
    return {p.code for p in validate_cohort(cohort, cohort.root.parent / "work").problems if p.level == level}


@pytest.mark.parametrize(
    ("kind", "how", "warned"),
    [
        pytest.param("pet", lambda data, mask: 1.4 * data, False, id="SUVR-of-the-pons"),
        pytest.param("pet", lambda data, mask: 5 * data, True, id="SUV"),
        pytest.param("pet", rim_below_zero, False, id="negative-rim"),
        pytest.param("pet", cut, False, id="cut-field-of-view"),
        pytest.param("t1w", ringing, False, id="negative-T1"),
        pytest.param("t1w", lambda data, mask: 4000 * data, False, id="T1-of-a-scanner"),
    ],
)
def test_what_scanners_and_reconstructions_give_is_no_error(cohort, kind, how, warned):
    change(cohort, kind, how)
    assert codes(cohort, "error") == set()
    assert ("E_RANGE" in codes(cohort, "warning")) is warned


def test_a_pet_of_scaled_integers_is_read_in_its_own_unit(cohort):
    before = cohort.load("sub-00", "pet")
    as_int16(cohort)
    assert codes(cohort, "error") == set()
    np.testing.assert_allclose(cohort.load("sub-00", "pet"), before, atol=1e-3)


def test_every_way_to_write_fdg_is_fdg(cohort):
    names = ("18FFDG", "[18F]FDG", "2-deoxy-2-[18F]fluoro-D-glucose", "fluorodésoxyglucose", "n/a")
    for who, name in zip(cohort.select("paired", "heldout"), names, strict=True):
        write_json(sidecar_path(cohort.path(who.participant_id, "pet")), {"TracerName": name})
    assert codes(cohort, "error") == set()


def test_an_age_above_89_is_written_with_a_plus(cohort):
    table = cohort.root / "participants.tsv"
    table.write_text(table.read_text().replace("\t30\t", "\t89+\t").replace("\t31\t", "\tNaN\t"))
    assert [subject.age for subject in Cohort.open(cohort.root).subjects[:3]] == [89.0, None, 32.0]


def test_images_that_have_not_changed_are_checked_anew_when_everybody_else_moves(cohort):
    assert codes(cohort, "error") == set()
    for path in cohort.files(CHECKED, cohort.subjects[1:]):
        data, grid = read_image(path)
        moved = grid.matrix
        moved[0, 3] += 20
        write_image(path, data, Grid.of(data.shape, moved))
    assert set(validate_cohort(cohort, cohort.root.parent / "work").unusable) == {"sub-00"}
