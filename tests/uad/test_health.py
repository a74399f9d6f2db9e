"""In how many healthy scans the strongest place is as strong, and what that makes a candidate."""

import numpy as np
import pytest

from tests.conftest import GRID, ellipsoid
from uad.findings.clusters import RANKINGS, ClusterRule, find_clusters, strongest
from uad.findings.health import Health

MASK = ellipsoid(0.9)


def test_the_score_of_a_scan_is_that_of_the_cluster_that_ranks_first():
    rng = np.random.default_rng(0)
    for _ in range(5):
        z = np.where(MASK, rng.gamma(1.0, 1.2, GRID.shape), 0)
        scores = strongest(z, MASK, GRID, 2.5, 500.0)
        for rank_by in RANKINGS:
            rule = ClusterRule(2.5, 500.0, rank_by=rank_by)
            assert scores[rank_by] == pytest.approx(find_clusters(z, MASK, GRID, rule)[0][0].score(rank_by))
    assert strongest(np.zeros(GRID.shape), MASK, GRID, 2.5, 500.0) == {"mass": 0.0, "size": 0.0, "mean": 0.0}


def test_as_strong_counts_equal_and_stronger_scans():
    health = Health.of({"a": 0.0, "b": 2.0, "c": 5.0}, 0.4)
    assert [health.as_strong(score) for score in (0.5, 2.0, 2.1, 5.0, 5.1)] == [2, 2, 1, 1, 0]
    assert health.interval(1).low < 1 / 3 < health.interval(1).high


@pytest.mark.parametrize("n", [8, 19, 44])
def test_a_new_healthy_person_has_a_candidate_as_rarely_as_asked_for(n):
    rng = np.random.default_rng(n)
    drawn = rng.exponential(size=(4000, n + 1))
    found = np.mean([Health(row[1:], 0.2).is_candidate(row[0]) for row in drawn])
    promised = np.floor(0.2 * (n + 1)) / (n + 1)
    assert promised <= 0.2 and found == pytest.approx(promised, abs=0.02)


def test_with_few_controls_only_what_none_of_them_matches_is_a_candidate():
    health = Health(np.array([1.0, 2.0]), 0.2)
    assert health.is_candidate(2.5) and not health.is_candidate(1.5)
    assert health.too_few and not Health(np.zeros(4), 0.2).too_few


def test_controls_are_judged_by_the_others():
    assert Health(np.array([9.0, 3, 2, 1, 1, 0, 0, 0, 0, 0]), 0.2).n_with_candidate == 2
    assert Health(np.zeros(10), 0.2).n_with_candidate == 0  # no place is no candidate
