"""Quality of any translation: a page in the words and units of what was made."""

import json

import pytest

from synthpet.quality.run import ensure_evaluated
from synthpet.quality.translation import Translation
from tests.conftest import study

pytestmark = pytest.mark.slow  # whole stages, a minute

FEW = ["study=tiny", "gan.n_steps=4", "gan.n_warmup_steps=2", "cohort.modalities=[t1w,flair,pet]"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("translations")


def evaluated(root, sources, target):
    options = [*FEW, f"work_dir={root}", f"+gan.sources=[{sources}]", f"+gan.target={target}"]
    return ensure_evaluated(study("evaluate", *options))


def test_two_sources_make_a_pet_in_suvr(root):
    folder = evaluated(root, "t1w,flair", "pet")
    assert folder.name == "synthetic-patch3d-t1w+flair-to-pet"
    assert json.loads((folder / "quality.json").read_text())["roles"]["paired"]["metrics"]
    assert "T1 and FLAIR" in (folder / "report.html").read_text()


def test_the_page_of_a_synthetic_flair_names_flair_and_no_suvr(root):
    folder = evaluated(root, "t1w", "flair")
    found = json.loads((folder / "quality.json").read_text())
    assert found["roles"]["paired"]["n"] == 4
    page = (folder / "report.html").read_text()
    words = page.partition("Manifest of")[0]
    assert "synthetic FLAIR MRI" in words
    assert "SUVR" not in words
    sidecar = json.loads(next(folder.glob("sub-*/anat/*desc-synthetic_FLAIR.json")).read_text())
    assert sidecar["Synthetic"] is True
    assert sidecar["TargetModality"] == "flair"
    assert "TracerName" not in sidecar


def test_words_of_the_usual_translation_stay_as_they_are():
    text = "the mean PET in SUVR, from sub-PET01's T1"
    assert Translation().put(text) is text
    assert Translation(("t1w",), "flair").put(text) == "the mean FLAIR in scaled units, from sub-PET01's T1"
