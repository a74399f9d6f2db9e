"""Numbers and flags of quality control: nothing on a good person, each fault by its own number."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthpet.plausibility.alignment import residual_motion
from synthpet.plausibility.flags import CHECKS, Norm, Verdict, judge
from synthpet.plausibility.measures import COLUMNS, MEASURES, asymmetry, measure_header, measure_images
from synthpet.prepare.qc.cohort import Checked, judge_cohort, left_right, table_rows
from synthpet.template.icbm import template_grid, template_images

GRID = template_grid(4.0)


def moved(image, *, turn_deg=0.0, shift_mm=(0.0, 0.0, 0.0)):
    """The image turned about x through the brain's middle, and shifted."""
    angle, centre = np.deg2rad(turn_deg), np.array([0.0, -18.0, 8.0])
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = centre - matrix[:3, :3] @ (centre + np.array(shift_mm))
    voxels = np.linalg.inv(GRID.matrix) @ matrix @ GRID.matrix
    return ndimage.affine_transform(image, voxels[:3, :3], voxels[:3, 3], order=1)


@pytest.fixture(scope="module")
def person():
    """A brain like the template's with one thicker side, and its PET."""
    template = template_images(GRID)
    right = np.zeros(GRID.shape)
    right[GRID.shape[0] // 2 :] = 1
    gm = np.clip(template.gm * (1 + 0.25 * right * (np.indices(GRID.shape)[1] > 20)), 0, 1).astype(np.float32)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 0.6, GRID.shape), 1)
    pet = ndimage.gaussian_filter(1.2 * gm + 0.5 * template.wm, 0.6) + 0.1 * noise
    mask = template.brain_mask
    return {
        "t1w": np.where(mask, template.t1w, 0).astype(np.float32),
        "brain_mask": mask.astype(np.float32),
        "gm": np.where(mask, gm, 0),
        "wm": np.where(mask, template.wm, 0),
        "pet": np.where(mask, np.maximum(pet, 1e-3), 0).astype(np.float32),
    }


def flags(images):
    return {flag.column for flag in judge(measure_images(images, GRID), Norm()).flags}


def test_nothing_is_flagged_on_a_good_person(person):
    numbers = measure_images(person, GRID)
    assert set(numbers) <= set(COLUMNS)
    assert flags(person) == set()
    assert numbers["pet_coverage_percent"] == 100
    assert numbers["missing_percent"] == 0


@pytest.mark.parametrize(
    ("shift_mm", "turn_deg"), [((0.0, 0.0, 0.0), 0.0), ((0.0, 2.0, 0.0), 0.0), ((0, 0, 0), 3.0), ((1, 0, 3), -4.0)]
)
def test_a_small_motion_is_found_in_mm_and_degrees(person, shift_mm, turn_deg):
    template = template_images(GRID)
    image = moved(person["t1w"], turn_deg=turn_deg, shift_mm=shift_mm)
    shift, turn = residual_motion(image, [template.t1w], template.brain_mask, GRID)
    assert abs(shift - np.linalg.norm(shift_mm)) < 0.6
    assert abs(turn - abs(turn_deg)) < 0.8


def cut(image, below_mm):
    z = GRID.affine[2][3] + 4.0 * np.arange(GRID.shape[2])
    return np.where(z > below_mm, image, 0)


BAD = {
    "PET turned": ("pet_turn_deg", lambda p: {"pet": moved(p["pet"], turn_deg=6)}),
    "PET shifted": ("pet_shift_mm", lambda p: {"pet": moved(p["pet"], shift_mm=(0, 0, 5))}),
    "PET mirrored": ("pet_own_gain", lambda p: {"pet": p["pet"][::-1]}),
    "PET cut": ("pet_coverage_percent", lambda p: {"pet": cut(p["pet"], -45)}),
    "PET without contrast": ("pet_gm_wm_ratio", lambda p: {"pet": np.where(p["pet"] > 0, 1 + 0.01 * p["pet"], 0)}),
    "T1 turned": ("t1w_turn_deg", lambda p: {k: moved(p[k], turn_deg=6) for k in p}),
    "T1 shifted": ("t1w_shift_mm", lambda p: {k: moved(p[k], shift_mm=(0, 6, 0)) for k in p}),
    "brain cut": ("missing_percent", lambda p: {k: cut(p[k], -30) for k in p}),
}


@pytest.mark.parametrize("case", BAD)
def test_each_fault_is_flagged_by_its_own_number(person, case):
    column, spoil = BAD[case]
    assert column in flags({**person, **spoil(person)})


def test_an_empty_lesion_mask_and_one_outside_the_brain_are_flagged(person):
    outside = np.zeros(GRID.shape)
    outside[:3, :3, :3] = 1
    assert "lesion_outside_percent" in flags({**person, "lesion_mask": outside})
    assert "lesion_ml" in flags({**person, "lesion_mask": 0 * outside})


