"""Uptake by gyrus and nucleus: against an independent computation, and what is left out."""

import io
import threading
from dataclasses import replace

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from synthpet.cohort import Grid
from synthpet.cohort.files import read_tsv
from synthpet.cohort.scan import Scan
from synthpet.report.display import Display
from synthpet.statistics.single_case import against_controls
from synthpet.template.gyri import gyrus_of, gyrus_points, named_gyri
from synthpet.template.icbm import template_grid, template_images
from synthpet.template.regions import grey_matter
from tests.conftest import write_cohort
from uad.evaluation.run import write_regions
from uad.findings.records import Findings
from uad.normative.regional import RegionalControls, regional_controls, regional_suvr
from uad.normative.sets import Member, normative_set
from uad.patient.regions import SHOWN, asymmetry_percent, regional_parts, regional_uptake, regional_words, usually_far
from uad.pictures.regional import regional_map

GRID = template_grid(4.0)
BRAIN = template_images(GRID).brain_mask
NAMES = gyrus_points().names
LOWERED, FACTOR = "middle temporal", 0.8


def person(seed: int) -> Scan:
    """PET of a person: noise of the whole, of each region and of each voxel."""
    rng, mask, labels = np.random.default_rng(seed), BRAIN, named_gyri(GRID).labels
    of_region = 1 + 0.015 * rng.standard_normal(labels.max() + 1)
    pet = (1 + 0.02 * rng.standard_normal()) * of_region[labels] + 0.05 * rng.standard_normal(GRID.shape)
    return Scan({"t1w": pet.astype(np.float32), "pet": (pet * mask).astype(np.float32)}, mask)


def findings(scan: Scan) -> Findings:
    empty = np.zeros(GRID.shape, np.int16)
    return Findings(scan, {"z": empty.astype(np.float32)}, empty, [])


def lowered(scan: Scan, side: str) -> Scan:
    where = named_gyri(GRID).labels == 1 + named_gyri(GRID).names.index(f"{side} {LOWERED}")
    return scan.put(pet=np.where(where, np.float32(FACTOR) * scan["pet"], scan["pet"]))


@pytest.fixture(scope="module")
def controls() -> list[Scan]:
    return [person(seed) for seed in range(12)]


def regional(scans: list[Scan]) -> RegionalControls:
    return RegionalControls(np.stack([regional_suvr(s["pet"], s.mask, GRID) for s in scans]), measured=True)


def by_hand(scans: list[Scan]) -> pd.DataFrame:
    """Mean SUVR, (people, (region, side)), voxel by voxel from the points themselves."""
    voxels = np.argwhere(grey_matter(GRID))
    label = gyrus_of((voxels @ GRID.matrix[:3, :3].T + GRID.matrix[:3, 3]).T)
    columns = {0: ("", "")} | {
        1 + 2 * k + right: (name, side) for k, name in enumerate(NAMES) for right, side in enumerate(("left", "right"))
    }
    people = []
    for scan in scans:
        table = pd.DataFrame({"pet": scan["pet"][tuple(voxels.T)], "brain": scan.mask[tuple(voxels.T)], "label": label})
        people.append(table[table.brain & (table.label > 0)].astype({"pet": float}).groupby("label").pet.mean())
    found = pd.DataFrame(people).reset_index(drop=True)
    found.columns = pd.MultiIndex.from_tuples([columns[label] for label in found.columns])
    return found


def z_by_hand(value: float, others: np.ndarray) -> float:
    """Of Crawford and Howell: the percentile of a t with n - 1 degrees of freedom, as a z."""
    n = len(others)
    t = (value - np.mean(others)) / (np.std(others, ddof=1) * np.sqrt((n + 1) / n))
    return float(stats.norm.ppf(stats.t.cdf(t, n - 1)))


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_region_lowered_by_a_fifth_comes_first_with_the_numbers_of_an_independent_computation(controls, side):
    scan = lowered(person(50), side)
    found = regional_uptake(findings(scan), regional(controls), GRID)
    first = {row.side: row for row in found.rows[:2]}
    assert {row.region for row in first.values()} == {LOWERED}
    normal, own = by_hand(controls), by_hand([scan]).iloc[0]
    for row in found.rows:
        others = normal[row.region, row.side].to_numpy()
        assert row.n_controls == 12
        assert row.suvr == pytest.approx(own[row.region, row.side], rel=1e-5)
        assert row.controls_mean == pytest.approx(others.mean(), rel=1e-5)
        assert row.controls_sd == pytest.approx(others.std(ddof=1), rel=1e-4)
        assert row.change_percent == pytest.approx(100 * (own[row.region, row.side] / others.mean() - 1), abs=1e-3)
        assert row.z == pytest.approx(z_by_hand(own[row.region, row.side], others), abs=1e-3)
        left, right = normal[row.region, "left"], normal[row.region, "right"]
        usual = (200 * (left - right) / (left + right)).to_numpy()
        a, b = own[row.region, "left"], own[row.region, "right"]
        assert row.asymmetry_percent == pytest.approx(200 * (a - b) / (a + b), abs=1e-3)
        assert row.asymmetry_z == pytest.approx(z_by_hand(200 * (a - b) / (a + b), usual), abs=1e-3)
    assert first[side].z < -2 and first[side].change_percent < -10
    sign = -1 if side == "left" else 1
    assert sign * first[side].asymmetry_z > 2 and sign * first[side].asymmetry_percent > 10


