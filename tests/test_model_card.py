"""The card beside a model says what it learned from, names nobody, and its hashes are true."""

import json
import re

from synthpet.cohort.files import sha256
from synthpet.learning.model_card import CARD, DETECTOR, write_model_card
from tests.conftest import study
from tests.test_training import fold_folder, trained  # noqa: F401 - a fixture
from uad.detectors.train import ensure_detectors


def test_a_generators_card_stands_in_its_manifest_and_names_nobody(trained):  # noqa: F811
    folder = fold_folder(trained)
    card = (folder / CARD).read_text()
    assert CARD in json.loads((folder / "run.json").read_text())["outputs"]
    assert "Not a medical device" in card
    assert "- 2 controls with T1 and measured PET" in card
    assert "SIMULATED people" in card
    assert f"`generator.safetensors` SHA-256 `{sha256(folder / 'generator.safetensors')}`" in card
    assert "learning_rate" in card
    assert not re.search(r"sub-\w", card)


def test_a_detectors_card_counts_the_normative_set(cohort, tmp_path):
    options = ["detector=zmap", "normative=real", "logger=local"]
    cfg = study("uad_train", f"cohort={cohort.root}", f"work_dir={tmp_path / 'work'}", *options)
    ensure_detectors(cfg)
    (card,) = (tmp_path / "work").rglob(CARD)
    assert "- 4 controls with T1 and measured PET" in card.read_text()
    assert not re.search(r"sub-\w", card.read_text())
    assert CARD in json.loads((card.parent / "run.json").read_text())["outputs"]


def test_real_people_are_said_to_be_real(cohort, tmp_path):
    about = cohort.root / "dataset_description.json"
    about.write_text(about.read_text().replace('"Simulated": true', '"Simulated": false'))
    card = write_model_card(tmp_path, DETECTOR, "x", cohort, ["sub-00", "sub-04"], {}, []).read_text()
    assert "SIMULATED" not in card
    assert "images of real people" in card
    assert "- 1 controls with T1 and without measured PET" in card
