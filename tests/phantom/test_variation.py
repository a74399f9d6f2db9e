"""The figures of real people, and draws that have them."""

import numpy as np
import pytest

from synthpet.phantom.variation import Effects, real_people, unblurred


def test_the_tables_are_whole_and_agree_with_each_other():
    people = real_people()
    n = len(people.names)
    assert n == 45
    for matrix in (people.same_side, people.other_side):
        assert matrix.shape == (n, n)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-3)
    np.testing.assert_allclose(np.diag(people.same_side), 1, atol=1e-3)
    assert np.median(people.sd) == pytest.approx(0.056, abs=0.001)
    assert np.median(np.diag(people.other_side)) == pytest.approx(0.77, abs=0.01)


def test_sums_and_differences_of_the_sides_give_back_the_asymmetry_of_real_people():
    people = real_people()
    implied = np.sqrt(2 * np.diag(people.covariance(sign=-1)))  # of left less right
    known = np.isfinite(people.asymmetry_sd)
    assert np.median(implied[known] / people.asymmetry_sd[known]) == pytest.approx(1, abs=0.12)


def test_draws_have_the_covariance_that_was_asked_for():
    root = np.array([[0.05, 0.0], [0.03, 0.04]])
    effects = Effects(root, 0.5 * root)
    rng = np.random.default_rng(0)
    draws = np.stack([effects.draw(rng) for _ in range(20_000)])  # (people, side, region)
    same = (root @ root.T + 0.25 * root @ root.T) / 2
    other = (root @ root.T - 0.25 * root @ root.T) / 2
    np.testing.assert_allclose(np.cov(draws[:, 0].T), same, atol=1e-4)
    np.testing.assert_allclose(draws[:, 0].T @ draws[:, 1] / len(draws), other, atol=1e-4)


def test_what_a_scanner_mixes_is_unmixed():
    seen = np.array([[0.6, 0.2], [0.1, 0.5]])
    true = np.array([[0.004, 0.001], [0.001, 0.003]])
    root = unblurred(seen @ true @ seen.T, seen)
    np.testing.assert_allclose(seen @ root @ root.T @ seen.T, seen @ true @ seen.T, rtol=0.15)
