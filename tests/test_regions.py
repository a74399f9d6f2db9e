"""The approximate grey-matter regions."""

import subprocess
import sys

import numpy as np
import pytest

from synthpet.template.icbm import template_grid
from synthpet.template.regions import NAMES, cortical_lobe, grey_matter, named_regions, seitzman_points


@pytest.mark.parametrize(
    ("landmark", "lobe"),
    [
        ((-38, -22, 58), "frontal"),  # hand knob of the precentral gyrus
        ((45, 36, 20), "frontal"),  # dorsolateral prefrontal
        ((0, 50, -15), "frontal"),  # medial orbitofrontal
        ((-50, -40, 45), "parietal"),  # inferior parietal lobule
        ((4, -60, 35), "parietal"),  # precuneus
        ((10, -88, 4), "occipital"),  # primary visual
        ((-58, -22, 4), "lateral temporal"),  # superior temporal gyrus
        ((40, -45, -20), "lateral temporal"),  # fusiform gyrus
        ((38, 14, -36), "temporal pole"),
        ((-38, 6, 0), "insula"),
    ],
)
def test_landmarks_lie_in_their_lobe(landmark, lobe):
    assert cortical_lobe(*landmark) == lobe


def test_regions_cover_the_grey_matter_off_the_midline_and_are_left_right_mirrors():
    grid = template_grid(5.0)
    regions = named_regions(grid)
    beside_midline = grey_matter(grid).copy()
    beside_midline[grid.shape[0] // 2] = False
    np.testing.assert_array_equal(regions.labels > 0, beside_midline)
    mirrored = regions.labels[::-1]
    swapped = np.where(mirrored > 0, (mirrored - 1) ^ 1, -1) + 1  # left is even, right its successor
    np.testing.assert_array_equal(regions.labels, swapped)


def test_every_region_has_voxels_and_left_has_negative_x():
    grid = template_grid(5.0)
    regions = named_regions(grid)
    assert len(regions.names) == 2 * len(NAMES)
    for number, name in enumerate(regions.names, start=1):
        x = np.argwhere(regions.labels == number)[:, 0] - grid.shape[0] // 2
        assert x.size and ((x < 0) == name.startswith("left")).all()


def test_the_labelled_points_are_those_of_the_library():
    from nilearn.datasets import fetch_coords_seitzman_2018

    points, structures = seitzman_points()
    library = fetch_coords_seitzman_2018()
    assert len(points) == 300
    assert sorted(zip(points.tolist(), structures, strict=True)) == sorted(
        zip(library.rois.to_numpy().tolist(), library.regions.tolist(), strict=True)
    )


def test_naming_a_region_imports_no_data_frames():
    code = (
        "import sys, numpy; from uad.findings.places import place_of; place_of(numpy.array([[8.0, -18, 8]])); "
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
