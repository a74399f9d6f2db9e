"""A generator that returns training PETs, or does not look at the T1, is found out; others are not."""

import json

import numpy as np
import pytest

from synthpet.cohort.folds import read_folds
from synthpet.quality.failures import expected_nearest, nearest_ratio
from synthpet.quality.words import failure_words
from tests.conftest import write_cohort
from tests.test_evaluation import evaluate_synthesis, truth, write_expected, write_synthetic


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The small cohort and another one, of other people."""
    cohort = write_cohort(tmp_path_factory.mktemp("own") / "cohort")
    write_expected(cohort)
    return cohort, write_cohort(tmp_path_factory.mktemp("other") / "cohort", first_seed=100)


def most_alike(cohort, participant_id, others, source=None):
    """Who of ``others`` has the T1 most like this person's."""
    t1w = cohort.load_t1w(participant_id)
    return min(others, key=lambda i: np.abs((source or cohort).load_t1w(i) - t1w).mean())


def failures(study, tmp_path, synthesise):
    """The paired controls' part of quality.json for a generator ``(subject, fold) -> PET``; the ceiling for others."""
    cohort, _ = study

    def pet(subject, fold):
        return cohort.load(subject.participant_id, "expected_pet") if fold is None else synthesise(subject, fold)

    return evaluate_synthesis(cohort, write_synthetic(cohort, tmp_path / "synthetic", pet))["roles"]["paired"]


def test_a_generator_that_returns_training_pets_is_flagged(study, tmp_path):
    cohort, _ = study

    def copy(subject, fold):
        return cohort.load(most_alike(cohort, subject.participant_id, fold.train), "pet")

    found = failures(study, tmp_path, copy)
    assert found["memorised"]
    assert found["n_copies"] == found["nearest_ratio"]["n"] == 4
    assert found["nearest_ratio"]["median"] < 0.5
    assert "MEMORISED" in failure_words({"roles": {"paired": found}})[0]


def test_one_copy_among_honest_pets_is_flagged(study, tmp_path):
    cohort, _ = study

    def mostly_honest(subject, fold):
        if subject.participant_id == "sub-02":
            return cohort.load(fold.train[0], "pet")
        return cohort.load(subject.participant_id, "expected_pet")

    found = failures(study, tmp_path, mostly_honest)
    assert found["memorised"]
    assert found["n_copies"] == 1


def test_a_generator_trained_elsewhere_is_not_flagged(study, tmp_path):
    """It returns PETs of its own training set, whose people are not in this cohort."""
    cohort, elsewhere = study
    ids = [s.participant_id for s in elsewhere.select("paired")]

    def stranger(subject, fold):
        return elsewhere.load(most_alike(cohort, subject.participant_id, ids, elsewhere), "pet")

    found = failures(study, tmp_path, stranger)
    assert not found["memorised"]
    assert found["nearest_ratio"]["median"] > 0.85


def test_an_honest_generator_has_neither_failure(study, tmp_path):
    cohort, _ = study
    found = failures(study, tmp_path, lambda s, _: cohort.load(s.participant_id, "expected_pet"))
    assert (found["memorised"], found["ignores_t1"], found["collapsed"]) == (False, False, False)
    assert found["t1_ratio"] < 0.7
    words = " ".join(failure_words({"roles": {"paired": found}}))
    assert f"{found['nearest_ratio']['median']:.2f} times" in words
    assert "MEMORISED" not in words
    assert "IGNORES" not in words


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_generator_that_ignores_the_t1_is_flagged_even_if_its_pets_vary(study, tmp_path, noise):
    cohort, _ = study
    rng = np.random.default_rng(0)

    def blind(_, fold):
        mean = np.mean([cohort.load(i, "pet") for i in fold.train], axis=0)
        return mean + noise * rng.standard_normal(mean.shape)

    found = failures(study, tmp_path, blind)
    assert found["ignores_t1"]
    assert "IGNORES THE T1" in failure_words({"roles": {"paired": found}})[-1]
    assert found["t1_ratio"] == pytest.approx(1, abs=0.05)
    assert found["collapsed"] == (noise == 0)
    assert not found["memorised"]


def test_shuffled_pairs_lower_ssim(study, tmp_path):
    cohort, _ = study
    order = [s.participant_id for s in cohort.select("paired")]
    another = dict(zip(order, order[1:] + order[:1], strict=True))
    right = failures(study, tmp_path / "right", lambda s, _: cohort.load(s.participant_id, "expected_pet"))
    wrong = failures(study, tmp_path / "wrong", lambda s, _: cohort.load(another[s.participant_id], "expected_pet"))
    ssim = [found["metrics"]["mask"]["ssim"]["synthetic"]["mean"] for found in (right, wrong)]
    assert ssim[0] > ssim[1] + 0.05


def test_generators_of_another_cohort_have_no_training_pet_here(study, tmp_path):
    cohort, _ = study
    folder = write_synthetic(cohort, tmp_path / "synthetic", lambda s, _: truth(cohort, s))
    content = [{"index": f.index, "train": ["sub-stranger"], "test": []} for f in read_folds(folder / "folds.json")]
    (folder / "folds.json").write_text(json.dumps(content))
    found = evaluate_synthesis(cohort, folder)["roles"]["paired"]
    assert "memorised" not in found
    assert not found["ignores_t1"]


def test_the_expected_nearest_equals_the_mean_over_all_choices():
    rng = np.random.default_rng(0)
    distances = rng.random(7).tolist()
    drawn = [min(rng.choice(distances, 3, replace=False)) for _ in range(20_000)]
    assert expected_nearest(distances, 3) == pytest.approx(np.mean(drawn), abs=0.005)


def test_more_training_pets_do_not_make_the_nearest_look_nearer():
    rng = np.random.default_rng(1)
    pets = rng.normal(size=(200, 40, 5)).astype(np.float32)
    ratios = [nearest_ratio(p[0], list(p[1:31]), list(p[31:36])) for p in pets]
    assert np.median(ratios) == pytest.approx(1, abs=0.05)
