"""Clusters over falling thresholds, found by joining voxels, against labelling at each threshold."""

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.images import Grid
from synthpet.errors import DataError
from uad.findings.clusters import ClusterRule, find_clusters
from uad.scores.lesions import found_over_thresholds

SHAPE = (20, 22, 18)
GRID = Grid.of(SHAPE, np.eye(4))
BRAIN = np.pad(np.ones((18, 20, 16), bool), 1)


def noise(seed, step):
    z = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 1.2)
    z = (z / z.std()).astype(np.float32)
    return np.round(z / step) * np.float32(step) if step else z


@pytest.mark.parametrize(("kept", "smallest"), [(1, 1), (2, 6), (10, 4)])
@pytest.mark.parametrize("step", [0, 0.25])
def test_the_lesion_is_found_where_one_of_the_heaviest_labelled_clusters_touches_it(step, kept, smallest):
    thresholds = [1.0, 3.5, 0.5, *np.linspace(0.2, 4, 25)]
    options = {"min_volume_mm3": smallest, "max_clusters": kept}
    seen = set()
    for seed in range(6):
        z, lesion = noise(seed, step), np.zeros(SHAPE, bool)
        place = np.random.default_rng(seed).integers(2, 14, size=3)
        lesion[tuple(slice(p, p + 3) for p in place)] = True
        found = found_over_thresholds(z, BRAIN, lesion, GRID, thresholds=thresholds, **options)
        labels = [find_clusters(z, BRAIN, GRID, ClusterRule(t, **options))[1] for t in thresholds]
        assert found.tolist() == [float((each[lesion] > 0).any()) for each in labels]
        seen |= set(found.tolist())
    assert seen == {0, 1}


def test_a_map_that_is_not_finite_in_the_brain_is_refused_and_outside_ignored():
    z, lesion = noise(0, 0), np.ones(SHAPE, bool)
    z[0, 0, 0] = np.nan
    assert found_over_thresholds(z, BRAIN, lesion, GRID, thresholds=[1.0], min_volume_mm3=0) == [1]
    z[5, 5, 5] = np.nan
    with pytest.raises(DataError, match="n=1 voxels"):
        found_over_thresholds(z, BRAIN, lesion, GRID, thresholds=[1.0], min_volume_mm3=0)
