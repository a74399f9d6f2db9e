"""Results in the patient's own space, and a raw patient from the scanner to the clusters."""

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from synthpet.cohort import Cohort, Grid, read_image, write_image
from synthpet.cohort.files import read_tsv, write_json
from synthpet.cohort.scan import Scan
from synthpet.errors import DataError
from synthpet.prepare.spaces.native import NativeSpace
from synthpet.prepare.spaces.transform import Transform
from synthpet.template.icbm import native_template, template_grid
from tests.conftest import study
from tests.prepare.conftest import native_to_template, scan  # noqa: F401 - a fixture
from uad.evaluation.run import ensure_evaluation
from uad.findings.clusters import ClusterRule, find_clusters
from uad.findings.records import Findings
from uad.new_patient.run import ensure_detection
from uad.patient.native import native_places, write_native_maps

GRID = template_grid(4.0)
NATIVE = Grid.of((80, 96, 70), np.array([[2.0, 0.3, 0, 11], [-0.3, 2.0, 0.1, -7], [0, -0.1, 2.5, 30], [0, 0, 0, 1]]))
LESION_MM = (-44.0, -20.0, -20.0)  # left temporal lobe
OPTIONS = ("study=tiny", "detector=zmap", "detection.false_per_scan=0.5")


def to_native() -> np.ndarray:
    """Template RAS+ mm to native RAS+ mm, (4, 4): turned, scaled, shifted."""
    a = np.deg2rad(12)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.diag(
        [1, 0.9, 1.1]
    )
    matrix[:3, 3] = (NATIVE.matrix @ [40, 48, 35, 1])[:3] - matrix[:3, :3] @ [0, -18, 8]
    return matrix


