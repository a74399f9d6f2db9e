"""The page on synthetic PET says what the images are, and shows the right subjects."""

import numpy as np
import pytest

from synthpet.cohort import Cohort, Fold, write_folds, write_image
from synthpet.cohort.index import write_participants
from synthpet.quality.page import make_page, make_pictures, pick_examples, pick_ranked, pick_uncertain
from synthpet.quality.run import evaluate
from synthpet.quality.source import Source
from synthpet.report.html import RESEARCH_USE, Picture
from tests.conftest import write_cohort
from tests.test_evaluation import truth, write_expected, write_synthetic, write_synthetic_without_folds

CONFIG = {"generator": "test3d"}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Synthetic PETs whose error grows with the subject's number."""
    cohort = write_cohort(tmp_path_factory.mktemp("study") / "cohort")
    write_expected(cohort)
    folder = write_synthetic(
        cohort,
        tmp_path_factory.mktemp("synthetic"),
        lambda s, _: truth(cohort, s) + 0.05 * (1 + int(s.participant_id[-2:])),
    )
    source = Source(cohort, folder)
    rng = np.random.default_rng(0)
    for scale, case in enumerate((c for c in source.cases if c.role == "unpaired"), start=1):
        noise = scale * np.abs(rng.normal(0, 0.02, cohort.grid.shape)).astype(np.float32)
        write_image(source.path(case, "uncertainty"), noise, cohort.grid)
    return evaluate(source)


@pytest.fixture(scope="module")
def page(evaluation):
    return make_page(evaluation, make_pictures(evaluation), CONFIG)


def test_the_examples_are_the_lowest_median_and_highest_error(evaluation):
    chosen = pick_examples(evaluation.measured["paired"])
    assert {name: found.case.participant_id for name, found in chosen.items()} == {
        "best": "sub-00", "median": "sub-01", "worst": "sub-03",
    }  # fmt: skip


def test_the_ranked_subjects_go_from_the_best_to_the_worst(evaluation):
    found = evaluation.measured["paired"]
    assert [one.case.participant_id for one in pick_ranked(found)] == ["sub-00", "sub-01", "sub-02", "sub-03"]
    assert [one.case.participant_id for one in pick_ranked(found, most=2)] == ["sub-00", "sub-03"]


def test_the_uncertain_examples_are_unpaired_controls(evaluation):
    chosen = pick_uncertain(evaluation.measured)
    assert chosen["highest"].case.participant_id == "sub-05"
    assert all(found.case.role == "unpaired" for found in chosen.values())


def test_the_page_says_what_is_simulated_and_what_synthetic(page):
    html = page.render()
    assert RESEARCH_USE in html
    assert "SIMULATED: the persons of this cohort do not exist" in html
    assert "OTHER COHORT" not in html
    assert "SYNTHETIC: every PET called synthetic was computed" in html


def test_every_picture_says_what_to_look_at(page):
    captions = [part.caption for section in page.sections for part in section.parts if isinstance(part, Picture)]
    assert len(captions) == 11  # metrics, ranking, three examples, two uncertain, regions twice, means, spread
    assert all(len(caption) > 100 for caption in captions)


def test_the_words_carry_the_measured_numbers(page, evaluation):
    mae = evaluation.summary["roles"]["paired"]["metrics"]["mask"]["mae"]["synthetic"]["mean"]
    assert mae == pytest.approx(0.05 * np.mean([1, 2, 3, 4]), abs=1e-5)
    assert f"{mae:.3f} SUVR" in page.sections[0].parts[0]


def test_provenance_carries_the_settings_and_no_time(page):
    assert "test3d" in page.provenance["This evaluation"]
    assert not any("seconds" in text for text in page.provenance.values())


def test_real_t1s_without_any_pet_get_pictures_and_no_simulation_notice(cohort, tmp_path):
    t1_only = [s for s in cohort.subjects if s.role == "unpaired"]
    for subject in t1_only:
        cohort.path(subject.participant_id, "withheld_pet").unlink()
    write_participants(cohort.root, t1_only, name="T1 only", simulated=False)
    cohort = Cohort.open(cohort.root)
    folder = write_synthetic_without_folds(cohort, tmp_path / "synthetic")
    write_folds(folder / "folds.json", [Fold(0, ("sub-stranger",), ())])
    found = evaluate(Source(cohort, folder))
    pictures = make_pictures(found)
    assert set(pictures) == {"uncertainty-highest", "uncertainty-median", "spread"}
    html = make_page(found, pictures, CONFIG).render()
    assert "SIMULATED" not in html
    assert "SYNTHETIC" in html
    assert "OTHER COHORT" in html
    assert "none a real one to compare with" in html