def test_the_regions_are_in_the_order_of_their_largest_deviation(controls):
    found = regional_uptake(findings(lowered(person(50), "left")), regional(controls), GRID)
    names = list(dict.fromkeys(row.region for row in found.rows))
    largest = [
        max(abs(z) for row in found.rows if row.region == name for z in (row.z, row.asymmetry_z)) for name in names
    ]
    assert largest == sorted(largest, reverse=True)
    assert [row.side for row in found.rows] == ["left", "right"] * len(names)
    assert "pallidum" not in names and len(names) == len(NAMES) - 1  # next to no grey matter in the template


def test_how_many_regions_lie_far_in_the_controls_is_counted_without_each_control(controls):
    normal = by_hand(controls).drop(columns=["pallidum"], level=0)
    expected = [
        sum(abs(z_by_hand(normal.iloc[k][c], normal.drop(index=k)[c].to_numpy())) > 2 for c in normal)
        for k in range(12)
    ]
    assert usually_far(regional(controls).suvr).tolist() == expected and sum(expected) > 0
    found = regional_uptake(findings(person(51)), regional(controls), GRID)
    words = " ".join(regional_words(found))
    assert "of 84 regions lie beyond |z| = 2 in this person, against 12 controls with measured PET" in words
    assert f"{np.mean(expected):.1f} do on average ({min(expected)} to {max(expected)})" in words
    assert "too large" not in words


def test_healthy_people_have_a_normal_z_however_few_the_controls():
    rng = np.random.default_rng(0)
    for n in (3, 5, 20):
        z = against_controls(rng.normal(1.2, 0.1, 20_000), rng.normal(1.2, 0.1, (n, 20_000))).z
        assert stats.kstest(z, "norm").pvalue > 0.01
        assert 100 * np.mean(np.abs(z) > 2) == pytest.approx(4.55, abs=0.5)


def test_what_the_pet_does_not_cover_is_left_out(controls):
    scan = person(52)
    high = np.indices(GRID.shape)[2] * GRID.spacing_mm[2] + GRID.matrix[2, 3] > -20  # the PET begins above
    cut = scan.put(pet=np.where(high, scan["pet"], 0).astype(np.float32))
    found = regional_uptake(findings(cut), regional(controls), GRID)
    names = {row.region for row in found.rows}
    assert "precentral" in names and not names & {"cerebellar cortex", "temporal pole"}
    assert "cerebellar cortex" not in regional_parts(found, Display())[-1].caption
    cut_controls = [s.put(pet=np.where(high, s["pet"], 0).astype(np.float32)) for s in controls]
    low = [r for r in regional_uptake(findings(scan), regional(cut_controls), GRID).rows if r.region == "temporal pole"]
    assert [(row.n_controls, row.controls_mean, row.z, row.asymmetry_z) for row in low] == [(0, None, None, None)] * 2


def test_one_side_outside_the_brain_mask_leaves_the_other(controls):
    scan = person(53)
    left = np.indices(GRID.shape)[0] * GRID.spacing_mm[0] + GRID.matrix[0, 3] < 0
    found = regional_uptake(findings(replace(scan, mask=scan.mask & ~left)), regional(controls), GRID)
    assert {row.side for row in found.rows} == {"right"}
    assert all(row.z is not None and row.asymmetry_z is None for row in found.rows)
    assert regional_parts(found, Display())[-1].rows[0][1:3] == ["–", "–"]


def test_without_a_pet_or_without_controls_there_is_no_section(controls):
    scan, normal = person(54), regional(controls)
    assert regional_uptake(findings(Scan({"t1w": scan["t1w"]}, scan.mask)), normal, GRID) is None
    assert regional_uptake(findings(scan), None, GRID) is None
    assert regional_uptake(findings(scan), RegionalControls(np.zeros((0, len(NAMES), 2)), True), GRID) is None
    assert regional_uptake(findings(replace(scan, mask=np.zeros(GRID.shape, bool))), normal, GRID) is None
    assert regional_parts(None, Display()) == []


