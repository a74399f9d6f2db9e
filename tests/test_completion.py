"""The completed control set: who is synthesised by whom, and what the files say of themselves."""

import json
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from synthpet.cohort import Fold, Subject, read_folds, read_image, write_image
from synthpet.cohort.files import sha256
from synthpet.cohort.index import write_participants
from synthpet.cohort.names import image_path
from synthpet.cohort.scan import Scan
from synthpet.completion.write import (
    completed_folder,
    draw_donors,
    ensure_completed,
    generators_of,
    generators_source,
    match_histogram,
)
from synthpet.errors import DataError, DataLeakageError, UsageError
from synthpet.generators.crossfit import generator_folder
from synthpet.generators.trained import TrainedGenerator, load_generator
from synthpet.template.smoothing import smooth_within
from tests.conftest import study, write_cohort
from tests.test_training import configure  # the same small configuration


@pytest.fixture(scope="module")
def completed(shared_cohort, tmp_path_factory):
    cfg = configure(shared_cohort, tmp_path_factory.mktemp("work"), "complete.residual=resampled")
    return cfg, ensure_completed(cfg)


def synthetic(folder, participant_id, kind="desc-synthetic_pet"):
    return next((folder / participant_id / "pet").glob(f"*{kind}.nii.gz"))


def people_with(folder, kind):
    return {path.name.split("_")[0] for path in folder.rglob(f"*desc-{kind}_pet.nii.gz")}


def test_everybody_gets_a_synthetic_pet_but_a_residual_is_added_to_those_of_controls_only(completed, shared_cohort):
    _, folder = completed
    assert people_with(folder, "synthetic") == {s.participant_id for s in shared_cohort.subjects}
    controls = {s.participant_id for s in shared_cohort.subjects if s.group == "control"}
    assert people_with(folder, "syntheticresampled") == controls


def test_only_means_over_generators_have_an_uncertainty(completed, shared_cohort):
    _, folder = completed
    found = people_with(folder, "uncertainty")
    assert found == {s.participant_id for s in shared_cohort.select("unpaired", "heldout", "patient")}


def test_a_patients_pet_is_the_mean_over_the_generators_of_all_folds(completed, shared_cohort):
    cfg, folder = completed
    t1w, mask = shared_cohort.load_t1w("sub-07"), shared_cohort.load_mask("sub-07")
    pets = [
        TrainedGenerator(generator_folder(cfg) / f"fold-{k}").synthesise(
            Scan({"t1w": t1w}, mask),
            shared_cohort.grid.matrix,
            stride=cfg.gan.stride,
            batch_size=cfg.complete.batch_size,
        )
        for k in range(2)
    ]
    np.testing.assert_allclose(read_image(synthetic(folder, "sub-07"))[0], np.mean(pets, axis=0), atol=1e-5)


def test_a_paired_controls_pet_comes_from_the_generator_that_never_saw_it(completed, shared_cohort):
    cfg, folder = completed
    folds = read_folds(folder / "folds.json")
    for subject in shared_cohort.select("paired"):
        image = synthetic(folder, subject.participant_id)
        sidecar = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
        (k,) = sidecar["Fold"]
        assert subject.participant_id in folds[k].test
        assert subject.participant_id not in folds[k].train
        assert sidecar["GeneratorSHA256"] == [sha256(generator_folder(cfg) / f"fold-{k}" / "generator.safetensors")]


def test_a_synthetic_pet_says_so_in_name_sidecar_and_header(completed):
    _, folder = completed
    images = sorted(folder.rglob("*_pet.nii.gz"))
    assert images
    for image in images:
        sidecar = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
        assert sidecar["Synthetic"] is True
        assert b"SYNTHETIC" in nib.load(image).header["descrip"].tobytes()
        assert "synthetic" in image.name or "uncertainty" in image.name
    assert json.loads((folder / "dataset_description.json").read_text())["Synthetic"] is True


def test_the_synthetic_pet_lies_on_the_cohorts_grid_and_in_the_brain(completed, shared_cohort):
    _, folder = completed
    pet, _ = read_image(synthetic(folder, "sub-04"), grid=shared_cohort.grid)
    assert not pet[~shared_cohort.load_mask("sub-04")].any()


def test_a_resampled_pet_adds_the_residual_of_its_donor(completed, shared_cohort):
    _, folder = completed
    image = synthetic(folder, "sub-04", "desc-syntheticresampled_pet")
    donor = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())["ResidualOf"]
    residual = shared_cohort.load(donor, "pet") - read_image(synthetic(folder, donor))[0]
    plain, resampled = read_image(synthetic(folder, "sub-04"))[0], read_image(image)[0]
    inside = shared_cohort.load_mask("sub-04") & shared_cohort.load_mask(donor) & (resampled > 0)
    np.testing.assert_allclose((resampled - plain)[inside], residual[inside], atol=1e-5)


