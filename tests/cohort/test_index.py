"""The table of participants and the images of a cohort."""

import numpy as np
import pytest

from synthpet.cohort import Cohort
from synthpet.cohort.index import scale_t1w
from synthpet.errors import DataError


def test_roles_select_subjects(shared_cohort):
    assert [s.participant_id for s in shared_cohort.select("unpaired")] == ["sub-04", "sub-05"]
    assert shared_cohort.res == "5mm"


def test_byte_order_mark_crlf_and_blank_lines_are_accepted(cohort):
    table = cohort.root / "participants.tsv"
    lines = table.read_text().splitlines()
    table.write_bytes(("\ufeff" + "\r\n".join([*lines, "", ""])).encode())
    assert Cohort.open(cohort.root).subjects == cohort.subjects


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("sub-01\t", "sub-00\t", "E_DUP_ID sub-00"),
        ("sub-01\t", "../../etc\t", "E_ID"),
        ("control\tpaired", "control\tpatient", "E_ROLE"),
        ("role\t", "rolle\t", "E_COLUMNS"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(cohort, old, new, code):
    table = cohort.root / "participants.tsv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=code):
        Cohort.open(cohort.root)


def test_usual_words_of_a_table_are_understood_and_said_on_every_page(cohort):
    table = cohort.root / "participants.tsv"
    words = table.read_text().replace("\tcontrol\t", "\tHC\t").replace("patient\tpatient", "FCD\tpatient")
    table.write_text(words.replace("\tF\t", "\tMujer\t", 2).replace("\tF\t", "\tx\t", 1))
    found = Cohort.open(cohort.root)
    assert [(s.group, s.role) for s in found.subjects] == [(s.group, s.role) for s in cohort.subjects]
    assert [s.sex for s in found.subjects[:4]] == ["F", "F", None, "F"]
    (notice,) = found.notices
    assert notice == (
        "WHO IS WHO: 'FCD' is taken as patient (1); 'HC' is taken as control (7); "
        "sex of 1 is not a known word for F or M, left out."
    )


def test_all_problems_of_a_table_are_named_at_once(cohort):
    table = cohort.root / "participants.tsv"
    table.write_text(table.read_text().replace("sub-01\t", "sub-00\t").replace("sub-03\tcontrol", "sub-03\tother"))
    with pytest.raises(DataError, match=r"(?s)sub-03.*sub-00 stands 2 times"):
        Cohort.open(cohort.root)


def test_a_missing_image_is_named(cohort):
    with pytest.raises(DataError, match=r"E_MISSING.*sub-04.*desc-suvr_pet"):
        cohort.load("sub-04", "pet")


def test_scaling_maps_percentiles_and_does_not_depend_on_the_scanners_unit():
    rng = np.random.default_rng(0)
    mask = rng.random((12, 12, 12)) > 0.3
    t1w = (rng.random(mask.shape) * mask).astype(np.float32)
    scaled = scale_t1w(t1w, mask)
    np.testing.assert_allclose(np.percentile(scaled[mask], [1, 99]), [0, 1], atol=1e-5)
    np.testing.assert_allclose(scale_t1w(7000 * t1w + 30, mask), scaled, atol=1e-4)
    np.testing.assert_allclose(scale_t1w(scaled, mask), scaled, atol=1e-5)
    assert not scaled[~mask].any()


def test_a_constant_t1w_is_refused():
    with pytest.raises(DataError, match="E_CONSTANT"):
        scale_t1w(np.ones((3, 3, 3), np.float32), np.ones((3, 3, 3), bool))
