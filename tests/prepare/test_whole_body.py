"""A PET of the whole body is cut to the head: a simulated body below a phantom's raw PET."""

from dataclasses import replace

import numpy as np
import pytest

from synthpet.cohort.images import Grid, write_image
from synthpet.errors import DataError
from synthpet.phantom.template import load_template
from synthpet.plausibility.flags import CHECKS
from synthpet.prepare.pet import read_pet
from synthpet.prepare.subject import prepare_subject
from synthpet.prepare.whole_body import HEAD_MM, find_head
from tests.prepare.test_known_alignment import pet_error, prepare, settings_of, visit_of

BODY = Grid.of((100, 80, 240), np.diag([4.0, 4.0, 4.0, 1]))


def ellipsoid(grid: Grid, centre_mm, radii_mm) -> np.ndarray:
    """Where an ellipsoid is, (I, J, K)."""
    points = [np.arange(n) * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)]
    parts = [(p - c) / r for p, c, r in zip(points, centre_mm, radii_mm, strict=True)]
    return parts[0][:, None, None] ** 2 + parts[1][None, :, None] ** 2 + parts[2][None, None, :] ** 2 < 1


def trunk(grid: Grid, middle_mm, top_mm: float) -> np.ndarray:
    """Uptake of a body of which the shoulders begin at ``top_mm``: soft tissue, arms, heart, liver, bladder."""
    x, y = middle_mm
    uptake = 0.5 * ellipsoid(grid, (x, y, top_mm - 300), (170, 110, 300))
    uptake += 0.5 * ellipsoid(grid, (x, y, top_mm), (60, 60, 90))  # neck
    for side in (-1, 1):
        uptake += 0.4 * ellipsoid(grid, (x + side * 190, y, top_mm - 330), (40, 40, 300))
    uptake += 6.0 * ellipsoid(grid, (x - 30, y, top_mm - 150), (45, 45, 45))
    uptake += 2.0 * ellipsoid(grid, (x + 60, y, top_mm - 280), (80, 70, 60))
    return (uptake + 60.0 * ellipsoid(grid, (x, y, top_mm - 560), (45, 45, 40))).astype(np.float32)


def whole_body(pet: np.ndarray, grid: Grid, below_mm: float = 660.0) -> tuple[np.ndarray, Grid]:
    """The PET of a head, (I, J, K), with a body below it and room to either side; RAS+."""
    n, wide = round(below_mm / grid.spacing_mm[2]), round(120 / grid.spacing_mm[0])
    matrix = grid.matrix
    matrix[:3, 3] -= matrix[:3, :3] @ [wide, 0, n]
    whole = Grid.of((pet.shape[0] + 2 * wide, pet.shape[1], pet.shape[2] + n), matrix)
    unit = float(np.percentile(pet, 99.9)) / 3
    extent = np.asarray(whole.shape) * whole.spacing_mm
    body = unit * trunk(whole, extent[:2] / 2, n * grid.spacing_mm[2])
    body += np.abs(np.random.default_rng(1).normal(0, 0.01 * unit, whole.shape)).astype(np.float32)
    inside = body[wide:-wide, :, n:]
    inside[:] = np.maximum(inside, pet)
    return body, whole


def test_the_head_of_a_body_is_found_and_keeps_its_place():
    body = trunk(BODY, (200, 160), 700.0)
    body[ellipsoid(BODY, (200, 160, 820), (75, 95, 110))] = 3.0
    body[10, 10, 239] = 3.0  # noise is no body
    head = find_head(body, BODY, "sub-01")
    cut, grid = head.cut(body, BODY)
    assert head.length_mm > 850
    assert cut.shape[2] * 4 == pytest.approx(HEAD_MM, abs=4)
    assert grid.matrix[2, 3] + 4 * cut.shape[2] == pytest.approx(930, abs=4)
    assert grid.matrix[0, 3] < 125 - 16 and grid.matrix[0, 3] + 4 * cut.shape[0] > 275 + 16
    assert (cut == 3.0).sum() > 0.85 * (ellipsoid(BODY, (200, 160, 820), (75, 95, 110))).sum()
    assert cut.max() == 3.0  # neither bladder nor heart


def test_raised_arms_are_refused():
    body = trunk(BODY, (200, 160), 500.0)
    body[ellipsoid(BODY, (200, 160, 620), (75, 95, 110))] = 3.0
    for side in (-1, 1):
        body[ellipsoid(BODY, (200 + side * 60, 160, 700), (35, 35, 240))] = 0.5
    with pytest.raises(DataError, match=r"E_BODY sub-01: .*no head .*raised arms"):
        find_head(body, BODY, "sub-01")


def test_a_pet_of_the_head_is_left_alone():
    grid = Grid.of((40, 40, 60), np.diag([4.0, 4, 4, 1]))
    assert find_head(np.random.default_rng(0).random(grid.shape, np.float32), grid, "sub-01") is None


@pytest.mark.slow
def test_a_person_with_a_pet_of_the_whole_body_is_prepared_as_with_that_of_the_head(tmp_path):
    visit, settings = visit_of(0, load_template(3.0)), settings_of("affine", 4.0)
    raw, alone = prepare(visit, tmp_path, settings)
    own = read_pet(raw.pet, "sub-01")
    body, grid = whole_body(own.data, own.grid)
    path = write_image(tmp_path / "body" / raw.pet.name, body, grid)
    prepared = prepare_subject(replace(raw, pet=path), settings)
    shift_mm, degrees = pet_error(visit, prepared)
    print(f"{shift_mm:.2f} mm, {degrees:.2f} degrees; of the head alone {pet_error(visit, alone)}")
    assert shift_mm < 1 and degrees < 1
    assert sum("of the whole body" in note for note in prepared.notes) == 1
    assert prepared.pet["CutToHead"].startswith("from ")
    assert CHECKS["pet_body_mm"].notice == (None, 0.0) and prepared.measures["pet_body_mm"] > 600
    brain = prepared.images["brain_mask"]
    assert np.corrcoef(prepared.images["pet"][brain], alone.images["pet"][brain])[0, 1] > 0.99
    assert read_pet(path, "sub-01").data.size < body.size / 4