def test_a_second_run_is_up_to_date_and_a_changed_generator_is_noticed(shared_cohort, tmp_path, capsys):
    cfg = configure(shared_cohort, tmp_path)
    folder = ensure_completed(cfg)
    before = synthetic(folder, "sub-04").read_bytes()
    ensure_completed(cfg)
    assert "synthetic PET patch3d: up to date" in capsys.readouterr().out
    weights = generator_folder(cfg) / "fold-0" / "generator.safetensors"
    save_file({name: tensor * 1.5 for name, tensor in load_file(weights).items()}, weights)
    manifest = weights.with_name("run.json")  # as if fold 0 had been trained again
    record = json.loads(manifest.read_text())
    record["outputs"][weights.name] = {"bytes": weights.stat().st_size, "sha256": sha256(weights)}
    manifest.write_text(json.dumps(record))
    ensure_completed(cfg)
    assert synthetic(folder, "sub-04").read_bytes() != before


def test_a_control_in_no_or_in_two_test_sets_is_a_leak(shared_cohort):
    subject = shared_cohort.select("paired")[0]
    name = subject.participant_id
    nowhere, twice = [Fold(0, (), ("sub-01",))], [Fold(0, (), (name,)), Fold(1, (), (name,))]
    for folds in (nowhere, twice, [Fold(0, (name,), (name,))]):
        with pytest.raises(DataLeakageError, match=name):
            generators_of(subject, folds)


def test_donors_are_others_and_serve_equally_often():
    ids = [f"sub-{k}" for k in range(10)]
    drawn = draw_donors(ids, ids[:4], np.random.default_rng(0))
    assert all(donor != participant for donor, participant in zip(drawn, ids, strict=True))
    counts = [drawn.count(donor) for donor in ids[:4]]
    assert max(counts) - min(counts) <= 1
    with pytest.raises(UsageError, match="at least 2"):
        draw_donors(ids, ids[:1], np.random.default_rng(0))


def test_an_unknown_residual_option_is_refused(shared_cohort, tmp_path):
    with pytest.raises(UsageError, match="expected one of resampled, none"):
        ensure_completed(configure(shared_cohort, tmp_path, "complete.residual=foo"))


def test_smoothing_within_a_mask_keeps_a_constant_and_lowers_the_variance():
    rng = np.random.default_rng(0)
    mask = np.zeros((20, 20, 20), bool)
    mask[3:17, 3:17, 3:17] = True
    noise = rng.standard_normal(mask.shape).astype(np.float32)
    constant = smooth_within(np.ones_like(noise), mask, 8.0, (2.0, 2.0, 2.0))
    np.testing.assert_allclose(constant, mask, atol=1e-5)
    smooth = smooth_within(noise, mask, 8.0, (2.0, 2.0, 2.0))
    assert smooth[mask].std() < 0.3 * noise[mask].std()


def test_histogram_matching_gives_the_reference_distribution_and_keeps_the_order():
    rng = np.random.default_rng(0)
    pet = rng.random((10, 10, 10)).astype(np.float32)
    mask = pet > 0.1
    reference = rng.normal(1, 0.3, 5000).astype(np.float32)
    matched = match_histogram(pet, mask, reference)
    deciles = [0.1, 0.5, 0.9]
    np.testing.assert_allclose(np.quantile(matched[mask], deciles), np.quantile(reference, deciles), atol=0.05)
    assert (np.diff(matched[mask][np.argsort(pet[mask])]) >= 0).all()


def test_generators_of_another_cohort_serve_everybody_and_never_their_own(completed, shared_cohort, tmp_path):
    cfg, _ = completed
    other = write_cohort(tmp_path / "other", first_seed=100)
    source = f"complete.generators={generator_folder(cfg)}"
    folder = ensure_completed(configure(other, tmp_path / "work", source))
    image = synthetic(folder, "sub-00")
    sidecar = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
    assert sidecar["Fold"] == [0, 1]
    assert list(folder.rglob("*desc-syntheticresampled_pet.nii.gz"))  # residuals of its own paired controls
    with pytest.raises(DataLeakageError, match="sub-00, sub-01, sub-02, sub-03"):
        ensure_completed(configure(shared_cohort, tmp_path / "own", source))


def test_a_cohort_of_t1s_alone_is_completed_without_residuals(completed, tmp_path):
    cfg, _ = completed
    other = write_cohort(tmp_path / "other", first_seed=100)
    table = other.root / "participants.tsv"
    table.write_text(table.read_text().replace("\tpaired", "\tunpaired"))
    folder = ensure_completed(configure(other, tmp_path / "work", f"complete.generators={generator_folder(cfg)}"))
    assert len(list(folder.rglob("*desc-synthetic_pet.nii.gz"))) == 8
    assert not list(folder.rglob("*desc-syntheticresampled_pet.nii.gz"))


