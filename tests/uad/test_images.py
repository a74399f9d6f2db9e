"""A detector sees any named images, and a person without one of them is examined with what there is."""

import json

import pytest

from synthpet.errors import UsageError
from synthpet.phantom.cohort import ensure_phantom
from tests.conftest import study
from uad.detectors.base import Assignment
from uad.detectors.options import DetectorOptions
from uad.detectors.registry import DETECTORS
from uad.evaluation.run import ensure_evaluation
from uad.new_patient.run import ensure_detection

OCSVM = "detector=ocsvm_voxel"
FEW = (
    OCSVM, "study=tiny", "cohort.modalities=[t1w,flair,pet]", "logger=local", "compute.n_jobs=1", "cohort.n_paired=3",
    "cohort.n_unpaired=1", "cohort.resolution_mm=6", "detector.autoencoder.n_steps=4", "detector.pool_fwhm_mm=20",
    "detector.autoencoder.latent_dim=8", "detector.n_directions=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    ensure_phantom(study("uad_evaluate", *FEW, f"work_dir={folder}"))
    return folder


def members(folder):
    detector = folder.with_name(folder.name.replace("evaluation-", "uad-"))
    return json.loads((detector / "seed-0/run.json").read_text())["config"]["members"]


@pytest.mark.parametrize(
    ("images", "latents", "n_controls"),
    [
        ("[t1w,pet]", "conditional", 3),
        ("[t1w,flair]", "conditional", 4),  # who lacks a PET has a FLAIR
        ("[t1w,flair,pet]", "conditional", 3),
        ("[pet]", "whitened", 3),
    ],
)
def test_ocsvm_voxel_on_four_sets_of_images(work_dir, images, latents, n_controls):
    name = f"detector.name=seen_{images.strip('[]').replace(',', '_')}"
    options = (name, f"detector.images={images}", f"detector.latents={latents}", f"work_dir={work_dir}")
    folder = ensure_evaluation(study("uad_evaluate", *FEW, *options))
    assert len(members(folder)) == n_controls
    assert json.loads((folder / "summary.json").read_text())["n_patients"] == 2
    page = next(folder.glob("sub-p*/report.html")).read_text()
    assert ("FLAIR" in page) == ("flair" in images)


def test_the_latent_vector_has_an_equal_share_for_each_image():
    values = study("uad_train", OCSVM, "detector.images=[t1w,flair,pet]").detector.values
    found = DETECTORS.load("ocsvm_voxel").of(values, Assignment(None, 0, None))
    assert found.images == ("t1w", "flair", "pet") and found.options.autoencoder.latent_dim == 33


def test_an_option_that_the_autoencoder_does_not_have_is_refused_before_any_work():
    values = study("uad_train", OCSVM).detector.values
    strange = {**values, "autoencoder": {**values["autoencoder"], "depth": 3}}
    with pytest.raises(UsageError, match=r"autoencoder\.depth: no option of detector\.autoencoder; it has mod"):
        DETECTORS.load("ocsvm_voxel").check(strange)


def test_one_image_explains_nothing_of_another(tmp_path):
    with pytest.raises(UsageError, match="needs two images, found one"):
        ensure_evaluation(study("uad_evaluate", *FEW, "detector.images=[pet]", f"work_dir={tmp_path}"))


def test_images_that_are_not_asked_for_are_not_in_the_manifest():
    assert "images" not in study("uad_train", OCSVM).detector.values  # or every finished detector would be trained anew
    assert DetectorOptions.of({"name": "a", "method": "zmap", "seeds": [0], "images": None}).looks_at == ("pet",)


def test_a_patient_without_a_flair_is_examined_with_the_rest_and_told_what_that_costs(work_dir):
    images = (
        (work_dir / "cohort/sub-p001").glob("*/*_desc-preproc_T1w.nii.gz"),
        (work_dir / "cohort/sub-p001").glob("pet/*_desc-suvr_pet.nii.gz"),
    )
    t1w, pet = (next(found) for found in images)
    asked = ("detector.name=seen_t1w_flair_pet", "detector.images=[t1w,flair,pet]", f"work_dir={work_dir}")
    folder = ensure_detection(study("uad_detect", *FEW, *asked, f"t1w={t1w}", f"pet={pet}", "name=nobody"))
    page = (folder / "report.html").read_text()
    assert "There is no FLAIR: only the T1 and PET were examined" in page
    assert "T1, FLAIR and PET together (seen_t1w_flair_pet) find" in page
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["detector"] == "seen_t1w_flair_pet_t1w_pet" and summary["pet"]
