"""The detector with generators and the mirror side inside: nobody predicts himself, nothing leaks, nothing is lost."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from omegaconf import OmegaConf

from synthpet.command.main import compose
from synthpet.errors import DataLeakageError, UsageError
from tests.uad.conftest import scan_of
from tests.uad.test_rivals import GRID, INDEX, MASK, SHAPE, expect, lesion, people, person  # noqa: F401
from uad.detectors.base import Assignment
from uad.detectors.latent.conditional import ConditionalDetector
from uad.detectors.latent.judge import Judge
from uad.detectors.latent.local_ridge import LocalRidge, Nodes
from uad.normative.sets import normative_set

NAMES = ("ocsvm_conditional", "zmap_conditional")
WHERE = np.ones((6, 5, 4), bool)
NODES = Nodes(WHERE, (4.0, 4.0, 4.0), 20.0, 0.01)


def options(name="ocsvm_conditional", **changed):
    found = OmegaConf.to_container(compose("uad_evaluate", f"detector={name}").detector, resolve=True)
    found["autoencoder"] |= {"n_steps": 60, "latent_dim": 8}
    return {**found, "n_directions": 2, **changed}


def learned(cohort, synthetic, folder, name="ocsvm_conditional", **changed):
    assignment = Assignment(folder, 0, cohort, "cpu", synthetic, synthetic)
    found = ConditionalDetector(assignment, ConditionalDetector._own(options(name, **changed)), expect)
    return found.fit(normative_set(cohort, "real"), cohort)


@pytest.fixture(scope="module", params=NAMES)
def trained(request, people, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp(request.param)
    return learned(*people, folder, name=request.param), folder


def ridge_by_hand(x, y, weights, penalty):
    """Slopes of one node that sees all voxels alike."""
    scale = np.sqrt((weights[:, None] * x**2).sum(0) / weights.sum())
    xs = x / scale
    products = (weights[:, None] * xs).T @ xs + penalty * weights.sum() * np.eye(x.shape[1])
    return np.linalg.solve(products, (weights[:, None] * xs).T @ y) / scale[:, None]


def test_one_node_is_ridge_regression():
    rng = np.random.default_rng(0)
    n = int(WHERE.sum())
    x, y, weights = rng.normal(size=(n, 3)), rng.normal(size=(n, 2)), rng.uniform(0.5, 1, n)
    nodes = Nodes(WHERE, (1.0, 1.0, 1.0), 1.0, 0.01)
    assert nodes.shape == (1, 1, 1)
    found = nodes.solve(nodes.moments(*(a.astype(np.float32) for a in (x, y, weights))))
    expected = ridge_by_hand(x, y, weights, 0.01)
    np.testing.assert_allclose(found.slopes[0, 0, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(found.predict(x.astype(np.float32)), x @ expected, rtol=1e-3, atol=1e-5)


def test_slopes_follow_the_place():
    """On the left y = x, on the right y = -x."""
    rng = np.random.default_rng(0)
    where = np.ones((40, 6, 6), bool)
    nodes = Nodes(where, (4.0, 4.0, 4.0), 20.0, 1e-3)
    x = rng.normal(size=(where.sum(), 1)).astype(np.float32)
    sign = np.where(np.argwhere(where)[:, :1] < 20, 1, -1)
    found = nodes.solve(nodes.moments(x, (x * sign).astype(np.float32), np.ones(len(x), np.float32)))
    ends = np.abs(np.argwhere(where)[:, 0] - 19.5) > 10
    assert np.abs(found.predict(x)[ends] - (x * sign)[ends]).max() < 0.1


@dataclass
class Settings:
    spread_fwhm_mm: float = 0.0
    direction: str = "hypo"


def test_what_is_left_of_a_control_is_what_a_refit_without_it_leaves():
    """Mean, slopes and all; from the sums of everybody less the control's own."""
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(6, WHERE.sum(), 5)).astype(np.float32)
    raw[..., 0] += 0.8 * raw[..., 3]
    masks = np.ones(raw.shape[:2], bool)
    judge = Judge(NODES, slice(2, 5), 2, Settings())
    left = judge._left_out(raw - raw.mean(axis=0), masks)
    for i in range(len(raw)):
        others = np.delete(raw, i, axis=0)
        dev = others - others.mean(axis=0)
        total = sum(NODES.moments(one[:, 2:5], one[:, :2], np.ones(len(one), np.float32)) for one in dev)
        own = raw[i] - others.mean(axis=0)
        expected = own[:, :2] - NODES.solve(total).predict(own[:, 2:5])
        np.testing.assert_allclose(left[i] * 6 / 5, expected, atol=2e-4)  # about the mean of the five others


