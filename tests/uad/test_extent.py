"""A cluster narrowed to its core, and maps that are judged in grey matter only."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from synthpet.template.icbm import template_grid
from synthpet.template.regions import grey_matter
from uad.findings.clusters import NEIGHBOURS, ClusterRule, Seen, find_clusters
from uad.findings.extent import BEYOND_GREY_MM, SHARE, core, cores, within

GRID = template_grid(6.0)
RULE = ClusterRule(threshold=2.0, min_volume_mm3=0.0)


@pytest.fixture(scope="module")
def rough():
    """A smooth random map with wide clusters, within the box of the grid."""
    noise = np.random.default_rng(0).normal(size=GRID.shape)
    return (ndimage.gaussian_filter(noise, 1.5) * 40).astype(np.float32)


def by_hand(z, own, threshold):
    """The last level at which the part around the peak holds half of the mass, tried from below one by one."""
    total, peak, best = (z[own] - threshold).sum(), np.unravel_index(np.where(own, z, -np.inf).argmax(), z.shape), own
    for level in np.unique(z[own]):
        labels, _ = ndimage.label(own & (z >= level), NEIGHBOURS)
        part = labels == labels[peak]
        if (z[part] - threshold).sum() < SHARE * total:
            return best
        best = part
    return best


def test_a_core_is_what_the_definition_says(rough):
    clusters, labels = find_clusters(rough, np.ones(GRID.shape, bool), GRID, RULE)
    assert len(clusters) == RULE.max_clusters
    z = rough.astype(np.float64)
    for cluster in clusters:
        own = labels == cluster.rank
        flat = np.flatnonzero(own)
        kept = flat[core(flat, z.ravel()[flat], RULE.threshold, z.shape)]
        assert np.array_equal(kept, np.flatnonzero(by_hand(z, own, RULE.threshold)))


def test_a_cluster_of_equal_values_is_its_own_core():
    flat = np.arange(5)
    assert core(flat, np.full(5, 3.0), 2.0, (5, 1, 1)).all()


def test_cores_keep_rank_and_mass_and_tell_their_own_size_and_place(rough):
    brain = np.ones(GRID.shape, bool)
    clusters, labels = find_clusters(rough, brain, GRID, RULE)
    clusters = [replace(clusters[0], healthy_as_strong=3, candidate=False), *clusters[1:]]
    found, narrowed = cores(clusters, labels, rough, RULE.threshold, Seen(GRID, brain))
    assert [c.rank for c in found] == [c.rank for c in clusters] and [c.mass for c in found] == [
        c.mass for c in clusters
    ]
    assert found[0].healthy_as_strong == 3 and not found[0].candidate
    assert all(c.n_voxels == (narrowed == c.rank).sum() for c in found)
    assert all(c.peak_mm == whole.peak_mm for c, whole in zip(found, clusters, strict=True))
    assert sum(c.n_voxels for c in found) < 0.7 * sum(c.n_voxels for c in clusters)
    assert ((narrowed == labels) | (narrowed == 0)).all()


def test_in_grey_matter_nothing_deeper_in_white_matter_is_judged(rough):
    assert within(rough, "brain", GRID) is rough
    kept = within(rough, "grey_matter", GRID) != 0
    distance = ndimage.distance_transform_edt(~grey_matter(GRID), sampling=GRID.spacing_mm)
    assert kept[grey_matter(GRID)].all() and not kept[distance > BEYOND_GREY_MM].any()
