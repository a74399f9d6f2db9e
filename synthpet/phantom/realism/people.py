"""Simulated healthy people who belong to no cohort, seen by a scanner as good as that of the real ones."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.index import scale_t1w
from synthpet.phantom.cohort import scanners
from synthpet.phantom.metabolism import where_regions_are
from synthpet.phantom.options import PhantomOptions
from synthpet.phantom.person import Plan, make_person
from synthpet.phantom.scanner import acquire_pet, acquire_t1w, block_mean, strip_skull
from synthpet.phantom.template import Template

RESOLUTION_MM = 3.0
OLDEST_OF_YOUNG = 49.0  # years
YOUNG, OLD = (18.0, OLDEST_OF_YOUNG), (50.0, 90.0)
PET_FWHM_MM, PET_NOISE = 4.5, 0.02  # of the scanner of hedyPET, whose images were filtered by 2 mm
STREAM = 3000  # keeps these people apart from the cohort's


class Seen(NamedTuple):
    """What is kept of one simulated person; regions are those of ``real_people``, left and right.

    Args:
        age: years.
        uptake: (n, 2), log of the regions' mean uptake, brain = 1.
        expected: (n, 2), the same of the PET expected from age and anatomy alone.
        volume: (n, 2), ml.
        t1w: (I, J, K) scaled, float16.
        mask: (I, J, K).
    """

    age: float
    uptake: NDArray[np.float64]
    expected: NDArray[np.float64]
    volume: NDArray[np.float64]
    t1w: NDArray[np.float16]
    mask: NDArray[np.bool_]


def plans(n_young: int, n_old: int, seed: int) -> list[tuple[Plan, tuple[float, float]]]:
    """Healthy people who belong to no cohort, each with the range of their age."""
    sites = scanners(seed)
    ages = [YOUNG] * n_young + [OLD] * n_old
    return [
        (Plan(f"sub-r{k + 1:03d}", "paired", k, sites[k % len(sites)], (seed, STREAM, k)), age)
        for k, age in enumerate(ages)
    ]


def see(plan_and_age: tuple[Plan, tuple[float, float]], template: Template, options: PhantomOptions) -> Seen:
    """Simulate one person and measure what a scanner like that of the real people shows."""
    plan, age = plan_and_age
    person = make_person(plan, template, replace(options, age=age))
    anatomy, grid = person.anatomy, template.lattice
    brain = strip_skull(anatomy, plan.rng("mask"))
    scanner = replace(plan.scanner, pet_fwhm_mm=PET_FWHM_MM, pet_noise=PET_NOISE)
    gm, wm = block_mean(anatomy.gm), block_mean(anatomy.wm)
    where, tissue = where_regions_are(anatomy.template_points(grid), gm, wm), gm + wm > 0.5

    def regional(tracer: NDArray[np.float32], noise: np.random.Generator | None) -> NDArray[np.float64]:
        """Log of the regions' mean uptake, (n, 2), of a tracer (I, J, K) on the fine lattice."""
        pet = acquire_pet(scanner, block_mean(tracer), grid, noise)
        means = [[pet[inside].mean() for inside in sides] for sides in where]
        return np.log(np.array(means) / pet[tissue].mean())  # as real ones: all regions by their volume, no fluid

    t1w = scale_t1w(acquire_t1w(plan.scanner, anatomy, plan.rng("t1w")), brain)
    volume = np.array([[inside.sum() for inside in sides] for sides in where]) * grid.spacing_mm**3 / 1000
    return Seen(
        person.age, regional(person.tracer(), plan.rng("pet")), regional(person.expected_tracer(), None), volume,
        t1w.astype(np.float16), brain,
    )  # fmt: skip
