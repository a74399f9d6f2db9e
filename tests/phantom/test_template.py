"""The template prepared for the phantom."""

import numpy as np
import pytest

from synthpet.phantom.metabolism import grey_matter_uptake, read_uptake_table
from synthpet.template.icbm import template_grid


def at(lattice, values, *point_mm):
    return float(lattice.sample(values, np.reshape(point_mm, (3, 1)))[0])


def test_the_grid_is_the_one_that_all_cohorts_share(template):
    assert template.grid.matches(template_grid(5.0))


def test_the_brain_has_the_volume_of_a_skull_stripped_adult_brain(template):
    litres = (template.maps["depth"] > 0).sum() * template.smooth.spacing_mm**3 / 1e6
    assert 1.55 < litres < 1.8


def test_the_putamen_is_grey_and_deep_white_matter_white(template):
    assert at(template.crisp, template.priors[0], 27, 4, 2) > 0.6
    assert at(template.crisp, template.priors[1], 24, 30, 16) > 0.9


def test_t1_contrast_is_brighter_in_thalamus_and_pons_than_in_cortex(template):
    t1_gm = template.maps["t1_gm"]
    cortex = at(template.smooth, t1_gm, 0, 50, 20)
    assert at(template.smooth, t1_gm, 12, -18, 8) > cortex + 0.05
    assert at(template.smooth, t1_gm, 0, -28, -34) > cortex + 0.1


def test_uptake_follows_the_figures_where_they_are_known(template):
    points, structure, uptake = read_uptake_table()
    assert uptake.size == 300
    found = template.smooth.sample(grey_matter_uptake(template.smooth), points.T.astype(np.float32))
    assert np.corrcoef(found, uptake)[0, 1] > 0.9
    for name, mean in {"cerebellum": 1.01, "thalamus": 1.27, "amygdala": 0.84}.items():
        assert found[structure == name].mean() == pytest.approx(mean, abs=0.06)