@pytest.fixture
def native(tmp_path) -> NativeSpace:
    """A person's own space with a known affine, as ``prepare`` leaves it on the disk."""
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    lps = flip @ to_native() @ flip
    affine = sitk.AffineTransform(lps[:3, :3].ravel().tolist(), lps[:3, 3].tolist())
    folder = tmp_path / "sub-01" / "transforms"
    Transform.of(affine).write(folder)
    about = {"native_grid": {"shape": list(NATIVE.shape), "affine": [list(row) for row in NATIVE.affine]}}
    write_json(folder / "about.json", about)
    found = NativeSpace.beside(tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    assert found is not None and found.grid.matches(NATIVE)
    return found


@pytest.fixture
def findings() -> Findings:
    """Two blobs of high z."""
    xyz = np.indices(GRID.shape).reshape(3, -1).T @ GRID.matrix[:3, :3].T + GRID.matrix[:3, 3]
    z = np.zeros(len(xyz))
    for centre, height in ((LESION_MM, 8), ((28.0, 20.0, 28.0), 6)):
        z += height * np.exp(-((xyz - centre) ** 2).sum(1) / 2 / 8**2)
    z = z.reshape(GRID.shape).astype(np.float32)
    mask = np.ones(GRID.shape, bool)
    clusters, labels = find_clusters(z, mask, GRID, ClusterRule(3, min_volume_mm3=100))
    return Findings(Scan({"t1w": z}, mask), {"z": z}, labels, clusters)


def test_points_and_images_go_back_by_the_same_transform(native, findings, tmp_path):
    files = write_native_maps(findings, GRID, native, tmp_path, "sub-01")
    names = ["sub-01_space-T1w_desc-anomaly_zmap", "sub-01_space-T1w_desc-clusters_dseg"]
    assert [f.name.partition(".")[0] for f in files[::2]] == names
    z, labels = (read_image(path, grid=NATIVE)[0] for path in files[::2])
    for cluster, place in zip(findings.clusters, native_places(findings.clusters, native), strict=True):
        expected = (to_native() @ [*cluster.peak_mm, 1])[:3]
        assert np.allclose(place.peak_mm, expected, atol=1e-3)
        inside = labels == cluster.rank
        peak = np.unravel_index(np.argmax(np.where(inside, z, 0)), z.shape)
        back = np.linalg.inv(to_native()) @ NATIVE.matrix @ [*peak, 1]
        assert np.linalg.norm(back[:3] - cluster.peak_mm) < 4  # a voxel of the template grid
    assert set(np.unique(labels)) == {0, 1, 2}  # nearest neighbour: no rank in between


def test_there_is_no_native_space_without_transforms_or_grid(native, tmp_path):
    assert NativeSpace.beside(tmp_path / "elsewhere" / "anat" / "T1w.nii.gz") is None
    write_json(tmp_path / "sub-01" / "transforms" / "about.json", {})
    assert NativeSpace.read(tmp_path / "sub-01" / "transforms") is None


def test_what_the_raw_image_does_not_show_is_told(native):
    inside = np.array([[0.0, -18, 8], [10, 0, 0]])
    assert native.missed_percent(inside) == 0
    assert native.missed_percent(np.vstack([inside, [[0, -18, 300]], [[500, 0, 0]]])) == 50


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """The tiny simulated cohort with a z-map detector; its manifest says that people were registered affinely."""
    folder = tmp_path_factory.mktemp("native")
    ensure_evaluation(study("uad_evaluate", *OPTIONS, f"work_dir={folder}"))
    cohort = Cohort.open(folder / "cohort")
    write_json(cohort.root / cohort.subjects[0].participant_id / "run.json", {"config": {"registration": "affine"}})
    return folder


@pytest.fixture(scope="module")
def raw(tmp_path_factory, scan):  # noqa: F811
    """Raw T1 and PET (on another grid, Bq/mL, without scalp) of a person with a hole in the uptake."""
    folder = tmp_path_factory.mktemp("raw")
    t1w = write_image(folder / "sub-new_T1w.nii.gz", scan.t1w, scan.grid)
    grid = Grid.of((62, 76, 60), np.diag([2.8, 2.8, 3.0, 1.0]))
    (_, gm, wm), source = native_template()
    uptake = 1.24 * gm + 0.55 * wm
    xyz = np.indices(source.shape).reshape(3, -1).T + source.matrix[:3, 3]
    hole = np.exp(-((xyz - LESION_MM) ** 2).sum(1) / 2 / 9**2).reshape(source.shape)
    voxels = np.linalg.inv(source.matrix) @ native_to_template() @ grid.matrix
    blurred = ndimage.gaussian_filter(uptake * (1 - 0.8 * hole), 2.5)
    pet = ndimage.affine_transform(blurred, voxels[:3, :3], voxels[:3, 3], output_shape=grid.shape, order=1)
    noise = 0.01 * np.random.default_rng(0).random(grid.shape)
    return t1w, write_image(folder / "sub-new_pet.nii.gz", (9000 * (pet + noise)).astype(np.float32), grid)


def test_a_raw_patient_is_prepared_examined_and_shown_in_the_own_space(work, raw, capsys):
    t1w, pet = raw
    overrides = [*OPTIONS, f"work_dir={work}", f"t1w={t1w}", f"pet={pet}"]
    folder = ensure_detection(study("uad_detect", *overrides))
    assert "sub-new_T1w.nii.gz is not on the cohort's grid: it is prepared first" in capsys.readouterr().out
    about = json.loads(next((folder / "prepared").rglob("*_T1w.json")).read_text())
    assert "affine" in about["Registration"]  # as the cohort's manifest says
    true = np.linalg.inv(native_to_template()) @ [*LESION_MM, 1]
    rows = read_tsv(folder / "clusters.tsv")[:2]  # four controls: another place may be as suspicious as the hole
    off_mm = [np.linalg.norm(np.array(row["peak_native_mm"].split(), float) - true[:3]) for row in rows]
    assert min(off_mm) < 20  # of a hole 30 mm wide
    labels = read_image(next(folder.glob("*space-T1w_desc-clusters_dseg.nii.gz")), grid=read_image(t1w)[1])[0]
    assert labels.max() >= 1
    page = (folder / "report.html").read_text()
    assert "Peak in own T1, mm" in page and "space-T1w_desc-clusters_dseg.nii.gz" in page
    assert "Note of the preparation: PET: no Units in a sidecar" in page
    ensure_detection(study("uad_detect", *overrides))
    assert "detection sub-new: up to date" in capsys.readouterr().out


def test_a_cohort_that_prepare_did_not_make_needs_images_on_its_grid(shared_cohort, raw, tmp_path):
    from uad.new_patient.prepare import on_cohort_grid

    with pytest.raises(DataError, match=r"E_GRID .*sub-new_T1w.*(.|\n)*Resample it as the cohort's images were"):
        on_cohort_grid({"t1w": raw[0], "pet": raw[1]}, None, shared_cohort, tmp_path, None)
