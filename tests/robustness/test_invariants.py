"""What may not change a result.

Tested elsewhere: a PET times 1000 (tests/prepare/test_pet_on_template.py), an identity and a constant generator
(tests/test_inference.py), reference values (tests/uad/test_statistics.py), shuffled pairs and copies
(tests/test_quality_failures.py), the estimators (tests/uad/support), pages without a network (tests/report).
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synthpet.cohort import Grid
from synthpet.generators.conditional_gan import build_generator
from synthpet.generators.crossfit import ensure_generators
from synthpet.generators.patchwise import PatchCover, synthesise
from synthpet.statistics.p_values import conformal_p
from tests.conftest import GRID, ellipsoid, study
from tests.test_training import SMALL
from uad.detectors.zmap import ZMap
from uad.findings.clusters import ClusterRule, find_clusters
from uad.normative.sets import normative_set

SYMMETRIC = Grid.of((21, 24, 20), np.array([[5.0, 0, 0, -50], [0, 5.0, 0, -60], [0, 0, 5.0, -45], [0, 0, 0, 1]]))


@pytest.mark.parametrize("batch_size", [2, 5, 64])
def test_the_patches_beside_a_patch_do_not_change_its_pet(batch_size):
    torch.manual_seed(0)
    network = build_generator(3, 8, False, {"channels": [4, 8]}).eval()
    mask = ellipsoid(0.9)
    t1w = (np.random.default_rng(0).random(GRID.shape) * mask).astype(np.float32)
    cover = PatchCover((8, 8, 8), (4, 4, 4))
    alone = synthesise(network, t1w[None], mask, GRID.matrix, cover, coordinates=False, batch_size=1)
    together = synthesise(network, t1w[None], mask, GRID.matrix, cover, coordinates=False, batch_size=batch_size)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_order_of_the_controls_and_who_was_scored_before_change_no_map(shared_cohort):
    forward = normative_set(shared_cohort, "real")
    backward = replace(forward, members=forward.members[::-1])
    maps = []
    for members in (forward, backward):
        detector = ZMap().fit(members, shared_cohort)
        order = ("sub-06", "sub-07") if members is forward else ("sub-07", "sub-06")
        found = {who: detector.z_map(members.evaluated(shared_cohort, who))["z"] for who in order}
        maps.append(found["sub-07"])
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-4)


def test_flipping_a_patient_left_to_right_flips_the_clusters():
    brain = np.ones(SYMMETRIC.shape, bool)
    z = np.random.default_rng(0).normal(size=SYMMETRIC.shape).astype(np.float32)
    z[3:6, 8:11, 8:11] += 8
    z[14:16, 15:18, 5:8] += 6
    rule = ClusterRule(threshold=3.5, min_volume_mm3=1000.0)
    clusters, labels = find_clusters(z, brain, SYMMETRIC, rule)
    flipped, flipped_labels = find_clusters(z[::-1], brain, SYMMETRIC, rule)
    assert len(clusters) == len(flipped) == 2
    np.testing.assert_array_equal(flipped_labels[::-1], labels)


def test_conformal_p_of_exchangeable_people_is_uniform_and_never_zero():
    rng = np.random.default_rng(0)
    p = np.array([conformal_p(scores[:1], scores[1:])[0] for scores in rng.normal(size=(20_000, 20))])
    assert p.min() == 1 / 20
    share = [(p <= k / 20).mean() for k in range(1, 21)]
    np.testing.assert_allclose(share, np.arange(1, 21) / 20, atol=0.015)


def test_the_same_seed_gives_the_same_bytes(shared_cohort, tmp_path):
    written = []
    for name in ("a", "b"):
        detector = ZMap().fit(normative_set(shared_cohort, "real"), shared_cohort)
        (tmp_path / name).mkdir()
        written.append([path.read_bytes() for path in sorted(detector.save(tmp_path / name))])
    assert written[0] == written[1]


@pytest.mark.slow
def test_c01_processes_and_loaders_change_no_weight(shared_cohort, tmp_path):
    weights = []
    for name, options in (("plain", ()), ("side-by-side", ("compute.n_jobs=2", "trainer.num_workers=2"))):
        cfg = study("train", f"cohort={shared_cohort.root}", f"work_dir={tmp_path / name}", *SMALL, *options)
        ensure_generators(cfg)
        weights.append([path.read_bytes() for path in sorted((tmp_path / name).rglob("generator.safetensors"))])
    assert len(weights[0]) == 2
    assert weights[0] == weights[1]
