"""The comparison of simulated with real people: its figures on people of known differences, its page, its bars."""

import numpy as np
import pytest

from synthpet.cohort.files import read_tsv
from synthpet.phantom.realism.compare import Figure
from synthpet.phantom.realism.page import ensure_realism, make_page
from synthpet.phantom.realism.people import Seen
from synthpet.phantom.realism.uptake import (
    asymmetry_sd,
    correlation_by_distance,
    explained_by_expected,
    explained_by_volume,
    mirror_correlation,
    regional_table,
    slopes,
    spread,
)
from synthpet.phantom.variation import real_people
from tests.conftest import study

N = len(real_people().names)


def draw(n: int, seed: int = 0) -> list[Seen]:
    """People whose sides share 3/4 of a variance of 0.06^2, lose 0.02 a decade, and follow what is expected by half."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(n):
        age = rng.uniform(18, 49)
        both, own = rng.normal(size=(N, 1)), rng.normal(size=(N, 2))
        uptake = 0.06 * (np.sqrt(0.75) * both + np.sqrt(0.25) * own)
        expected = uptake + 0.06 * rng.normal(size=(N, 2))
        volume = 10 + rng.normal(size=(N, 2))
        t1w, mask = rng.normal(size=(4, 4, 4)).astype(np.float16), np.ones((4, 4, 4), bool)
        people.append(Seen(age, uptake - 0.002 * (age - 33), expected, volume, t1w, mask))
    return people


def test_differences_that_were_put_in_are_measured():
    people = draw(400)
    uptake = np.stack([seen.uptake + 0.002 * (seen.age - 33) for seen in people])
    assert np.median(spread(uptake)) == pytest.approx(0.06, rel=0.03)
    assert np.median(mirror_correlation(uptake)) == pytest.approx(0.75, abs=0.03)
    assert np.median(asymmetry_sd(uptake)) == pytest.approx(0.06 * np.sqrt(0.5), rel=0.03)
    assert np.median(slopes(people)) == pytest.approx(-0.02, abs=0.004)
    assert np.abs(correlation_by_distance(uptake)).max() < 0.03
    assert np.median(explained_by_volume(people)) == pytest.approx(0.0876, abs=0.03)  # what age explains of it
    assert 0.4 < np.median(explained_by_expected(people)) < 0.6


def test_a_figure_is_held_within_15_percent():
    assert Figure.of("SD", 0.114, 0.1, "somebody").held
    assert not Figure.of("SD", 0.116, 0.1, "somebody").held


def test_the_page_says_what_was_missed_and_that_nobody_is_real():
    people = draw(30)
    figures = [Figure.of("SD of something", 2.0, 1.0, "somebody"), Figure.of("held thing", 1.0, 1.0, "somebody")]
    text = make_page(figures, regional_table(people), "syn", [20, 10]).render()
    assert "1 of 2 held figures agree" in text
    assert "Missed: SD of something." in text
    assert "SIMULATED" in text
    assert "cerebellar cortex" in text


@pytest.mark.slow
@pytest.mark.parametrize("anatomy", ["syn", "affine"])
def test_simulated_people_differ_as_real_ones_do(tmp_path, anatomy):
    """Every held figure within its tolerance, for 60 people of 18 to 49 years and 60 older ones."""
    page = ensure_realism(study("phantom", f"work_dir={tmp_path}", "realism=true", f"anatomy={anatomy}"))
    rows = read_tsv(page.parent / "figures.tsv")
    missed = [row["name"] for row in rows if row["held"] == "False"]
    assert len([row for row in rows if row["held"] != "n/a"]) >= 8
    assert not missed
