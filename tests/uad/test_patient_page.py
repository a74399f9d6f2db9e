"""The page about one person: what it says in words, and that its pictures are true to the sides."""

import io
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest

from synthpet.cohort import Grid
from synthpet.cohort.scan import Scan
from synthpet.report.display import Display
from synthpet.statistics.intervals import Interval
from tests.conftest import GRID, ellipsoid, write_cohort
from uad.findings.clusters import ClusterRule, find_clusters
from uad.findings.health import Health
from uad.findings.records import Findings
from uad.findings.threshold import Calibration
from uad.normative.normal_image import change_percent
from uad.normative.sets import normative_set
from uad.patient.page import make_page, notices
from uad.patient.pictures import Case, projections_of
from uad.patient.words import result_words, untested_words
from uad.pictures.figures import Layer, difference_layer, planes, projections
from uad.scores.lesions import detect_lesion

MASK = ellipsoid(0.9)
CALIBRATION = Calibration(3.0, 3.0, 2.9, Interval(1.0, 5.0), 3.25, 0.125, 8)
HEALTH = Health(np.array([50.0, 20, 15, 9, 4, 2, 0, 0]), 0.2)  # 8 healthy scans


def findings(n_spots, pet=True):
    z = np.where(MASK, 0.5, 0).astype(np.float32)
    for k in range(n_spots):
        z[5 + 8 * k : 8 + 8 * k, 11:14, 9:12] = 6 - k
    t1w = np.where(MASK, 0.6, 0).astype(np.float32)
    maps = {"z": z, "z_t1w": -z} | ({"z_pet": -z} if pet else {})
    rule = ClusterRule(threshold=3.0, min_volume_mm3=500.0)
    clusters, labels = find_clusters(z, MASK, GRID, rule, t1w_z=maps["z_t1w"], pet_z=maps.get("z_pet"))
    return Findings(Scan({"t1w": t1w} | ({"pet": t1w} if pet else {}), MASK), maps, labels, clusters)


def render(case, found):
    return make_page(
        case, found, CALIBRATION, HEALTH, GRID, projections_of(found, case.lesion, GRID, case.display)
    ).render()


def test_no_candidate_is_said_with_how_often_healthy_people_get_it():
    words = " ".join(result_words([], HEALTH, CALIBRATION))
    assert words.startswith("No candidate.")
    assert "7 of 8 healthy controls, each judged by the others, have no candidate either." in words
    assert "does not rule out a lesion" in words and "weaker" not in words
    page = render(Case("sub-x", []), findings(0))
    assert "No candidate." in page and "Candidate 1" not in page
    assert page.count("<img") == 2  # the images that were read, the projections


def test_a_single_control_says_nothing_about_the_share_without_candidates():
    alone = replace(CALIBRATION, left_out=None, left_out_empty=None, n_scans=1)
    for clusters in ([], findings(1).clusters):
        words = " ".join(result_words(clusters, Health(np.zeros(1), 0.2), alone))
        assert "None" not in words and "nan" not in words and "of the 1 healthy controls" not in words


def test_three_controls_cannot_show_that_a_place_is_rare():
    words = [" ".join(result_words(findings(1).clusters, Health(np.zeros(n), 0.2), CALIBRATION)) for n in (3, 4)]
    assert "of healthy people 1 in 4 has such a place" in words[0] and "has such a place" not in words[1]


@pytest.mark.parametrize("n_spots", [1, 2])
def test_each_candidate_has_its_row_and_its_picture(n_spots):
    page = render(Case("sub-x", ["SIMULATED: test"]), findings(n_spots))
    assert f"{n_spots} candidate{'s' if n_spots > 1 else ''}. The most suspicious one: left" in page
    assert page.count("<img") == 2 + n_spots
    assert ("Candidate 2: right" in page) == (n_spots == 2)
    assert "hypo" in page and "The T1 alone deviates too" in page
    assert "left of the patient, the neurological convention" in page


