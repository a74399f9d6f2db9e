"""A real T1 and FLAIR with a lesion mask, from raw folder to cohort of one."""

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from synthpet.cohort.images import read_image
from synthpet.plausibility.flags import Norm, judge
from synthpet.plausibility.measures import asymmetry
from synthpet.prepare.brain import crop_to_brain, stripped_brain_mask
from synthpet.prepare.cohort import ensure_prepared
from synthpet.prepare.qc.cohort import left_right
from synthpet.prepare.spaces.itk import IDENTITY, antialias, coarser_grid, correct_bias, resample
from synthpet.prepare.spaces.registration import choose_engine, register
from synthpet.prepare.tissue import segment
from synthpet.template.icbm import template_grid
from tests.conftest import study


def sides_of(path):
    """The asymmetry of a real T1, prepared coarsely."""
    t1w, whole = read_image(path, xform="sform")
    grid = coarser_grid(whole, 2.0)
    mask = resample(stripped_brain_mask(t1w, whole, path.name).astype(np.float32), whole, grid, IDENTITY) >= 0.5
    t1w, mask, grid = crop_to_brain(resample(antialias(t1w, whole, 2.0), whole, grid, IDENTITY), mask, grid)
    t1w = np.where(mask, correct_bias(t1w, mask, grid), 0).astype(np.float32)
    found = register(t1w, grid, registration="affine", engine=choose_engine("affine"), seed=0, name=path.name)
    gm = segment(t1w, mask, grid, found, seed=0, name=path.name)["gm"]
    target = template_grid(3.0)
    return asymmetry(resample(antialias(gm, grid, 3.0), grid, target, found.template_to_native), target)


@pytest.mark.slow
def test_sides_of_real_people_raise_no_alarm_and_nearly_all_swapped_ones_do(real_data):
    people = {p.name[:6]: sides_of(p) for p in sorted(real_data.glob("t1w-ds002748/sub-*/anat/*_T1w.nii.gz"))}
    assert len(people) >= 15

    def level(who, sides):
        flags = judge({"left_right": left_right(sides)[who]}, Norm()).flags
        return flags[0].level if flags else ""

    upright = [level(who, people) for who in people]
    swapped = [level(who, {**people, who: -people[who]}) for who in people]  # as a flipped image has it, r = 0.99
    assert upright == [""] * len(people)
    assert swapped.count("alarm") >= len(people) - 2 and "" not in swapped


@pytest.mark.slow
def test_lesions_drawn_on_a_real_t1_are_bright_on_the_prepared_flair(real_data, tmp_path):
    anat = tmp_path / "raw/sub-01/anat"
    masks = tmp_path / "raw/derivatives/lesions/sub-01/anat"
    links = {"T1w": anat / "sub-01_T1w.nii.gz", "FLAIR": anat / "sub-01_FLAIR.nii.gz",
             "lesion_mask": masks / "sub-01_label-lesion_mask.nii.gz"}  # fmt: skip
    for name, link in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(real_data / "ms-lesions" / f"{name}.nii.gz")
    (tmp_path / "raw/participants.tsv").write_text("participant_id\tgroup\nsub-01\tpatient\n")
    options = ("registration=affine", "cohort.resolution_mm=2", "compute.n_jobs=1")
    cohort = ensure_prepared(study("prepare", f"bids_dir={tmp_path / 'raw'}", f"work_dir={tmp_path}", *options))
    flair, lesion = cohort.load("sub-01", "flair"), cohort.load("sub-01", "lesion_mask") > 0.5
    white = (cohort.load("sub-01", "wm") > 0.9) & ~lesion
    assert flair[lesion].mean() > flair[white].mean() + 2 * flair[white].std()
    found = json.loads(next(cohort.root.glob("sub-01/anat/*_T1w.json")).read_text())["Measures"]
    affine = sitk.AffineTransform(sitk.ReadTransform(str(cohort.root / "sub-01/transforms/affine.tfm")))
    shrunk = np.linalg.det(np.reshape(affine.GetMatrix(), (3, 3)))
    assert found["lesion_native_ml"] == pytest.approx(8.227)
    assert found["lesion_ml"] == pytest.approx(8.227 / shrunk, rel=0.1)
