"""Brains are found in whole heads; the networks' weights come from the installed distribution, and no code of it."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache

import nibabel as nib
import numpy as np
import pytest
import torch

from synthpet.cohort.images import Grid
from synthpet.cohort.names import sidecar_path
from synthpet.errors import DataError, UsageError
from synthpet.phantom.head import with_head
from synthpet.phantom.raw_dataset import ensure_raw
from synthpet.phantom.raw_scan import Visit, sample, scan_t1w
from synthpet.phantom.template import load_template
from synthpet.prepare import extraction
from synthpet.prepare.cohort import ensure_prepared
from synthpet.prepare.extraction import BOX, BRAIN, extract_brain, network, weights_file
from synthpet.template.icbm import template_images
from tests.conftest import study
from tests.prepare.test_known_alignment import visit_of

N_DRAWS = 20
EXPECTED = {
    BOX: [0.1337277, 0.3125393, 0.1567683, 0.0240913],
    BRAIN: [0.485718, 0.4642992, 0.3483587, 0.2417198],
}


@cache
def visit(draw: int) -> Visit:
    """A person whose T1 shows the whole head; tilt, noise, bias field, voxels are drawn; every fourth: thick slices."""
    seen = visit_of(draw, load_template(2.0))
    spacing_mm = (*seen.protocol.t1w_spacing_mm[:2], 3.0) if draw % 4 == 3 else seen.protocol.t1w_spacing_mm
    protocol = replace(seen.protocol, skull=True, t1w_spacing_mm=spacing_mm, t1w_bias=0.1 + 0.02 * (draw % 5))
    return Visit(seen.plan, seen.person, protocol)


def scanned(draw: int) -> tuple[np.ndarray, Grid]:
    """The T1 as it is read: axes near RAS+."""
    image = scan_t1w(visit(draw))
    turn = nib.io_orientation(image.affine)
    affine = image.affine @ nib.orientations.inv_ornt_aff(turn, image.data.shape)
    t1w = np.ascontiguousarray(nib.apply_orientation(image.data, turn), np.float32)
    return t1w, Grid.of(t1w.shape, affine)


def within_skull(draw: int) -> np.ndarray:
    seen = visit(draw)
    blank = np.zeros(seen.inside.shape, np.float32)
    head = with_head(blank, seen.inside, seen.person.anatomy.lattice, seen.plan.rng("head"))
    return sample(head.within_skull.astype(np.float32), head.lattice, seen.protocol.t1w_pose, seen.t1w_grid) > 0.5


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def overlap(draw: int) -> float:
    t1w, grid = scanned(draw)
    return dice(extract_brain(t1w, grid, "sub-01"), within_skull(draw))


def test_the_brain_of_a_whole_head_is_found():
    assert overlap(0) >= 0.97


@pytest.mark.slow
def test_the_brains_of_twenty_heads_are_found():
    found = [overlap(draw) for draw in range(N_DRAWS)]
    assert np.mean(found) >= 0.97 and min(found) >= 0.96, found


@pytest.mark.slow
def test_whole_heads_are_prepared_by_two_commands_and_the_page_says_how(tmp_path):
    raw = tmp_path / "raw"
    ensure_raw(study("phantom", f"raw={raw}", "raw_skull=true", "cohort.n_paired=2", "cohort.n_unpaired=0",
                     "cohort.n_heldout=0", "cohort.n_patients=1", "compute.n_jobs=1"))  # fmt: skip
    options = ("registration=affine", "cohort.resolution_mm=4", "compute.n_jobs=1", f"work_dir={tmp_path / 'work'}")
    cohort = ensure_prepared(study("prepare", f"bids_dir={raw}", *options))
    for subject in cohort.subjects:
        about = json.loads(sidecar_path(cohort.path(subject.participant_id, "t1w")).read_text())
        assert about["BrainMask"] == "by the networks of deepbet 1.0.2"
        assert any("mL of brain: see its outline" in note for note in about["Notes"])
        assert dice(cohort.load_mask(subject.participant_id), template_images(cohort.grid).brain_mask) > 0.9
    assert len(cohort.subjects) == 3


def test_the_networks_give_what_the_distribution_of_deepbet_gives():
    """Means over planes of one output, as ``torch.jit.load`` of its file gave them."""
    x = torch.from_numpy(np.random.default_rng(0).normal(0.449, 0.226, (1, 1, 32, 64, 96)).astype(np.float32))
    with torch.inference_mode():
        found = {name: network(name)(x)[0].mean(dim=(1, 2))[::8].tolist() for name in (BOX, BRAIN)}
    assert found[BOX] == pytest.approx(EXPECTED[BOX], abs=1e-5)
    assert found[BRAIN] == pytest.approx(EXPECTED[BRAIN], abs=1e-5)


def test_an_image_without_a_brain_is_refused():
    noise = np.random.default_rng(0).normal(100, 10, (40, 40, 40)).astype(np.float32)
    with pytest.raises(DataError, match=r"E_NO_BRAIN sub-01 .*mL are found to be brain.*brain_mask="):
        extract_brain(noise, Grid.of(noise.shape, np.diag([2.0, 2, 2, 1])), "sub-01 (a.nii)")
    with pytest.raises(DataError, match=r"E_CONSTANT sub-01 \(a.nii\)"):
        extract_brain(np.ones_like(noise), Grid.of(noise.shape, np.diag([2.0, 2, 2, 1])), "sub-01 (a.nii)")


def test_weights_that_are_not_there_or_others_are_refused_with_the_command_that_mends_it(monkeypatch):
    monkeypatch.setitem(extraction.SHA256, BOX, "0" * 64)
    with pytest.raises(UsageError, match=r"bbox_model.pt: not the weights of deepbet 1.0.2 .*pip install .*deepbet=="):
        weights_file(BOX)
    monkeypatch.setattr(extraction, "distribution", absent)
    with pytest.raises(UsageError, match=r"not installed; run `pip install .*deepbet==1.0.2`"):
        weights_file(BRAIN)


def absent(name: str) -> None:
    raise extraction.PackageNotFoundError(name)


def test_no_code_of_the_distribution_is_run():
    code = (
        "import sys; from synthpet.prepare.extraction import network; network('bbox_model.pt');"
        "print([name for name in ('deepbet', 'cc3d', 'fill_voids') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
