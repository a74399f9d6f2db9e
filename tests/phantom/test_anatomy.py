"""Simulated anatomy: whole, individual, ageing."""

import numpy as np
import pytest

from synthpet.phantom.anatomy import grow


@pytest.fixture(scope="module")
def person(template):
    return grow(template, np.random.default_rng(1), 40)


@pytest.fixture(scope="module")
def same_person_old(template):
    return grow(template, np.random.default_rng(1), 80)


def test_tissues_fill_the_brain_and_nothing_lies_outside(person):
    total = person.gm + person.wm + person.csf
    np.testing.assert_allclose(total[person.depth > 0], 1, atol=1e-5)
    assert total[person.depth < -4].max() == 0


def test_most_voxels_belong_clearly_to_one_tissue(person, template):
    """An individual is crisp where the averaged template is not."""
    brain = person.depth > 1
    clear = np.max([person.gm, person.wm, person.csf], axis=0)[brain] > 0.8
    points = template.fine.points_mm()[:, brain]
    average = np.max([template.crisp.sample(prior, points) for prior in template.priors], axis=0) > 0.8
    assert clear.mean() > average.mean() + 0.1


def test_ageing_enlarges_ventricles_and_sulci_and_thins_the_cortex(person, same_person_old):
    for where in (person.depth > 0, person.depth > 25):
        assert same_person_old.csf[where].mean() > 1.1 * person.csf[where].mean()
    cortex = (person.depth > 0) & (person.depth < 15)
    assert same_person_old.gm[cortex].mean() < person.gm[cortex].mean()


def test_sulci_differ_between_people_in_the_cortex_more_than_in_deep_nuclei(template, person):
    other = grow(template, np.random.default_rng(2), 40)
    cortex = (person.depth > 2) & (person.depth < 12) & (other.depth > 2)
    deep = (person.depth > 30) & (other.depth > 30)
    alike = [np.corrcoef(person.gm[where], other.gm[where])[0, 1] for where in (cortex, deep)]
    assert alike[1] > alike[0] + 0.05


def test_syn_leaves_people_more_alike_than_affine(template):
    def alike(registration):
        pair = [grow(template, np.random.default_rng(seed), 40, registration) for seed in (3, 4)]
        both = (pair[0].depth > 0) & (pair[1].depth > 0)
        return np.corrcoef(*(person.gm[both] for person in pair))[0, 1]

    assert alike("syn") > alike("affine") + 0.02


def test_a_map_in_template_space_follows_the_anatomy(template, person):
    depth = person.carry(template.maps["depth"], template.smooth)
    inside = person.depth > 3
    assert np.abs(depth - person.depth)[inside].mean() < 0.5
    points = person.template_points(template.lattice)
    assert 0.5 < np.linalg.norm(points - template.lattice.points_mm(), axis=0).mean() < 4