@pytest.fixture
def generators(completed, tmp_path):
    """A copy of a folder of generators."""
    return shutil.copytree(generator_folder(completed[0]), tmp_path / "gan-patch3d")


@pytest.mark.parametrize("name", ["generator.safetensors", "config.yaml"])
def test_a_generator_with_a_changed_byte_is_not_used(generators, tmp_path, name):
    other = write_cohort(tmp_path / "other", first_seed=100)
    path = generators / "fold-1" / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"E_CHANGED .*fold-1/{name}: SHA-256 \w+; expected \w+, as it was written"):
        ensure_completed(configure(other, tmp_path / "work", f"complete.generators={generators}"))
    assert not (tmp_path / "work" / "synthetic-patch3d").exists()


def test_weights_that_are_no_numbers_synthesise_nothing(generators):
    weights = generators / "fold-0" / "generator.safetensors"
    save_file({name: tensor * float("nan") for name, tensor in load_file(weights).items()}, weights)
    (generators / "fold-0" / "run.json").unlink()
    with pytest.raises(DataError, match=r"E_MODEL .*tensors hold values that are not numbers"):
        load_generator(TrainedGenerator(generators / "fold-0"))


def test_people_are_told_by_their_voxels_whatever_the_file(generators, shared_cohort, tmp_path):
    """The same scans under other names, in other gzip streams, with another header: the guard knows them."""
    names = {"sub-00": "sub-90", "sub-03": "sub-93"}
    other = write_cohort(tmp_path / "other", first_seed=100)
    for who, name in names.items():
        for kind in ("t1w", "pet", "brain_mask"):
            data, grid = read_image(shared_cohort.path(who, kind))
            write_image(other.root / image_path(name, kind, res="5mm"), data, grid, description="somebody else")
    strangers = [replace(s, participant_id=names.get(s.participant_id, s.participant_id)) for s in other.subjects]
    write_participants(other.root, strangers, name="other", simulated=True)
    with pytest.raises(DataLeakageError, match=r"was trained on sub-90, sub-93;"):
        ensure_completed(configure(other, tmp_path / "work", f"complete.generators={generators}"))


def test_a_mistyped_folder_of_generators_is_named_with_what_is_there(generators, shared_cohort, tmp_path):
    for wrong in (tmp_path / "gan-patch2d", tmp_path):
        with pytest.raises(UsageError, match=rf"complete.generators={wrong}: .*there is {generators}"):
            ensure_completed(configure(shared_cohort, tmp_path / "work", f"complete.generators={wrong}"))
    assert not (tmp_path / "work").exists()


def test_generators_of_another_study_are_those_that_expect_a_patients_pet_too(tmp_path):
    """The residual subtracts what the same generators expect that made the controls' synthetic PET."""
    own = study("uad_train", f"work_dir={tmp_path}", "detector=residual")
    assert generators_source(own) == generator_folder(own)
    elsewhere = tmp_path / "elsewhere" / "gan-patch3d"
    elsewhere.mkdir(parents=True)
    (elsewhere / "folds.json").write_text("[]")
    assert generators_source(study("uad_train", "detector=residual", f"complete.generators={elsewhere}")) == elsewhere


def test_an_unpaired_control_who_trained_is_synthesised_by_the_generator_that_did_not_see_them():
    folds = (Fold(0, ("sub-u1", "sub-p1"), ("sub-u2",)), Fold(1, ("sub-u2", "sub-p1"), ("sub-u1",)))
    assert generators_of(Subject("sub-u1", "control", "unpaired"), folds) == [1]
    assert generators_of(Subject("sub-u3", "control", "unpaired"), folds) == [0, 1]


def test_folders_of_another_translation_say_so(shared_cohort, tmp_path):
    usual = configure(shared_cohort, tmp_path)
    other = replace(usual, gan=replace(usual.gan, sources=("t1w", "flair"), target="pet"))
    assert completed_folder(usual).name == f"synthetic-{usual.gan.name}"
    assert completed_folder(other).name == f"synthetic-{usual.gan.name}-t1w+flair-to-pet"
    assert generator_folder(other).name == f"gan-{usual.gan.name}-t1w+flair-to-pet"


def test_a_cohort_opened_as_a_folder_that_says_it_is_simulated_has_simulated_synthetic_images(completed):
    cfg, folder = completed
    assert not cfg.cohort.is_simulated  # its source is a folder: only the cohort itself knows
    said = json.loads((folder / "dataset_description.json").read_text())
    here = json.loads((cfg.cohort.path / "dataset_description.json").read_text())
    assert said["Simulated"] is here["Simulated"] is True