def test_controls_who_do_not_differ_judge_nobody(controls):
    found = regional_uptake(findings(person(55)), regional([controls[0]] * 5), GRID)
    assert {row.z for row in found.rows} == {None} and np.isnan(found.z).all()
    assert regional_words(found) == [
        "No region was judged: 5 controls with measured PET are too few, or do not differ."
    ]


def test_the_page_shows_twelve_and_says_where_the_others_are(controls, tmp_path):
    found = regional_uptake(findings(person(56)), regional(controls), GRID)
    *_, picture, table = regional_parts(found, Display())
    assert len(table.rows) == SHOWN and "The other 30 are in regions.tsv." in table.caption
    assert picture.image.startswith(b"\x89PNG")
    tsv, about = write_regions(tmp_path, found)
    rows = read_tsv(tsv)
    assert len(rows) == 84 and list(rows[0]) == list(pd.read_json(about, typ="series").index)
    assert [row[0] for row in table.rows] == [row["region"] for row in rows[: 2 * SHOWN : 2]]
    assert float(rows[0]["z"]) == pytest.approx(found.rows[0].z, abs=1e-4)
    assert write_regions(tmp_path, None) == []


@pytest.mark.parametrize(("convention", "half"), [("neurological", 0), ("radiological", 1)])
def test_less_uptake_on_the_left_is_blue_where_the_convention_puts_the_left(convention, half):
    z = np.zeros((len(NAMES), 2))
    z[:, 0] = -4
    picture = matplotlib.image.imread(io.BytesIO(regional_map(z, Display(convention))))[..., :3]
    first = picture[:, : int(picture.shape[1] * 7.6 / 8.4 / 6)]  # the first slice of each row
    blue = (first[..., 2] - first[..., 0] > 0.3).sum(axis=0)
    halves = [part.sum() for part in np.array_split(blue, 2)]
    assert halves[half] > 100 and halves[1 - half] < 0.02 * halves[half]


def test_measured_pet_is_preferred_and_synthetic_pet_is_told(tmp_path):
    cohort = write_cohort(tmp_path / "cohort")
    real = normative_set(cohort, "real")
    found = regional_controls(real)
    assert found.measured and len(found.suvr) == 4
    mixed = [_synthetic(member) if k > 2 else member for k, member in enumerate(real.members)]
    assert len(regional_controls(replace(real, members=tuple(mixed))).suvr) == 3  # those who were measured
    mixed = [_synthetic(member) if k > 1 else member for k, member in enumerate(real.members)]
    few = regional_controls(replace(real, members=tuple(mixed)))
    assert len(few.suvr) == 4 and not few.measured
    assert regional_controls(replace(real, images=("t1w",))) is None
    words = regional_words(_uptake(few, cohort.grid))
    assert "PET of some of them synthetic" in words[0] and "these z are too large" in words[1]


def _synthetic(member: Member) -> Member:
    return member.put("pet", member.path("pet"), synthetic="pet")


def _uptake(controls: RegionalControls, grid: Grid):
    image = np.where(template_images(grid).brain_mask, 1.1, 0).astype(np.float32)
    scan = Scan({"t1w": image, "pet": image}, image > 0)
    empty = np.zeros(grid.shape, np.int16)
    return regional_uptake(Findings(scan, {}, empty, []), controls, grid)


def test_the_controls_are_read_once_for_patients_who_are_examined_side_by_side(tmp_path, monkeypatch):
    real, read = normative_set(write_cohort(tmp_path / "cohort"), "real"), []
    load = type(real).load
    monkeypatch.setattr(type(real), "load", lambda self, member: read.append(member) or load(self, member))
    threads = [threading.Thread(target=regional_controls, args=(real,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 4 and all([name for name, _ in member.images] == ["pet"] for member in read)


def test_asymmetry_and_single_case_by_known_answers():
    assert asymmetry_percent(np.array([[0.9, 1.1], [np.nan, 1.0], [0.0, 0.0]])) == pytest.approx(
        [-20, np.nan, np.nan], nan_ok=True
    )
    case = against_controls(np.array([3.0, 3.0]), np.array([[1.0, np.nan], [2.0, 1.0], [3.0, np.nan]]))
    assert (case.n.tolist(), case.mean.tolist()) == ([3, 1], [2.0, 1.0])
    assert case.sd[0] == 1 and np.isnan(case.sd[1])
    assert case.z[0] == pytest.approx(z_by_hand(3.0, np.array([1.0, 2.0, 3.0]))) and np.isnan(case.z[1])