def test_the_viewer_offers_the_colours_of_pet_readers_where_there_is_a_pet():
    assert ["inverse grey" in render(Case("sub-x", []), findings(1, pet=pet)) for pet in (True, False)] == [True, False]


def test_without_a_pet_no_word_is_about_uptake():
    page = render(Case("sub-x", []), findings(1, pet=False))
    assert "uptake is" not in page
    assert "T1 alone deviates" in page


def test_the_pet_is_compared_with_the_controls_mean_in_percent():
    found = findings(1)  # uptake 0.6 within the brain
    normal = np.where(MASK, 0.75, np.nan).astype(np.float32)
    page = render(Case("sub-x", [], normal=normal), found)
    assert "It is 20 % less than the controls&#39; mean." in page and "<td>-20</td>" in page
    assert "mean PET of controls" in page and "expected" not in page
    assert change_percent(found.pet, np.full(GRID.shape, np.nan), MASK) is None
    assert "controls&#39; mean." not in render(Case("sub-x", []), found)


def test_the_pet_is_compared_with_the_one_expected_from_the_t1():
    found = findings(1)
    found.maps["expected_pet"] = np.where(MASK, 0.8, 0).astype(np.float32)
    page = render(Case("sub-x", [], normal=np.where(MASK, 0.75, np.nan).astype(np.float32)), found)
    assert "It is 25 % less than expected from the person&#39;s own T1." in page and "<td>-25</td>" in page
    assert "expected PET (synthetic)" in page and "mean PET of controls" not in page


def test_the_difference_of_two_pets_is_in_percent_and_silent_where_no_uptake_is_expected():
    usual = np.where(MASK, 1.0, np.nan).astype(np.float32)
    usual[8:12, 10:14, 8:12] = 0.01  # a ventricle
    layer = difference_layer(np.nan_to_num(0.8 * usual) + (usual < 0.1) * 0.1, usual, MASK, GRID.spacing_mm)
    deep = ellipsoid(0.3)
    assert np.allclose(layer.volume[ellipsoid(0.85) & ~ellipsoid(0.7)], -20, atol=2)
    assert (layer.volume[9:11, 11:13, 9:11] == 0).all() and (layer.volume[~MASK] == 0).all()
    assert np.isfinite(layer.volume[deep]).all()


def test_what_healthy_people_show_too_is_a_weaker_place_and_no_candidate():
    found = findings(2)
    marked = [replace(c, healthy_as_strong=n, candidate=n == 0) for c, n in zip(found.clusters, (0, 5), strict=True)]
    page = render(Case("sub-x", []), replace(found, clusters=marked))
    assert "1 candidate. The most suspicious one" in page and "0 of 8 healthy scans show a place as strong" in page
    assert "1 weaker place stands out as well" in page and "3.2 places of any strength on average" in page
    assert "Candidate 2" not in page and "Weaker place 2: right" in page  # no picture; in the viewer it is
    assert page.index("<td>0 of 8</td>") < page.index("<summary><h2>Weaker places") < page.index("<td>5 of 8</td>")
    none = render(Case("sub-x", []), replace(found, clusters=[replace(c, candidate=False) for c in found.clusters]))
    assert "No candidate." in none and "2 weaker places stand out as well" in none and none.count("<img") == 2


def test_a_known_lesion_is_called_found_or_missed():
    found = findings(1)
    for lesion, words in ((found.labels > 0, "touched by candidate 1"), (np.roll(found.labels > 0, 8, 0), "missed")):
        detection = detect_lesion(
            found.clusters, found.labels, lesion, GRID, participant_id="sub-x", lesion_site="left insula", seed=0
        )
        assert words in render(Case("sub-x", [], lesion=lesion, detection=detection), found)


def test_what_was_not_judged_is_named_by_region():
    grid = Grid.of((55, 68, 59), np.array([[3.0, 0, 0, -81], [0, 3, 0, -117], [0, 0, 3, -81], [0, 0, 0, 1]]))
    mask, z = np.ones(grid.shape, bool), np.ones(grid.shape, np.float32)
    z[:, :, :18] = 0  # below z = -27 mm
    empty = np.zeros(grid.shape, np.int16)
    words = " ".join(untested_words(Findings(Scan({"t1w": z, "pet": z}, mask), {"z": z}, empty, []), grid))
    assert f"({100 * 18 / 59:.1f} %)" in words
    assert "left cerebellum" in words and "right temporal pole" in words
    assert "parietal" not in words


