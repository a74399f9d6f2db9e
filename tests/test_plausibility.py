"""What is wrong with a person's images in template space is said by the rules that quality control has."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from synthpet.checks.cohort import validate_cohort
from synthpet.cohort import Cohort, Grid, Subject, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.index import write_participants
from synthpet.cohort.names import image_path, sidecar_path
from synthpet.plausibility.subject import look_at, whose_pet
from synthpet.template.icbm import template_grid, template_images

GRID = template_grid(4.0)


def person(seed):
    """A brain like the template's with thickness of its own, and the PET of its tissues, (I, J, K) each."""
    template, rng = template_images(GRID), np.random.default_rng(seed)
    mask = template.brain_mask

    def field(sd):
        smooth = ndimage.gaussian_filter(rng.normal(0, 1, GRID.shape), 2)
        return sd * smooth / smooth.std()

    gm = np.where(mask, np.clip(template.gm * (1 + field(0.4)), 0, 1), 0).astype(np.float32)
    pet = ndimage.gaussian_filter(1.2 * gm + 0.5 * template.wm, 0.6) + 0.02 * field(1)
    return {
        "t1w": np.where(mask, 0.2 + 0.4 * gm + 0.7 * template.wm, 0).astype(np.float32),
        "brain_mask": mask,
        "gm": gm,
        "wm": np.where(mask, template.wm, 0).astype(np.float32),
        "pet": np.where(mask, np.maximum(pet, 1e-3), 0).astype(np.float32),
    }


@pytest.fixture(scope="module")
def people():
    return [person(seed) for seed in range(3)]


def codes(images):
    return {(finding.kind, finding.code) for finding in look_at(images, GRID)[0]}


def test_nothing_is_said_of_good_people(people):
    assert [codes(images) for images in people] == [set()] * 3
    assert whose_pet(dict(zip("abc", people, strict=True)), GRID) == {}


WRONG = {
    "T1 and PET swapped": (lambda p: {"t1w": p["pet"], "pet": p["t1w"]}, ("t1w", "E_SWAPPED")),
    "PET is twice the T1": (lambda p: {"pet": 2 * p["t1w"]}, ("pet", "E_SAME")),
    "T1 upside down": (lambda p: {"t1w": p["t1w"][:, :, ::-1]}, ("t1w", "E_ORIENTATION")),
    "everything upside down": (lambda p: {k: v[:, :, ::-1] for k, v in p.items()}, ("t1w", "E_ORIENTATION")),
    "T1 turned about x": (lambda p: {"t1w": p["t1w"][:, ::-1, ::-1]}, ("t1w", "E_ORIENTATION")),
    "PET back to front": (lambda p: {"pet": p["pet"][:, ::-1]}, ("pet", "E_ORIENTATION")),
    "PET mirrored": (lambda p: {"pet": p["pet"][::-1]}, ("pet", "E_LOOK")),
    "T1 of another": (lambda p: {"t1w": person(7)["t1w"]}, ("t1w", "E_LOOK")),
    "lesion outside": (lambda p: {"lesion_mask": ~p["brain_mask"]}, ("lesion_mask", "E_LOOK")),
    "PET without grey matter": (lambda p: {"pet": p["wm"] + 0.5 * p["brain_mask"]}, ("pet", "E_LOOK")),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_wrong_has_its_own_code(how, people):
    change, expected = WRONG[how]
    assert expected in codes({**people[0], **change(people[0])})


def test_without_tissue_maps_the_brightness_of_the_t1_tells(people):
    images = {kind: data for kind, data in people[0].items() if kind not in ("gm", "wm")}
    assert codes(images) == set()
    assert ("pet", "E_LOOK") in codes({**images, "pet": images["pet"][::-1]})


def cohort_of(people: list, root: Path, grid: Grid = GRID) -> Cohort:
    subjects = [Subject(f"sub-{k:02d}", "control", "paired", 30.0, "F", "a") for k in range(len(people))]
    for subject, images in zip(subjects, people, strict=True):
        for kind, data in images.items():
            path = write_image(root / image_path(subject.participant_id, kind, res="4mm"), data, grid)
            if kind == "pet":
                write_json(sidecar_path(path), {"TracerName": "FDG", "Units": "arbitrary"})
    write_participants(root, subjects, name="made", simulated=True)
    return Cohort.open(root)


def problems(cohort, tmp_path):
    found = validate_cohort(cohort, tmp_path / "work").problems
    return {(p.participant_id, p.code, p.level) for p in found}


def test_two_people_whose_pets_are_mixed_up_are_named(people, tmp_path):
    a, b, c = people
    made = cohort_of([{**a, "pet": b["pet"]}, {**b, "pet": a["pet"]}, c], tmp_path / "cohort")
    errors = {who: p.message for p in validate_cohort(made, tmp_path / "work").errors for who in [p.participant_id]}
    assert set(errors) == {"sub-00", "sub-01"}
    assert "fits the T1 of sub-01 far better" in errors["sub-00"]


def test_units_that_are_none_of_suvr_are_said(people, tmp_path):
    made = cohort_of(people[:2], tmp_path / "cohort")
    assert problems(made, tmp_path) == set()
    write_json(sidecar_path(made.path("sub-00", "pet")), {"TracerName": "FDG", "Units": "MBq/mL"})
    assert problems(made, tmp_path) == {("sub-00", "E_UNITS", "warning")}


@pytest.mark.parametrize("how", ["sheared", "off the middle"])
def test_a_grid_that_evaluation_cannot_use_is_refused_before_any_training(how, people, tmp_path):
    affine = GRID.matrix
    affine[0, 1 if how == "sheared" else 3] += 0.5
    made = cohort_of(people[:1], tmp_path / "cohort", Grid.of(GRID.shape, affine))
    assert ("", "E_GRID", "error") in problems(made, tmp_path)
