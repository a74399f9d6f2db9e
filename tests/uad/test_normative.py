"""Normative sets: who is in which, and which mistakes are refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from synthpet.cohort import read_folds, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.names import sidecar_path
from synthpet.errors import DataError, DataLeakageError, UsageError
from synthpet.template.smoothing import smooth_within
from tests.uad.conftest import edit_json
from uad.normative.sets import check_normative, normative_set

PAIRED, UNPAIRED = ["sub-00", "sub-01", "sub-02", "sub-03"], ["sub-04", "sub-05"]

COLLAPSED = {"variance_ratio": {"synthetic": 0.1}, "narrowest": 0.3, "collapsed": True}


def sidecar(cohort, folder, participant_id, kind="synthetic_pet"):
    return sidecar_path(replace(cohort, root=folder).path(participant_id, kind))


@pytest.mark.parametrize(
    ("name", "ids", "kinds"),
    [
        ("real", PAIRED, ["desc-suvr"] * 4),
        ("synthetic", PAIRED, ["desc-synthetic"] * 4),
        ("completed", PAIRED + UNPAIRED, ["desc-suvr"] * 4 + ["desc-synthetic"] * 2),
        ("resampled", PAIRED + UNPAIRED, ["desc-suvr"] * 4 + ["desc-syntheticresampled"] * 2),
        ("oracle", PAIRED + UNPAIRED, ["desc-suvr"] * 4 + ["desc-withheld"] * 2),
        ("matched", PAIRED, ["desc-suvr"] * 4),
    ],
)
def test_each_set_has_its_people_and_their_pet(cohort, synthetic_folder, name, ids, kinds):
    found = normative_set(cohort, name, synthetic_folder)
    assert [m.participant_id for m in found.members] == ids
    assert all(f"_{kind}_pet" in m.path("pet").name for m, kind in zip(found.members, kinds, strict=True))
    assert [bool(m.synthetic) for m in found.members] == ["synthetic" in kind for kind in kinds]
    assert len(set(found.files())) == 3 * len(ids)
    for member, scan in zip(found.members, found.scans(), strict=True):
        np.testing.assert_array_equal(scan["t1w"], cohort.load_t1w(member.participant_id))
        np.testing.assert_array_equal(scan.mask, cohort.load_mask(member.participant_id))


def test_the_real_set_needs_no_synthetic_folder_and_the_synthetic_one_does(cohort):
    assert len(normative_set(cohort, "real").members) == 4
    with pytest.raises(UsageError, match=r"normative=completed: needs the folder"):
        normative_set(cohort, "completed")
    with pytest.raises(UsageError, match="normative=reel: expected one of real, synthetic"):
        normative_set(cohort, "reel")


def test_missing_images_are_all_named(cohort, synthetic_folder):
    for who in ("sub-01", "sub-02"):
        replace(cohort, root=synthetic_folder).path(who, "synthetic_pet").unlink()
    with pytest.raises(DataError, match=r"(?s)synthpet.complete.*sub-01: no .*sub-02: no "):
        normative_set(cohort, "synthetic", synthetic_folder)


@pytest.mark.parametrize("intruder", ["sub-06", "sub-07", "sub-00", "sub-99"])
def test_patients_heldout_controls_strangers_and_doubles_are_refused(cohort, intruder):
    real = normative_set(cohort, "real")
    with pytest.raises(DataLeakageError, match=intruder):
        check_normative(
            replace(real, members=(*real.members, replace(real.members[0], participant_id=intruder))), cohort
        )


def test_a_synthetic_pet_in_the_place_of_a_real_one_is_refused(cohort):
    write_json(sidecar_path(cohort.path("sub-02", "pet")), {"Synthetic": True})
    with pytest.raises(DataLeakageError, match=r"found sub-02 \(marked synthetic: sub-02_"):
        normative_set(cohort, "real")


def test_a_paired_controls_pet_from_a_generator_that_saw_it_is_refused(cohort, synthetic_folder):
    folds = read_folds(synthetic_folder / "folds.json")
    victim, other = folds[0].test[0], folds[1].test[0]
    edit_json(sidecar(cohort, synthetic_folder, victim), Fold=[1], GeneratorSHA256=["1" * 64])
    edit_json(sidecar(cohort, synthetic_folder, other), Fold=[0, 1], GeneratorSHA256=["0" * 64, "1" * 64])
    with pytest.raises(DataLeakageError) as error:
        normative_set(cohort, "synthetic", synthetic_folder)
    assert f"{victim}: made by the generator of fold [1], which was trained on it" in str(error.value)
    assert f"{other}: made by the generator of fold [0]" in str(error.value)
    assert len(normative_set(cohort, "completed", synthetic_folder).members) == 6  # it uses their real PET


def test_a_generator_that_is_not_its_folds_is_refused(cohort, synthetic_folder):
    victim = read_folds(synthetic_folder / "folds.json")[0].test[0]
    edit_json(sidecar(cohort, synthetic_folder, victim), GeneratorSHA256=["1" * 64])
    with pytest.raises(DataLeakageError, match=f"{victim}: its generator is not that of fold 0"):
        normative_set(cohort, "synthetic", synthetic_folder)


@pytest.mark.parametrize("change", [{"Fold": []}, {"Synthetic": False}, {"Fold": [7]}])
def test_a_sidecar_that_does_not_say_where_the_pet_comes_from_is_refused(cohort, synthetic_folder, change):
    edit_json(sidecar(cohort, synthetic_folder, "sub-04"), **change)
    with pytest.raises(DataLeakageError, match="sub-04"):
        normative_set(cohort, "completed", synthetic_folder)


@pytest.mark.parametrize("stranger", ["sub-06", "sub-07", "sub-04"])
def test_folds_that_trained_on_others_than_paired_controls_are_refused(cohort, synthetic_folder, stranger):
    path = synthetic_folder / "folds.json"
    first, second = read_folds(path)
    write_json(path, [{"index": 0, "train": (*first.train, stranger), "test": first.test}, vars(second)])
    with pytest.raises(DataLeakageError, match=stranger):
        normative_set(cohort, "synthetic", synthetic_folder)


def test_the_residual_of_a_heldout_control_is_refused(cohort, synthetic_folder):
    edit_json(sidecar(cohort, synthetic_folder, "sub-05", "resampled_pet"), ResidualOf="sub-06")
    with pytest.raises(DataLeakageError, match="sub-05: carries the residual of sub-06"):
        normative_set(cohort, "resampled", synthetic_folder)


def test_folds_of_another_cohort_hold_nobody_of_this_one(cohort, synthetic_folder):
    write_json(synthetic_folder / "folds.json", [{"index": k, "train": ["sub-00"], "test": []} for k in range(2)])
    assert len(normative_set(cohort, "synthetic", synthetic_folder).members) == 4


@pytest.mark.parametrize(
    ("name", "role", "ratios"),
    [
        ("synthetic", "paired", COLLAPSED),
        ("completed", "unpaired", COLLAPSED),
        ("resampled", "unpaired", COLLAPSED | {"variance_ratio": {"synthetic": 0.6, "resampled": 0.2}}),
    ],
)
def test_a_collapsed_set_is_refused_unless_forced(cohort, synthetic_folder, name, role, ratios):
    quality = json.loads((synthetic_folder / "quality.json").read_text())
    quality["roles"][role] = ratios
    write_json(synthetic_folder / "quality.json", quality)
    image = "resampled" if name == "resampled" else "synthetic"
    with pytest.raises(DataError, match=rf"{image} PET of {role} controls has 0\.[12] of .*force=true"):
        normative_set(cohort, name, synthetic_folder)
    assert normative_set(cohort, name, synthetic_folder, force=True).members
    assert normative_set(cohort, "real", synthetic_folder).members


@pytest.mark.parametrize("failure", ["memorised", "ignores_t1"])
@pytest.mark.parametrize("name", ["synthetic", "completed", "resampled"])
def test_generators_that_copy_or_ignore_the_t1_are_refused_unless_forced(cohort, synthetic_folder, name, failure):
    quality = json.loads((synthetic_folder / "quality.json").read_text())
    quality["roles"]["paired"][failure] = True
    write_json(synthetic_folder / "quality.json", quality)
    with pytest.raises(DataError, match=rf"E_{failure.upper()} .*force=true"):
        normative_set(cohort, name, synthetic_folder)
    assert normative_set(cohort, name, synthetic_folder, force=True).members
    assert normative_set(cohort, "real", synthetic_folder).members


def test_unpaired_controls_without_truth_are_judged_by_the_paired_ones(cohort, synthetic_folder):
    write_json(
        synthetic_folder / "quality.json",
        {"roles": {"unpaired": {"n": 2}, "paired": COLLAPSED}},
    )
    with pytest.raises(DataError, match="E_COLLAPSED"):
        normative_set(cohort, "completed", synthetic_folder)


def test_synthetic_pets_of_unknown_quality_are_refused_unless_forced(cohort, synthetic_folder):
    (synthetic_folder / "quality.json").unlink()
    with pytest.raises(DataError, match=r"E_QUALITY .*synthpet\.evaluate"):
        normative_set(cohort, "synthetic", synthetic_folder)
    assert normative_set(cohort, "synthetic", synthetic_folder, force=True).members


def test_smoothing_reaches_every_real_pet_and_no_synthetic_one(cohort, synthetic_folder):
    completed = normative_set(cohort, "completed", synthetic_folder, smooth_fwhm_mm=8.0)
    sharp = normative_set(cohort, "completed", synthetic_folder)

    def smoothed(pet, mask):
        return smooth_within(pet, mask, 8.0, cohort.grid.spacing_mm)

    for member in completed.members:
        scan, raw = completed.load(member), sharp.load(member)
        np.testing.assert_array_equal(scan["pet"], raw["pet"] if member.synthetic else smoothed(raw["pet"], raw.mask))
    patient = completed.evaluated(cohort, "sub-07")
    np.testing.assert_array_equal(patient["pet"], smoothed(cohort.load("sub-07", "pet"), patient.mask))
    np.testing.assert_array_equal(sharp.evaluated(cohort, "sub-07")["pet"], cohort.load("sub-07", "pet"))


def test_the_matched_set_smooths_every_real_pet_to_the_resolution_of_the_synthetic_one(cohort, synthetic_folder):
    source = replace(cohort, root=synthetic_folder)
    pets = {s.participant_id: cohort.load(s.participant_id, "pet") for s in cohort.select("paired")}
    for who, pet in pets.items():
        smooth = smooth_within(pet, cohort.load_mask(who), 9.0, cohort.grid.spacing_mm)
        write_image(source.path(who, "synthetic_pet"), smooth, cohort.grid)
    matched = normative_set(cohort, "matched", synthetic_folder, smooth_fwhm_mm="match")
    assert matched.smooth_fwhm_mm == pytest.approx(9.0, abs=0.2)
    who = matched.members[0]
    expected = smooth_within(
        pets[who.participant_id], matched.load(who).mask, matched.smooth_fwhm_mm, cohort.grid.spacing_mm
    )
    np.testing.assert_array_equal(matched.load(who)["pet"], expected)
    for name, pet in pets.items():  # other images, another match
        write_image(source.path(name, "synthetic_pet"), pet, cohort.grid)
    assert normative_set(cohort, "matched", synthetic_folder, smooth_fwhm_mm="match").smooth_fwhm_mm == 0
    with pytest.raises(UsageError, match="smooth_fwhm_mm=match: needs the folder"):
        normative_set(cohort, "matched", smooth_fwhm_mm="match")
