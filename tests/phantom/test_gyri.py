"""Gyri by points: known places, sides, and every region somewhere in the template's grey matter."""

import numpy as np
import pytest

from synthpet.template.gyri import gyrus_of, gyrus_points
from synthpet.template.icbm import template_grid, template_images


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ((-38, -24, 56), "left precentral"),
        ((27, 4, 2), "right putamen"),
        ((-12, -18, 8), "left thalamus"),
        ((38, 2, 0), "right insula"),
        ((-25, -22, -14), "left hippocampus"),
        ((8, -62, 40), "right precuneus"),
        ((-28, -60, -40), "left cerebellar cortex"),
    ],
)
def test_well_known_places_have_their_names(point, name):
    region, right = divmod(int(gyrus_of(np.reshape(np.array(point, float), (3, 1)))[0]) - 1, 2)
    found = f"{('left', 'right')[right]} {gyrus_points().names[region]}"
    assert found == name or (name == "left precentral" and found == "left postcentral")


def test_both_sides_are_mirror_images_and_the_midline_is_nobodys():
    points = np.random.default_rng(0).uniform(-60, 60, (3, 200))
    mirrored = points * np.reshape([-1, 1, 1], (3, 1))
    right, left = gyrus_of(np.abs(points) * np.sign(points)), gyrus_of(mirrored)
    assert np.all(np.abs(right.astype(int) - left) == 1)
    assert gyrus_of(np.array([[0.0], [10.0], [10.0]]))[0] == 0


def test_every_region_has_grey_matter_of_the_template():
    grid = template_grid(3.0)
    grey = np.argwhere(template_images(grid).gm > 0.4)
    labels = gyrus_of((grey @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]).T)
    assert set(np.unique(labels)) - {0} == set(range(1, 2 * len(gyrus_points().names) + 1))
