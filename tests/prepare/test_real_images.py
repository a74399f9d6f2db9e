"""A real T1 and FLAIR with a lesion mask, from raw folder to cohort of one."""

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from synthpet.command import compose
from synthpet.prepare.cohort import ensure_prepared


@pytest.mark.slow
def test_lesions_drawn_on_a_real_t1_are_bright_on_the_prepared_flair(real_data, tmp_path):
    anat = tmp_path / "raw/sub-01/anat"
    masks = tmp_path / "raw/derivatives/lesions/sub-01/anat"
    links = {"T1w": anat / "sub-01_T1w.nii.gz", "FLAIR": anat / "sub-01_FLAIR.nii.gz",
             "lesion_mask": masks / "sub-01_label-lesion_mask.nii.gz"}  # fmt: skip
    for name, link in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(real_data / "ms-lesions" / f"{name}.nii.gz")
    (tmp_path / "raw/participants.tsv").write_text("participant_id\tgroup\nsub-01\tpatient\n")
    options = ("registration=affine", "cohort.resolution_mm=2", "compute.n_jobs=1")
    cohort = ensure_prepared(compose("prepare", f"bids_dir={tmp_path / 'raw'}", f"work_dir={tmp_path}", *options))
    flair, lesion = cohort.load("sub-01", "flair"), cohort.load("sub-01", "lesion_mask") > 0.5
    white = (cohort.load("sub-01", "wm") > 0.9) & ~lesion
    assert flair[lesion].mean() > flair[white].mean() + 2 * flair[white].std()
    found = json.loads(next(cohort.root.glob("sub-01/anat/*_T1w.json")).read_text())["Measures"]
    affine = sitk.AffineTransform(sitk.ReadTransform(str(cohort.root / "sub-01/transforms/affine.tfm")))
    shrunk = np.linalg.det(np.reshape(affine.GetMatrix(), (3, 3)))
    assert found["lesion_native_ml"] == pytest.approx(8.227)
    assert found["lesion_ml"] == pytest.approx(8.227 / shrunk, rel=0.1)