def test_a_lesion_on_one_side_and_one_on_both_sides_stand_out(people, trained):  # noqa: F811
    found, _ = trained
    t1w, pet = person(100)
    both = lesion() | lesion()[::-1]
    for where in (lesion(), both):
        maps = found.z_map(scan_of(t1w, np.where(where, 0.6 * pet, pet), MASK))
        assert maps["z"][where].mean() > 2 + maps["z"][MASK & ~both].mean()
        assert maps["z_pet"][where].mean() < -1 and not maps["z"][~MASK].any()
        assert maps["z"].dtype == np.float32 and maps["z"].shape == SHAPE


def test_less_uptake_shines_and_more_does_not(trained):
    found, _ = trained
    t1w, pet = person(100)
    less, more = (found.z_map(scan_of(t1w, np.where(lesion(), f * pet, pet), MASK)) for f in (0.6, 1.4))
    assert less["z"][lesion()].mean() > 3 * max(0.1, more["z"][lesion()].mean())
    assert more["z_pet"][lesion()].mean() > 1


@pytest.mark.slow
def test_without_machines_the_map_is_what_is_left_along_the_first_direction(people, tmp_path):  # noqa: F811
    """Of each direction looked for; with as without machines, what is left is the same."""
    t1w, pet = person(100)
    scan = scan_of(t1w, np.where(lesion(), 0.6 * pet, pet), MASK)
    found = {
        (name, direction): learned(*people, tmp_path / name / direction, name, direction=direction, mirror=False).z_map(
            scan
        )
        for name, direction in (*((NAMES[1], d) for d in ("hypo", "hyper", "both")), (NAMES[0], "hypo"))
    }
    signed = found[NAMES[0], "hypo"]["z_pet"]
    for direction, expected in {"hypo": -signed, "hyper": signed, "both": np.abs(signed)}.items():
        maps = found[NAMES[1], direction]
        np.testing.assert_allclose(maps["z"], expected, atol=1e-5)
        np.testing.assert_allclose(maps["z_pet"], signed, atol=1e-5)


def test_saved_and_read_it_gives_the_same_maps(people, trained):  # noqa: F811
    found, folder = trained
    written = found.save(folder)
    assert all(path.is_file() for path in written) and not list(folder.glob("sub-*.npy"))
    again = ConditionalDetector(found.assignment, found.options, expect)
    again.restore(folder, people[0])
    scan = scan_of(*person(101), MASK)
    for name, values in found.z_map(scan).items():
        np.testing.assert_allclose(again.z_map(scan)[name], values, atol=1e-5)
    assert isinstance(again.judges_["mirror"].ridge, LocalRidge)


def test_controls_left_out_look_like_people_never_seen(people, trained):  # noqa: F811
    """Neither narrower, as those look who predict themselves, nor wider."""
    found, _ = trained
    left = [judged.less[MASK] for judged in found.left_out_[0]]
    new = [found.z_map(scan_of(*person(200 + k), MASK))["z_pet"][MASK] for k in range(10)]
    assert np.std(left) == pytest.approx(np.std(new), rel=0.25)


def test_nobody_outside_the_controls_is_learned_from(people, tmp_path):  # noqa: F811
    cohort, synthetic = people
    normative = normative_set(cohort, "real")
    heldout = cohort.select("heldout")[0].participant_id
    stranger = replace(normative.members[0], participant_id=heldout)
    found = ConditionalDetector(
        Assignment(tmp_path, 0, cohort, "cpu", synthetic, synthetic), ConditionalDetector._own(options()), expect
    )
    with pytest.raises(DataLeakageError, match=heldout):
        found.fit(replace(normative, members=(*normative.members, stranger)), cohort)
    files = found.files(normative, cohort)
    assert {path.name.split("_")[0] for path in files} == {m.participant_id for m in normative.members}


@pytest.mark.parametrize(
    "changed", [{"autoencoder": {"modalities": ["pet"]}}, {"autoencoder": {"branches": "joint"}}, {"smooth_fwhm_mm": 3}]
)
def test_options_that_cannot_work_are_refused(changed):
    with pytest.raises(UsageError):
        ConditionalDetector.check(options(**changed))


def test_without_synthetic_pet_it_is_refused(people, tmp_path):  # noqa: F811
    with pytest.raises(UsageError, match="needs synthetic PET"):
        ConditionalDetector.of(options(), Assignment(tmp_path, 0, people[0]))