def people_with_sides(n, mirrored=()):
    """Asymmetries of n people who share one, some of them mirrored."""
    rng = np.random.default_rng(1)
    common = rng.normal(size=4000)
    return {f"sub-{k}": (-1 if k in mirrored else 1) * (common + 1.5 * rng.normal(size=4000)) for k in range(n)}


def test_a_mirrored_person_has_the_opposite_asymmetry_of_the_others(person):
    own, mirrored = asymmetry(person["gm"], GRID), asymmetry(person["gm"][::-1], GRID)
    assert np.allclose(own, -mirrored)
    found = left_right(people_with_sides(9, mirrored=[4]))
    assert found["sub-4"] < -0.2 and min(v for k, v in found.items() if k != "sub-4") > 0.2


@pytest.mark.parametrize(("strength", "level"), [(0.1, None), (-0.35, "notice"), (-1.0, "alarm")])
def test_who_shares_little_of_the_asymmetry_is_looked_at_and_only_a_mirrored_one_is_wrong(strength, level):
    rng = np.random.default_rng(1)
    common, strengths = rng.normal(size=4000), [*np.linspace(0.3, 1.7, 12), strength]  # real people share 0.07 to 0.5
    found = left_right({f"sub-{k}": s * common + 2.5 * rng.normal(size=4000) for k, s in enumerate(strengths)})
    levels = {who: [flag.level for flag in judge({"left_right": odds}, Norm()).flags] for who, odds in found.items()}
    assert levels.pop("sub-12") == ([level] if level else [])
    assert not any(levels.values())


def test_sides_are_not_judged_by_few_people_or_without_a_common_asymmetry():
    assert left_right(people_with_sides(7)) == {}
    rng = np.random.default_rng(2)
    assert left_right({f"sub-{k}": rng.normal(size=4000) for k in range(12)}) == {}


def test_the_header_tells_when_qform_and_sform_disagree(tmp_path):
    image = nib.Nifti1Image(np.zeros((20, 20, 20), np.float32), np.diag([-2.0, 2, 2, 1]))
    shifted = image.affine.copy()
    shifted[:3, 3] += [0, 3, 4]
    forms = {"same": image.affine, "shifted": shifted, "flipped": np.diag([2.0, 2, 2, 1])}
    found = {}
    for name, sform in forms.items():
        image.set_qform(forms["same"], code=1)
        image.set_sform(sform, code=1)
        nib.save(image, tmp_path / f"{name}.nii.gz")
        found[name] = measure_header(tmp_path / f"{name}.nii.gz")
    assert found["same"] == {"qform_sform_mm": 0, "sides_conflict": 0}
    assert found["shifted"]["qform_sform_mm"] == pytest.approx(5, abs=1e-3)
    assert found["shifted"]["sides_conflict"] == 0 and found["flipped"]["sides_conflict"] == 1
    assert {flag.level for flag in judge(found["flipped"], Norm()).flags} == {"alarm", "notice"}


def test_an_outlier_of_five_people_is_a_notice_with_both_numbers():
    rows = [{"similarity": value} for value in (0.81, 0.82, 0.80, 0.83, 0.82, 0.66)]
    (flag,) = judge(rows[-1], Norm.of(rows)).flags
    assert flag.level == "notice" and "0.66" in flag.numbers and "0.815" in flag.numbers
    assert judge(rows[0], Norm.of(rows)).flags == ()
    assert judge(rows[-1], Norm.of(rows[1:])).flags != () and judge(rows[-1], Norm.of(rows[2:])).flags == ()


def test_every_check_says_what_to_do_in_whole_sentences():
    for column, check in CHECKS.items():
        assert column in COLUMNS or column in MEASURES
        assert check.words and check.advice.endswith((".", "?")), column


def test_the_most_suspicious_come_first_and_nobody_is_lost():
    sides, picture = np.zeros(10), {"strip": b""}
    checked = {
        "sub-fine": Checked({"similarity": 0.8}, sides, picture),
        "sub-bad": Checked({"similarity": 0.3, "mask_dice": 0.5}, sides, picture),
        "sub-odd": Checked({"pet_coverage_percent": 97.0}, sides, picture),
    }
    people, _ = judge_cohort(checked, {"sub-broken": "E_QC sub-broken: no white matter"})
    assert [p.participant_id for p in people] == ["sub-broken", "sub-bad", "sub-odd", "sub-fine"]
    rows = table_rows(people, {"sub-none": "E_NO_T1W"})
    assert [row["verdict"] for row in rows] == ["not prepared", "not checked", "wrong?", "look", "ok"]
    assert rows[2]["flags"] == "similarity;mask_dice"
    assert replace(people[0], problem="").verdict == Verdict()
