"""Rival detectors: what they find, what they are blind to, and what they refuse to learn from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from omegaconf import OmegaConf
from scipy import ndimage

from synthpet.cohort import Cohort, Grid, Subject, read_folds, read_image, write_image
from synthpet.cohort.files import sha256, write_json
from synthpet.cohort.images import GridMismatchError
from synthpet.cohort.index import scale_t1w, write_participants
from synthpet.cohort.names import image_path, sidecar_path
from synthpet.cohort.scan import Scan
from synthpet.errors import DataError, DataLeakageError, UsageError
from tests.uad.conftest import edit_json, scan_of, write_synthetic
from uad.detectors.asymmetry import Asymmetry
from uad.detectors.residual import Residual, synthesiser
from uad.detectors.zmap import ZMap
from uad.findings.clusters import ClusterRule, find_clusters
from uad.normative.sets import normative_set

SHAPE = (20, 24, 20)
GRID = Grid.of(SHAPE, np.array([[5.0, 0, 0, -47.5], [0, 5.0, 0, -60], [0, 0, 5.0, -45], [0, 0, 0, 1]]))
INDEX = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
MASK = (INDEX**2).sum(axis=0) < 0.8
N_PAIRED, N_UNPAIRED, N_HELDOUT = 10, 4, 4


def pet_of(t1w):
    """What the generators of these tests have learned."""
    return 1.4 - 0.5 * t1w


def person(seed):
    """T1 and PET: a core of individual size and place that the T1 shows and that lowers the uptake, and noise."""
    rng = np.random.default_rng(seed)
    core = ((INDEX - rng.uniform(-0.15, 0.15, 3)[:, None, None, None]) ** 2).sum(axis=0) < rng.uniform(0.15, 0.3)
    t1w = scale_t1w(0.3 + 0.7 * ndimage.gaussian_filter(core.astype(np.float32), 1), MASK)
    noise = ndimage.gaussian_filter(rng.normal(size=SHAPE), 1) * 0.3
    return t1w, (np.maximum(pet_of(t1w) + noise, 0) * MASK).astype(np.float32)


def write_person(root, participant_id, kind, t1w, pet):
    for name, data in {"t1w": t1w, "brain_mask": MASK, kind: pet}.items():
        write_image(root / image_path(participant_id, name, res="5mm"), data, GRID)


def write_people(root, *, mirrored):
    """Controls of all roles; with ``mirrored`` every second one is the mirror image of the one before."""
    roles = ["paired"] * N_PAIRED + ["unpaired"] * N_UNPAIRED + ["heldout"] * N_HELDOUT
    subjects = [Subject(f"sub-{k:02d}", "control", role) for k, role in enumerate(roles)]
    for k, subject in enumerate(subjects):
        images = person(k // 2 if mirrored else k)
        if mirrored and k % 2:
            images = tuple(image[::-1] for image in images)
        kind = "withheld_pet" if subject.role == "unpaired" else "pet"
        write_person(root, subject.participant_id, kind, *images)
    write_participants(root, subjects, name="test", simulated=True)
    return Cohort.open(root)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    root = tmp_path_factory.mktemp("rivals")
    cohort = write_people(root / "cohort", mirrored=False)
    return cohort, write_synthetic(cohort, root / "synthetic-test", pet_of)


@pytest.fixture(scope="module")
def mirrored_people(tmp_path_factory):
    root = tmp_path_factory.mktemp("mirrored")
    cohort = write_people(root / "cohort", mirrored=True)
    return cohort, write_synthetic(cohort, root / "synthetic-test", pet_of)


def expect(scan):
    return pet_of(scan["t1w"]) * scan.mask


def detector(name, folder, **options):
    options = {"smooth_fwhm_mm": 8.0, **options}
    return {
        "zmap": lambda: ZMap(**options),
        "asymmetry": lambda: Asymmetry(**options),
        "residual": lambda: Residual(folder, expect, **options),
        "mirror": lambda: Residual(folder, expect, mirror=True, **options),
    }[name]()


DETECTORS = ("zmap", "asymmetry", "residual", "mirror")


def lesion():
    """A ball of 3 voxels' radius on the left, away from the core's edge."""
    centre = np.array([4, 12, 9])[:, None, None, None]
    return ((np.indices(SHAPE) - centre) ** 2).sum(axis=0) <= 9


@pytest.mark.parametrize("name", DETECTORS)
def test_a_planted_lesion_ranks_first_and_is_hypometabolic(people, name):
    cohort, folder = people
    found = detector(name, folder).fit(normative_set(cohort, "real"), cohort)
    t1w, pet = person(100)
    maps = found.z_map(scan_of(t1w, np.where(lesion(), 0.6 * pet, pet), MASK))
    clusters, labels = find_clusters(maps["z"], MASK, GRID, ClusterRule(2.3, min_volume_mm3=500), pet_z=maps["z_pet"])
    assert (labels[lesion()] == 1).mean() > 0.5
    assert clusters[0].pet_direction == "hypo" and clusters[0].side == "left"
    assert not maps["z"][~MASK].any()
    assert maps["z"].dtype == np.float32


@pytest.mark.parametrize("name", DETECTORS)
def test_the_direction_decides_which_change_shines(people, name):
    cohort, folder = people
    normative = normative_set(cohort, "real")
    t1w, pet = person(100)
    for factor, shining in ((0.6, {"hypo", "both"}), (1.4, {"hyper", "both"})):
        changed = np.where(lesion(), factor * pet, pet)
        for direction in ("hypo", "hyper", "both"):
            maps = detector(name, folder, direction=direction).fit(normative, cohort).z_map(scan_of(t1w, changed, MASK))
            assert (maps["z"][lesion()].mean() > 2) == (direction in shining)
            assert np.sign(maps["z_pet"][lesion()].mean()) == np.sign(factor - 1)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_mirror_image_of_a_patient_has_the_mirror_image_of_the_map(mirrored_people, name):
    cohort, folder = mirrored_people
    found = detector(name, folder).fit(normative_set(cohort, "real"), cohort)
    t1w, pet = person(100)
    pet = np.where(lesion(), 0.6 * pet, pet)
    maps = found.z_map(scan_of(t1w, pet, MASK))
    flipped = found.z_map(scan_of(t1w[::-1], pet[::-1], MASK))
    for key in ("z", "z_pet"):
        np.testing.assert_allclose(flipped[key], maps[key][::-1], atol=2e-4)
    assert np.abs(maps["z"] - maps["z"][::-1]).max() > 1


@pytest.mark.parametrize("name", DETECTORS)
def test_held_out_controls_are_about_standard_normal(people, name):
    cohort, folder = people
    found = detector(name, folder, smooth_fwhm_mm=0.0).fit(normative_set(cohort, "oracle"), cohort)
    z = np.stack([found.z_map(scan_of(*person(seed), MASK))["z_pet"][MASK] for seed in range(200, 212)])
    assert abs(z.mean()) < 0.15
    assert 0.75 < z.std() < 1.15
    edge = MASK & ~ndimage.binary_erosion(MASK)
    assert np.abs(z[:, edge[MASK]]).mean() < 1.15 * np.abs(z[:, ~edge[MASK]]).mean()


def test_the_asymmetry_index_is_the_textbooks(people):
    cohort, _ = people
    found = Asymmetry(smooth_fwhm_mm=0.0).fit(normative_set(cohort, "real"), cohort)
    pet = np.where(INDEX[0] < 0, 1.1, 0.9) * np.ones(SHAPE)
    index, where = found.measure(scan_of(pet, pet.astype(np.float32), MASK))
    np.testing.assert_allclose(index[MASK & (INDEX[0] < 0)], 20, rtol=1e-5)  # 200 (1.1 - 0.9) / (1.1 + 0.9)
    np.testing.assert_allclose(index[MASK & (INDEX[0] > 0)], -20, rtol=1e-5)
    lopsided = MASK & ~lesion()
    index, where = found.measure(scan_of(pet, pet.astype(np.float32), lopsided))
    np.testing.assert_array_equal(where, lopsided & lopsided[::-1])
    assert not index[~where].any()


def test_the_asymmetry_index_is_blind_to_what_both_sides_share_and_the_z_map_is_not(people):
    cohort, folder = people
    normative = normative_set(cohort, "real")
    t1w, pet = person(100)
    both_sides = lesion() | lesion()[::-1]
    scan = scan_of(t1w, np.where(both_sides, 0.6 * pet, pet), MASK)
    z = {name: detector(name, folder).fit(normative, cohort).z_map(scan)["z"] for name in ("asymmetry", "zmap")}
    assert z["asymmetry"][both_sides].mean() < 1 < 3 < z["zmap"][both_sides].mean()


def test_a_lesion_on_both_sides_is_not_lost_to_the_mirror(people):
    cohort, folder = people
    normative = normative_set(cohort, "real")
    t1w, pet = person(100)
    both = lesion() | lesion()[::-1]
    z = {
        name: detector(name, folder, spread_fwhm_mm=40.0).fit(normative, cohort)
        .z_map(scan_of(t1w, np.where(both, 0.6 * pet, pet), MASK))["z"][both].mean()
        for name in ("residual", "mirror")
    }  # fmt: skip
    assert z["mirror"] > 0.7 * z["residual"] > 2


def test_the_asymmetry_needs_a_grid_that_mirrors(people):
    cohort, _ = people
    normative = normative_set(cohort, "real")
    shifted = Cohort(cohort.root, cohort.subjects, cohort.res)
    shifted.__dict__["grid"] = Grid.of(SHAPE, GRID.matrix + np.eye(4, 4, 3))
    with pytest.raises(GridMismatchError, match="not symmetric"):
        Asymmetry().fit(normative, shifted)


def test_the_residual_forgives_what_the_t1_explains_and_the_z_map_does_not(people):
    cohort, folder = people
    normative = normative_set(cohort, "real")
    t1w, pet = person(100)
    odd = np.where(lesion(), t1w + 0.7, t1w)  # an unusual anatomy whose low uptake is as it should be
    scan = scan_of(odd, pet + pet_of(odd) - pet_of(t1w), MASK)
    z = {name: detector(name, folder).fit(normative, cohort).z_map(scan)["z"] for name in ("residual", "zmap")}
    assert abs(z["residual"][lesion()].mean()) < 1 < 2 < z["zmap"][lesion()].mean()


@pytest.mark.parametrize("name", ["synthetic", "completed", "resampled"])
def test_the_residual_learns_from_the_paired_controls_real_pet_whatever_the_set(people, name):
    cohort, folder = people
    fitted = {
        n: detector("residual", folder).fit(normative_set(cohort, n, folder), cohort).statistics_
        for n in ("real", "oracle", name)
    }
    assert fitted["real"].n.max() == N_PAIRED
    assert fitted["oracle"].n.max() == N_PAIRED + N_UNPAIRED
    np.testing.assert_array_equal(fitted[name].mean, fitted["real"].mean)
    np.testing.assert_array_equal(fitted[name].spread, fitted["real"].spread)


def test_the_residual_names_the_images_that_determine_it(people):
    cohort, folder = people
    synthetic = normative_set(cohort, "synthetic", folder)
    found = set(detector("residual", folder).files(synthetic, cohort))
    assert found == {
        where.path(s.participant_id, kind)
        for s in cohort.select("paired")
        for where, kind in [
            *((cohort, kind) for kind in ("t1w", "brain_mask", "pet")),
            (replace(cohort, root=folder), "synthetic_pet"),
        ]
    }
    assert detector("zmap", folder).files(synthetic, cohort) == synthetic.files()


@pytest.mark.parametrize("name", DETECTORS)
def test_no_detector_learns_from_a_held_out_control(people, name):
    cohort, folder = people
    real = normative_set(cohort, "real")
    held_out = replace(real.members[0], participant_id=cohort.select("heldout")[0].participant_id)
    with pytest.raises(DataLeakageError, match=held_out.participant_id):
        detector(name, folder).fit(replace(real, members=(*real.members, held_out)), cohort)


def test_the_residual_refuses_a_synthetic_pet_by_a_generator_that_saw_the_control(cohort, synthetic_folder):
    victim = read_folds(synthetic_folder / "folds.json")[0].test[0]
    path = sidecar_path(replace(cohort, root=synthetic_folder).path(victim, "synthetic_pet"))
    edit_json(path, Fold=[1], GeneratorSHA256=["1" * 64])
    with pytest.raises(DataLeakageError, match=f"{victim}: made by the generator of fold"):
        Residual(synthetic_folder, expect).fit(normative_set(cohort, "real"), cohort)


@pytest.fixture
def generators(cohort, synthetic_folder, tmp_path):
    """Two untrained generators that the manifest of the synthetic PETs names."""
    import torch

    from synthpet.generators.conditional_gan import build_generator
    from synthpet.generators.trained import CONFIG, save_generator

    folder = tmp_path / "gan-test"
    options = {"channels": [4, 8], "blocks": 1, "stem": 2, "norm": "batch"}
    gan = {"spatial_dims": 3, "patch_size": [16, 16, 16], "coordinates": True, "generator": options}
    hashes = {}
    for k in range(2):
        torch.manual_seed(k)
        (folder / f"fold-{k}").mkdir(parents=True)
        weights = save_generator(build_generator(3, 16, True, options), folder / f"fold-{k}")
        OmegaConf.save({"gan": gan, "precision": "32-true"}, folder / f"fold-{k}" / CONFIG)
        hashes[f"gan-test/fold-{k}/generator.safetensors"] = sha256(weights)
    edit_json(synthetic_folder / "run.json", inputs=hashes)
    for path in synthetic_folder.rglob("*_pet.json"):
        used = json.loads(path.read_text())["Fold"]
        edit_json(path, GeneratorSHA256=[sha256(folder / f"fold-{k}" / "generator.safetensors") for k in used])
    return folder


def manifest_with(folder, **changes):
    made = json.loads((folder / "run.json").read_text())
    write_json(folder / "run.json", {**made, "config": {**made["config"], **changes}})


def test_a_patients_expected_pet_is_the_mean_over_the_folds_generators(cohort, synthetic_folder, generators):
    from synthpet.generators.trained import TrainedGenerator
    from synthpet.template.smoothing import smooth_within

    t1w, mask = cohort.load_t1w("sub-07"), cohort.load_mask("sub-07")
    one, two = (
        TrainedGenerator(generators / f"fold-{k}").synthesise(
            Scan({"t1w": t1w}, mask), cohort.grid.matrix, stride=[8, 8, 8], batch_size=8
        )
        for k in range(2)
    )
    assert np.abs(one - two).max() > 1e-3
    found = synthesiser(generators, synthetic_folder, cohort)(scan_of(t1w, mask=mask))
    np.testing.assert_allclose(found, (one + two) / 2, atol=1e-6)
    manifest_with(synthetic_folder, smooth_fwhm_mm=8.0)
    found = synthesiser(generators, synthetic_folder, cohort)(scan_of(t1w, mask=mask))
    np.testing.assert_allclose(found, smooth_within((one + two) / 2, mask, 8.0, cohort.grid.spacing_mm), atol=1e-6)


def test_the_expected_pet_of_the_cohorts_people_is_read_and_that_of_a_stranger_synthesised(
    cohort, synthetic_folder, generators
):
    source = replace(cohort, root=synthetic_folder)
    t1w, mask = cohort.load_t1w("sub-07"), cohort.load_mask("sub-07")
    before = synthesiser(generators, synthetic_folder, cohort)(scan_of(t1w, mask=mask))
    path = write_image(source.path("sub-07", "synthetic_pet"), pet_of(t1w) * mask, cohort.grid)
    heldout = json.loads(sidecar_path(source.path("sub-06", "synthetic_pet")).read_text())
    write_json(sidecar_path(path), heldout)
    expected = synthesiser(generators, synthetic_folder, cohort)
    for who in ("sub-06", "sub-07"):
        found = expected(scan_of(cohort.load_t1w(who), mask=cohort.load_mask(who)))
        np.testing.assert_array_equal(found, read_image(source.path(who, "synthetic_pet"))[0])
    assert np.abs(before - pet_of(t1w) * mask).max() > 0.1
    stranger = t1w + np.float32(1e-6) * mask
    np.testing.assert_allclose(expected(scan_of(stranger, mask=mask)), before, atol=1e-3)
    write_json(sidecar_path(path), {**heldout, "GeneratorSHA256": ["1" * 64] * 2})
    with pytest.raises(DataLeakageError, match="sub-07: its generator is not that of fold"):
        synthesiser(generators, synthetic_folder, cohort)(scan_of(t1w, mask=mask))


@pytest.mark.parametrize("name", DETECTORS)
def test_no_detector_learns_from_a_patient_although_the_patient_has_a_synthetic_pet(cohort, synthetic_folder, name):
    source = replace(cohort, root=synthetic_folder)
    path = write_image(source.path("sub-07", "synthetic_pet"), cohort.load("sub-07", "pet"), cohort.grid)
    write_json(sidecar_path(path), {"Synthetic": True, "Fold": [0, 1], "GeneratorSHA256": ["0" * 64, "1" * 64]})
    for kind in ("synthetic", "completed"):
        normative = normative_set(cohort, kind, synthetic_folder)
        patient = replace(
            normative.members[-1].put("pet", path, synthetic="pet" if kind == "synthetic" else ""),
            participant_id="sub-07",
        )
        assert "sub-07" not in {member.participant_id for member in normative.members}
        with pytest.raises(DataLeakageError, match=r"sub-07 \(patient, patient\)"):
            detector(name, synthetic_folder).fit(replace(normative, members=(*normative.members, patient)), cohort)


def test_generators_that_did_not_make_the_controls_synthetic_pet_are_refused(cohort, synthetic_folder, generators):
    (generators / "fold-1" / "generator.safetensors").write_bytes(b"another")
    with pytest.raises(DataLeakageError, match=r"other generators than .*fold-1"):
        synthesiser(generators, synthetic_folder, cohort)


def test_a_synthesis_that_cannot_be_repeated_is_refused(cohort, synthetic_folder, generators):
    manifest_with(synthetic_folder, histogram_matching=True)
    with pytest.raises(UsageError, match="histogram_matching"):
        synthesiser(generators, synthetic_folder, cohort)
    (synthetic_folder / "run.json").unlink()
    with pytest.raises(DataError, match="E_MISSING"):
        synthesiser(generators, synthetic_folder, cohort)


def test_generators_of_another_translation_are_refused_for_the_residual(cohort, synthetic_folder, generators):
    config = generators / "fold-0/config.yaml"
    found = OmegaConf.load(config)
    OmegaConf.save(OmegaConf.merge(found, {"gan": {"target": "flair"}}), config)
    with pytest.raises(UsageError, match=r"generators of t1w -> flair; the residual needs t1w -> pet"):
        synthesiser(generators, synthetic_folder, cohort)
