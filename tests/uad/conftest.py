"""Synthetic PETs of a small cohort on disk, as synthpet.complete leaves them, without training a generator."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synthpet.cohort import Cohort, make_folds, write_folds, write_image
from synthpet.cohort.files import write_json
from synthpet.cohort.names import sidecar_path
from synthpet.cohort.scan import Scan

N_FOLDS = 2


def write_synthetic(cohort: Cohort, folder: Path, pet_of) -> Path:
    """Synthetic and resampled PET of every control, sidecars, folds, manifest and quality; ``pet_of``: t1w to PET."""
    folds = make_folds([s.participant_id for s in cohort.select("paired")], N_FOLDS, seed=0)
    write_folds(folder / "folds.json", folds)
    hashes = {k: f"{k}" * 64 for k in range(N_FOLDS)}
    inputs = {f"gan-test/fold-{k}/generator.safetensors": digest for k, digest in hashes.items()}
    made = {"stride": [8, 8, 8], "smooth_fwhm_mm": 0.0, "histogram_matching": False}
    write_json(folder / "run.json", {"config": made, "inputs": inputs})
    ratios = {"variance_ratio": {"synthetic": 0.6, "resampled": 0.9}, "narrowest": 0.3, "collapsed": False}
    write_json(folder / "quality.json", {"roles": {"paired": ratios, "heldout": ratios, "unpaired": ratios}})
    source = replace(cohort, root=folder)
    for subject in cohort.select("paired", "unpaired", "heldout"):
        who = subject.participant_id
        used = [fold.index for fold in folds if subject.role != "paired" or who in fold.test]
        donor = next(s.participant_id for s in cohort.select("paired") if s != subject)
        about = {"Synthetic": True, "Fold": used, "GeneratorSHA256": [hashes[k] for k in used]}
        for kind, more in (("synthetic_pet", {}), ("resampled_pet", {"ResidualOf": donor})):
            pet = np.asarray(pet_of(cohort.load_t1w(who)) * cohort.load_mask(who), np.float32)
            path = write_image(source.path(who, kind), pet, cohort.grid)
            write_json(sidecar_path(path), {**about, **more})
    return folder


def edit_json(path: Path, **changes) -> None:
    """Change keys of a JSON file."""
    write_json(path, {**json.loads(path.read_text()), **changes})


@pytest.fixture
def synthetic_folder(cohort: Cohort, tmp_path: Path) -> Path:
    """Synthetic PETs of the small cohort."""
    return write_synthetic(cohort, tmp_path / "synthetic-test", lambda t1w: 1.4 - 0.5 * t1w)


def scan_of(t1w, pet=None, mask=None):
    """One person's scan; without a mask the brain is where the T1 is not 0."""
    images = {"t1w": t1w} | ({} if pet is None else {"pet": pet})
    return Scan(images, t1w != 0 if mask is None else mask)
