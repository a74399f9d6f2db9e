"""Pictures and pages of quality control."""

import io

import numpy as np
import pytest
from PIL import Image

from synthpet.prepare.qc.cohort import Checked, judge_cohort
from synthpet.prepare.qc.page import cohort_page, person_page
from synthpet.prepare.qc.pictures import BOX_MM, STRIP_SCALE, draw_person
from synthpet.template.icbm import template_grid, template_images

GRID = template_grid(4.0)


@pytest.fixture(scope="module")
def images():
    template = template_images(GRID)
    mask = template.brain_mask
    pet = np.where(mask, 1.0, 0).astype(np.float32)
    pet[: GRID.shape[0] // 2] *= 1.8  # more uptake on the person's left
    lesion = np.zeros(GRID.shape)
    lesion[20:23, 25:28, 20:23] = 1
    return {"t1w": template.t1w, "brain_mask": mask, "wm": template.wm, "pet": pet, "lesion_mask": lesion}


@pytest.fixture(scope="module")
def drawn(images):
    return draw_person(images, GRID)


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_there_is_a_picture_of_each_kind_and_they_are_small(drawn):
    assert set(drawn) == {"strip", "t1w", "pet", "fused", "lesion"}
    assert len(drawn["strip"]) < 60_000 and sum(map(len, drawn.values())) < 500_000


def test_the_persons_left_is_on_the_left(drawn):
    picture = pixels(drawn["strip"])
    high = picture.shape[0] // 2
    wide = round(STRIP_SCALE * (BOX_MM[0][1] - BOX_MM[0][0]))
    first = picture[high:, :wide].sum(2)  # the first axial slice of the PET
    assert first[:, : wide // 2].mean() > 1.2 * first[:, wide // 2 :].mean()


def test_the_outline_of_the_mask_is_red_and_moves_with_it(images, drawn):
    def red(picture):
        return (picture[..., 0] > 150) & (picture[..., 1] < 110) & (picture[..., 2] < 110)

    smaller = {**images, "brain_mask": images["brain_mask"] & (np.indices(GRID.shape)[0] < 15)}
    here, there = red(pixels(drawn["t1w"])), red(pixels(draw_person(smaller, GRID)["t1w"]))
    assert here.sum() > 500
    assert (here & there).sum() < 0.8 * here.sum()


def test_no_picture_shows_a_face_around_the_brain(images):
    head = {**images, "pet": np.ones(GRID.shape, np.float32)}
    bright = pixels(draw_person(head, GRID)["pet"]).max(2) > 60
    assert bright.mean() < 0.75  # a field of view that reaches everywhere would fill the picture


@pytest.fixture(scope="module")
def people(drawn):
    sides = np.zeros(10)
    checked = {
        "sub-01": Checked({"similarity": 0.8, "pet_turn_deg": 7.0}, sides, drawn, ("a <b>note</b>",), "given"),
        "sub-02": Checked({"similarity": 0.82}, sides, drawn),
    }
    return judge_cohort(checked, {"sub-03": "E_QC sub-03: DataError: no grey matter"})


def test_the_page_of_the_cohort_begins_with_who_is_missing_and_who_is_suspicious(people):
    html = cohort_page("cohort <1>", people[0], {"sub-99": "E_NO_T1W sub-99: no <T1>"}, {}, simulated=True).render()
    assert "SIMULATED" in html
    order = ["sub-99", "E_NO_T1W", 'href="#sub-03"', 'href="#sub-01"', 'href="#sub-02"', 'id="sub-01"', 'id="sub-02"']
    places = [html.index(text) for text in order]
    assert places == sorted(places)
    assert html.count('src="data:image/webp;base64,') == 2
    assert 'href="sub-01/report.html"' in html
    assert "<b>" not in html and "<T1>" not in html and "cohort <1>" not in html


def test_a_persons_flag_says_what_was_found_and_what_to_do(people):
    person = next(p for p in people[0] if p.participant_id == "sub-01")
    html = person_page(person, people[1], simulated=True).render()
    assert "SIMULATED" in html
    assert "the PET is tilted against the T1 (pet_turn_deg 7, limit 3)" in html
    assert "What to do: Compare PET and T1" in html
    assert html.count("<img") == 4  # T1, PET, fused, lesion


def test_pages_say_who_has_drawn_the_outline_of_the_brain(people):
    cohort = cohort_page("some", people[0], {}, {}, simulated=False).render()
    assert "Brain masks: 1 x given." in cohort
    pages = {p.participant_id: person_page(p, people[1], simulated=False).render() for p in people[0]}
    assert "Brain mask: given." in pages["sub-01"] and "Brain mask:" not in pages["sub-02"]


def test_two_hundred_people_make_a_page_that_opens(drawn):
    rng = np.random.default_rng(0)
    checked = {
        f"sub-{k:03d}": Checked({"similarity": 0.8 + 0.01 * rng.random()}, np.zeros(9), drawn) for k in range(200)
    }
    html = cohort_page("many", *judge_cohort(checked, {})[:1], {}, {}, simulated=False).render()
    assert len(html) < 15_000_000
    assert html.count('loading="lazy"') == 200
