"""The phantom against the group-mean FDG PET of real healthy adults."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from synthpet.cohort import Cohort
from synthpet.command import compose
from synthpet.phantom.cohort import ensure_phantom
from synthpet.phantom.fields import Lattice


def controls_of(root):
    cohort = Cohort.open(root)
    names = [subject.participant_id for subject in cohort.select("paired", "unpaired", "heldout")]
    masks = np.mean([cohort.load_mask(name) for name in names], axis=0) > 0.5
    inner = distance_transform_edt(masks) * cohort.grid.spacing_mm[0] > 4
    return cohort, names, inner


def correlation(mean_pet, cohort, inner, real_data):
    real = nib.load(real_data / "fdg-group-maps" / "fdg_suvr_basal.nii.gz")
    lattice = Lattice(real.shape, tuple(real.affine[:3, 3].tolist()), 2.0)
    on_grid = lattice.resample(np.asarray(real.dataobj, np.float32), Lattice.of(cohort.grid))
    return np.corrcoef(mean_pet[inner], on_grid[inner])[0, 1]


def test_the_expected_pet_of_a_few_people_looks_like_the_real_group(tmp_path, real_data):
    counts = ("cohort.n_paired=3", "cohort.n_unpaired=0", "cohort.n_heldout=0", "cohort.n_patients=0")
    root = ensure_phantom(compose("phantom", *counts, f"work_dir={tmp_path}", "compute.n_jobs=1"))
    cohort, names, inner = controls_of(root)
    assert (
        correlation(np.mean([cohort.load(n, "expected_pet") for n in names], axis=0), cohort, inner, real_data) > 0.89
    )


@pytest.mark.slow
def test_the_quick_cohort_has_the_mean_and_the_spread_of_real_people(tmp_path, real_data):
    """Mean PET: r >= 0.90 in the mask eroded by 4 mm; coefficient of variation in grey matter: 7 to 15 %."""
    cohort, names, inner = controls_of(ensure_phantom(compose("phantom", f"work_dir={tmp_path}")))
    pets = np.stack([cohort.load(n, "pet" if cohort.has(n, "pet") else "withheld_pet") for n in names])
    mean = pets.mean(axis=0)
    assert correlation(mean, cohort, inner, real_data) >= 0.90
    grey = inner & (np.mean([cohort.load(n, "gm") for n in names], axis=0) > 0.5)
    variation = pets[:, grey].std(axis=0, ddof=1) / mean[grey]
    assert 0.07 <= np.median(variation) <= 0.15


@pytest.mark.slow
def test_anatomy_explains_a_good_part_of_what_the_mean_pet_misses(tmp_path):
    """The expected PET must be far better than the mean of the others: there is something to learn from T1."""
    cohort, names, _ = controls_of(ensure_phantom(compose("phantom", f"work_dir={tmp_path}", "cohort.n_patients=0")))
    names = [name for name in names if cohort.has(name, "pet")]
    pets = np.stack([cohort.load(n, "pet") for n in names])
    errors = {"mean": [], "expected": []}
    for index, name in enumerate(names):
        brain = cohort.load_mask(name)
        others = np.delete(pets, index, axis=0).mean(axis=0)
        errors["mean"].append(np.abs(pets[index] - others)[brain].mean())
        errors["expected"].append(np.abs(pets[index] - cohort.load(name, "expected_pet"))[brain].mean())
    assert np.mean(errors["expected"]) < 0.6 * np.mean(errors["mean"])