def test_everything_is_escaped():
    page = render(Case("<script>x</script>", ["<b>"], ["<i>"], {"a": "</pre>"}), findings(1))
    assert "<script>x" not in page and "<b>" not in page and "<i>" not in page


def test_notices_say_who_is_synthetic_and_who_is_simulated(tmp_path):
    cohort = write_cohort(tmp_path / "cohort")
    normative = normative_set(cohort, "real")
    own, foreign = (notices(cohort, normative, patient_simulated=simulated) for simulated in (True, False))
    assert (
        "what 4 simulated healthy controls show (normative set: real)" in own[0]
        and "None of their PETs is synthetic" in own[0]
    )
    assert own[1].startswith("SIMULATED: the images on this page")
    assert foreign[1].startswith("SIMULATED CONTROLS")


def bright(png, half):
    """Mean colour saturation of the left or right half of the first view."""
    picture = matplotlib.image.imread(io.BytesIO(png))[..., :3]
    first = picture[30:, : picture.shape[1] // 4]
    side = first[:, : first.shape[1] // 2] if half == "left" else first[:, first.shape[1] // 2 :]
    return (side.max(axis=-1) - side.min(axis=-1)).mean()


def test_the_left_of_the_brain_is_on_the_left_of_the_picture():
    left = np.zeros(GRID.shape, np.float32)
    left[4:8, 8:16, 6:14] = 5  # x below 0
    layer = Layer("z", left, "magma", (0.0, 6.0), "z")
    for png in (projections(left, np.zeros(GRID.shape, int), None, MASK, GRID), planes([layer], MASK, GRID)):
        assert bright(png, "left") > 3 * bright(png, "right")


def test_in_the_radiological_convention_the_left_of_the_brain_is_on_the_right():
    left = np.zeros(GRID.shape, np.float32)
    left[4:8, 8:16, 6:14] = 5
    labels, display = (left > 0).astype(int), Display(convention="radiological")
    layer = Layer("z", left, "magma", (0.0, 6.0), "z")
    for png in (
        projections(left, labels, None, MASK, GRID, display=display),
        planes([layer], MASK, GRID, display=display),
    ):
        assert bright(png, "right") > 3 * bright(png, "left")
    assert "Left of the picture: RIGHT of the patient, the radiological convention" in display.sides()
    page = render(Case("sub-x", [], display=display), findings(1))
    assert page.count("RIGHT of the patient") == 3 and "left of the patient, the neurological" not in page


@pytest.mark.parametrize("convention", ["neurological", "radiological"])
def test_an_outline_lies_around_the_voxels_it_belongs_to(convention):
    spot = np.zeros(GRID.shape, bool)
    spot[6:9, 11:14, 9:12] = True
    layer = Layer("z", spot.astype(float), "gray", (0.0, 1.0), "z")
    point = GRID.matrix[:3, :3] @ (7, 12, 10) + GRID.matrix[:3, 3]
    picture = matplotlib.image.imread(
        io.BytesIO(planes([layer], MASK, GRID, point, outlined=spot, colour="red", display=Display(convention)))
    )[..., :3]  # fmt: skip
    red = np.argwhere((picture[..., 0] > 0.8) & (picture[..., 1] < 0.3))
    white = np.argwhere(picture[:, : picture.shape[1] // 4].min(axis=-1) > 0.95)
    red, white = (points[(points[:, 1] < picture.shape[1] // 4) & (points[:, 0] > 30)] for points in (red, white))
    inside = np.array([p for p in white if (red.min(0) - 4 <= p).all() and (p <= red.max(0) + 4).all()])
    for edge in (np.min, np.max):
        assert np.abs(edge(red, axis=0) - edge(inside, axis=0)).max() <= 2
