"""A simulated raw scan whose place in template space is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from synthpet.cohort.files import write_tsv
from synthpet.cohort.images import Grid, write_image
from synthpet.template.icbm import native_template

NATIVE = Grid.of((96, 112, 76), np.diag([1.8, 1.9, 2.3, 1.0]))  # anisotropic, corner at the origin


def native_to_template() -> np.ndarray:
    """Native RAS+ mm to template RAS+ mm: a head tilted, shifted and a little smaller, (4, 4)."""
    nod, turn = np.deg2rad([9.0, -7.0])
    pitch = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    yaw = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = pitch @ yaw @ np.diag([1.05, 1.08, 1.03])
    centre = NATIVE.matrix[:3, :3] @ (np.array(NATIVE.shape) / 2)
    matrix[:3, 3] = np.array([4.0, -22.0, 6.0]) - matrix[:3, :3] @ centre
    return matrix


@dataclass(frozen=True)
class Scan:
    """A T1 on its native grid, and where it truly lies: native to template, RAS+ mm, (4, 4)."""

    t1w: np.ndarray
    grid: Grid
    to_template: np.ndarray


@pytest.fixture(scope="session")
def scan() -> Scan:
    """The template's T1 as a scanner would have it on ``NATIVE``: tilted, noisy, with a bias field, stripped."""
    (t1w, _, _), source = native_template()
    to_voxels = np.linalg.inv(source.matrix) @ native_to_template() @ NATIVE.matrix
    smooth = ndimage.gaussian_filter(t1w, 0.6)
    clean = ndimage.affine_transform(smooth, to_voxels[:3, :3], to_voxels[:3, 3], output_shape=NATIVE.shape, order=1)
    ramp = np.linspace(0.8, 1.2, NATIVE.shape[0])[:, None, None]
    noise = np.random.default_rng(3).normal(0, 0.02, NATIVE.shape)
    t1w = np.where(clean > 0.25, 900 * (clean * ramp + noise), 0).astype(np.float32)
    return Scan(t1w, NATIVE, native_to_template())


@pytest.fixture(scope="session")
def raw_bids(tmp_path_factory, scan) -> Path:
    """Raw BIDS: sub-01 can be prepared, sub-02's T1 is one byte, sub-03 has none."""
    root = tmp_path_factory.mktemp("raw")
    write_image(root / "sub-01/anat/sub-01_T1w.nii.gz", scan.t1w, NATIVE)
    broken = root / "sub-02/anat/sub-02_T1w.nii"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\0")
    (root / "sub-03").mkdir()
    rows = [{"participant_id": f"sub-0{k}", "age": 39, "sex": "M", "group": "Healthy controls"} for k in (1, 2, 3)]
    write_tsv(root / "participants.tsv", rows)
    return root
