"""Clusters: by value on planted blocks, and as mirror images of themselves."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.images import Grid, GridMismatchError
from synthpet.errors import DataError
from uad.findings.clusters import COLUMNS, Cluster, ClusterRule, find_clusters, min_voxels
from uad.findings.places import Place, place_of

SHAPE = (21, 16, 14)
AFFINE = np.array([[4, 0, 0, -40], [0, 4, 0, -30], [0, 0, 4, -20], [0, 0, 0, 1.0]])
GRID = Grid.of(SHAPE, AFFINE)
BRAIN = np.pad(np.ones((19, 14, 12), bool), 1)


def blank():
    return np.zeros(SHAPE, np.float32)


def planted():
    """Three clusters above 2: the heaviest, the largest, the one with the highest mean; and one voxel."""
    z = blank()
    z[3:6, 3:6, 3:6] = 5  # 27 voxels, mass 81
    z[4, 4, 4] = 6
    z[12:16, 3:7, 3:7] = 2.5  # 64 voxels, mass 32
    z[12:14, 10:12, 8:10] = 9  # 8 voxels, mass 56
    z[18, 13, 11] = 9
    return z


RULE = ClusterRule(threshold=2.0, min_volume_mm3=200.0)
ALL = replace(RULE, min_volume_mm3=0)


def found(z, rule=RULE, **images):
    return find_clusters(z, BRAIN, GRID, rule, **images)


@pytest.mark.parametrize(("rank_by", "sizes"), [("mass", [27, 8, 64]), ("size", [64, 27, 8]), ("mean", [8, 27, 64])])
def test_clusters_are_ranked_by_mass_size_or_mean_and_small_ones_dropped(rank_by, sizes):
    clusters, labels = found(planted(), replace(RULE, rank_by=rank_by))
    assert [cluster.n_voxels for cluster in clusters] == sizes
    assert [cluster.rank for cluster in clusters] == [1, 2, 3]
    np.testing.assert_array_equal(np.bincount(labels.ravel())[1:], sizes)


def test_a_cluster_is_measured_in_millimetres():
    (first, *_), _ = found(planted())
    assert first.volume_mm3 == 27 * 64
    assert first.mass == pytest.approx(26 * 3 + 4)
    assert first.mean_z == pytest.approx((26 * 5 + 6) / 27)
    assert first.peak_z == 6
    assert first.peak_mm == (-24, -14, -4)
    np.testing.assert_allclose(first.centre_mm, (-24, -14, -4))
    assert first.side == "left"
    assert set(first.row()) == set(COLUMNS)
    assert first.row()["peak_mm"] == "-24.0 -14.0 -4.0"


def test_the_centre_of_mass_is_drawn_to_the_stronger_voxel():
    z = blank()
    z[5, 5, 5], z[6, 5, 5] = 3, 5  # excess 1 and 3
    (cluster,), _ = found(z, ALL)
    assert cluster.centre_mm[0] == pytest.approx(-40 + 4 * 5.75)


def test_voxels_that_touch_at_a_corner_are_one_cluster_and_a_voxel_at_the_threshold_is_none():
    z = blank()
    z[5, 5, 5], z[6, 6, 6], z[8, 8, 8] = 3, 3, 2
    clusters, labels = found(z, ALL)
    assert [cluster.n_voxels for cluster in clusters] == [2]
    assert labels[8, 8, 8] == 0


def test_nothing_outside_the_brain_counts_not_even_what_is_not_a_number():
    z = blank()
    z[0], z[-1] = 9, np.nan
    clusters, labels = found(z)
    assert clusters == [] and not labels.any()


def test_at_most_the_stated_number_of_clusters_is_kept():
    z = blank()
    z[1:-1:3, 1:-1:3, 1:-1:3] = 3 + np.arange(7 * 5 * 4).reshape(7, 5, 4)
    clusters, labels = found(z, ALL)
    assert [cluster.peak_z for cluster in clusters] == [142 - n for n in range(10)]
    assert labels.max() == 10 and (labels > 0).sum() == 10
    assert len(found(z, replace(ALL, max_clusters=3))[0]) == 3


def test_the_images_of_each_modality_are_read_in_the_cluster():
    z, pet_z, t1w_z, pet = planted(), blank(), blank(), blank() + 1
    box = (slice(3, 6),) * 3
    pet_z[box], t1w_z[box], pet[box] = -3, 0.5, 0.8
    clusters, _ = found(z, pet_z=pet_z, t1w_z=t1w_z, pet=pet)
    first, second, _ = clusters
    assert (first.mean_pet_z, first.pet_direction, first.mean_t1w_z) == (-3, "hypo", 0.5)
    assert first.asymmetry_percent == pytest.approx(2 * (0.8 - 1) / (0.8 + 1) * 100, rel=1e-6)
    assert second.asymmetry_percent == 0
    assert found(z, pet_z=-pet_z)[0][0].pet_direction == "hyper"
    assert found(z)[0][0].asymmetry_percent is None


def test_asymmetry_leaves_out_voxels_whose_mirror_voxel_is_not_in_the_brain():
    z, pet, brain = planted(), blank() + 1, BRAIN.copy()
    pet[3] = 50  # the first slab of the cluster
    brain[-1 - 3] = False
    (first, *_), _ = find_clusters(z, brain, GRID, RULE, pet=pet)
    assert first.asymmetry_percent == 0


def flipped(cluster: Cluster) -> Cluster:
    swap = {"left": "right", "right": "left", "midline": "midline"}
    mirror = {name: (-getattr(cluster, name)[0], *getattr(cluster, name)[1:]) for name in ("peak_mm", "centre_mm")}
    return replace(cluster, side=swap[cluster.side], **mirror)


def test_a_flipped_patient_has_flipped_clusters():
    rng = np.random.default_rng(0)
    z, pet = (ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.5).astype(np.float32) for _ in range(2))
    z, pet = z / z.std(), 1 + pet
    rule = replace(RULE, threshold=1.0)
    clusters, labels = found(z, rule, pet=pet, pet_z=pet - 1)
    mirrored, mirrored_labels = found(z[::-1], rule, pet=pet[::-1], pet_z=pet[::-1] - 1)
    assert len(clusters) > 4 and len({cluster.side for cluster in clusters}) > 1
    np.testing.assert_array_equal(mirrored_labels, labels[::-1])
    for one, other in zip(clusters, mirrored, strict=True):
        for name, value in vars(flipped(one)).items():
            assert getattr(other, name) == (value if isinstance(value, str) else pytest.approx(value)), name


@pytest.mark.parametrize(("i", "side"), [(9, "right"), (10, "midline"), (11, "left")])
def test_sides_follow_the_coordinate_and_not_the_index(i, side):
    grid = Grid.of(SHAPE, AFFINE * np.array([[-1], [1], [1], [1]]))  # from right to left
    z = blank()
    z[i, 8, 8] = 5
    (cluster,), _ = find_clusters(z, BRAIN, grid, ALL)
    assert cluster.side == side


def test_a_cluster_has_the_names_of_its_regions_and_how_much_of_it_belongs_to_each():
    z = blank()
    z[12, 3, 7] = 5  # (8, -18, 8) mm
    (cluster,), _ = found(z, ALL)
    assert (cluster.side, cluster.region, cluster.region_share) == ("right", "thalamus", 1.0)
    assert cluster.regions == "thalamus 100 %"


@pytest.mark.parametrize(
    ("point_mm", "region"),
    [
        ((26, -16, -20), "hippocampus"),
        ((30, -60, -30), "cerebellar cortex"),
        ((36, 14, -34), "temporal pole"),
        ((38, 6, 0), "insula"),
        ((40, -10, 60), "precentral"),
        ((8, -60, 30), "precuneus"),
        ((22, -30, 30), "deep white matter"),
    ],
)
def test_a_landmark_lies_in_its_region_on_either_side(point_mm, region):
    left = (-point_mm[0], *point_mm[1:])
    assert place_of(np.array([point_mm, left], float)) == Place(region, 1.0, f"{region} 100 %")


def test_regions_are_named_in_the_order_of_their_shares_and_small_ones_are_not():
    points_mm = [(26, -16, -20)] * 12 + [(22, -30, 30)] * 7 + [(38, 6, 0)]
    assert place_of(np.array(points_mm, float)) == Place("hippocampus", 0.6, "hippocampus 60 %, deep white matter 35 %")


@pytest.mark.parametrize(("volume", "n"), [(0, 1), (64, 1), (64.1, 2), (128, 2), (200, 4)])
def test_a_minimum_volume_is_rounded_up_to_whole_voxels(volume, n):
    assert min_voxels(volume, GRID) == n


def test_bad_input_is_refused_with_its_name():
    z = blank()
    with pytest.raises(GridMismatchError, match="PET z-map: shape"):
        found(z, pet_z=z[1:])
    with pytest.raises(ValueError, match="'volume'; expected one of mass"):
        replace(RULE, rank_by="volume")
    with pytest.raises(GridMismatchError, match="not symmetric"):
        shifted = Grid.of(SHAPE, AFFINE + np.array([[0, 0, 0, 2], [0] * 4, [0] * 4, [0] * 4]))
        find_clusters(z, BRAIN, shifted, ALL, pet=z)
    z[5, 5, 5] = np.nan
    with pytest.raises(DataError, match="n=1 voxels"):
        found(z)
