"""What the values of a lesion mask mean."""

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.lesions import check_label, lesion_voxels
from synthpet.errors import DataError, UsageError

BALL = np.linalg.norm(np.indices((16, 16, 16)) - 8, axis=0) < 4
SOFT = ndimage.gaussian_filter(BALL.astype(np.float32), 1)
HALF = SOFT >= 0.5


@pytest.mark.parametrize(
    ("values", "expected", "words"),
    [(BALL, BALL, ""), (BALL * 255, BALL, ""), (BALL * 0.99999, BALL, ""), (SOFT, HALF, "a probability"),
     (BALL * 0, BALL & False, "")],
    ids=["0 and 1", "0 and 255", "scaled", "probability", "empty"],
)  # fmt: skip
def test_masks_that_speak_for_themselves(values, expected, words):
    lesion, said = lesion_voxels(np.asarray(values, np.float32), "sub-01")
    np.testing.assert_array_equal(lesion, expected)
    assert words in said and bool(words) == bool(said)


@pytest.mark.parametrize(
    "values",
    [SOFT * 100, BALL + 1, BALL * 2, BALL * 100, SOFT * 255, BALL - 1.0, BALL * 0 + 1, np.where(BALL, 3, SOFT > 0.1)],
    ids=["percent", "labels", "2", "100", "soft 255", "negative", "everywhere", "three labels"],
)
def test_values_that_could_mean_several_things_are_refused_with_the_option(values):
    with pytest.raises(DataError, match=r"E_LESION sub-01: it holds .*expected a mask of 0 and 1.*lesion_label="):
        lesion_voxels(np.asarray(values, np.float32), "sub-01")


@pytest.mark.parametrize(("values", "label"), [(BALL + 1, 2), (BALL * 2, "2.0"), (SOFT * 100, "percent")])
def test_a_named_label_is_the_lesion_and_nothing_else(values, label):
    lesion, said = lesion_voxels(np.asarray(values, np.float32), "sub-01", check_label(label))
    np.testing.assert_array_equal(lesion, HALF if label == "percent" else BALL)
    assert said


@pytest.mark.parametrize(("values", "label"), [(BALL, 2), (SOFT * 1000, "percent"), (SOFT * 40, "percent")])
def test_a_label_that_is_not_there_is_refused(values, label):
    with pytest.raises(DataError, match=r"E_LESION sub-01: .*lesion_label"):
        lesion_voxels(np.asarray(values, np.float32), "sub-01", check_label(label))


def test_a_probability_below_one_half_is_refused():
    with pytest.raises(DataError, match=r"E_LESION sub-01: nowhere a probability"):
        lesion_voxels(SOFT * np.float32(0.4), "sub-01")


@pytest.mark.parametrize("value", ["lesion", 0, float("nan"), [1]])
def test_an_option_that_names_no_value_is_refused(value):
    with pytest.raises(UsageError, match="lesion_label="):
        check_label(value)
