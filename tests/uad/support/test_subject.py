import numpy as np
import pytest
from sklearn.svm import OneClassSVM
from sklearn.utils.estimator_checks import parametrize_with_checks

from uad.detectors.latent.support.subject import SubjectOneClassSVM


@parametrize_with_checks([SubjectOneClassSVM()])
def test_it_is_an_estimator_as_scikit_learn_has_them(estimator, check):
    check(estimator)


def test_decision_values_equal_those_of_scikit_learn_on_the_same_patches():
    x = np.random.default_rng(0).normal(size=(300, 8))
    mine = SubjectOneClassSVM(nu=0.1, chunk_size=7).fit(x)
    expected = OneClassSVM(nu=0.1, tol=1e-6).fit(x)
    np.testing.assert_allclose(mine.decision_function(x), expected.decision_function(x), atol=1e-9)
    np.testing.assert_array_equal(mine.predict(x), expected.predict(x))


def test_only_the_drawn_patches_shape_the_machine():
    x = np.random.default_rng(0).normal(size=(2000, 4))
    machine = SubjectOneClassSVM(n_patches=50).fit(x)
    assert len(machine.support_vectors_) <= 50
    assert all((x == vector).all(1).any() for vector in machine.support_vectors_)
    again, other = SubjectOneClassSVM(n_patches=50).fit(x), SubjectOneClassSVM(n_patches=50, random_state=1).fit(x)
    np.testing.assert_array_equal(machine.decision_function(x), again.decision_function(x))
    assert not np.allclose(machine.decision_function(x), other.decision_function(x))


def test_a_lesion_in_the_brain_is_what_it_finds_abnormal():
    random = np.random.default_rng(0)
    brain = random.normal(size=(5000, 6))
    brain[:50] += 6
    values = SubjectOneClassSVM().fit(brain).decision_function(brain)
    assert np.median(values[:50]) < np.quantile(values[50:], 0.05)


def test_the_kernel_distance_stays_finite_and_grows_with_the_distance():
    machine = SubjectOneClassSVM().fit(np.random.default_rng(0).normal(size=(100, 4)))
    values = machine.kernel_distance(np.array([[1e2] * 4, [1e3] * 4]))
    assert np.isfinite(values).all() and 9 < values[1] / values[0] < 11


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="n_patches is 0"):
        SubjectOneClassSVM(n_patches=0).fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match="nu is 2"):
        SubjectOneClassSVM(nu=2).fit(np.ones((3, 2)))
