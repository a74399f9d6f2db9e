"""The main job on real input: PET synthesised for real T1s by generators that were trained on the phantom.

The reference is the group-mean FDG PET of other healthy adults. All correlations are taken within the people's brain
masks, 4 mm and more from their border.
"""

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import resample_to_img
from scipy.ndimage import distance_transform_edt

from synthpet.cohort import Cohort, read_image
from synthpet.cohort.names import image_path
from synthpet.cohort.scan import Scan
from synthpet.completion.write import ensure_completed
from synthpet.generators.crossfit import ensure_generators, generator_folder
from synthpet.prepare.cohort import ensure_prepared
from tests.conftest import study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["patch3d", "semi3d"])
def people(request):
    """Synthetic PET, GM map and inner brain of each person; results in outputs/ are reused when up to date."""
    from pathlib import Path

    data = Path(__file__).parents[2] / "shared" / "data"
    if not data.is_dir():
        pytest.skip("no folder of real images (../shared/data) beside this checkout")
    gan = request.param
    trained = study("train", f"gan={gan}")
    ensure_generators(trained)
    raw = data / "t1w-ds002748"
    more = ("cohort.name=ds002748", "xform=sform", "control_groups=[depr]")
    ensure_prepared(study("prepare", f"bids_dir={raw}", *more))
    source = f"complete.generators={generator_folder(trained)}"
    folder = ensure_completed(
        study("complete", "cohort=outputs/ds002748/cohort", "work_dir=outputs/ds002748", f"gan={gan}", source)
    )
    cohort = Cohort.open(Path("outputs/ds002748/cohort"))
    names = [subject.participant_id for subject in cohort.subjects]
    pets = {n: read_image(folder / image_path(n, "synthetic_pet", res=cohort.res), grid=cohort.grid)[0] for n in names}
    inner = {n: distance_transform_edt(cohort.load_mask(n), sampling=cohort.grid.spacing_mm) > 4 for n in names}
    return cohort, pets, inner, data / "fdg-group-maps"


def on_grid(path, cohort):
    target = nib.Nifti1Image(np.zeros(cohort.grid.shape, np.float32), cohort.grid.matrix)
    return resample_to_img(nib.load(path), target, force_resample=True, copy_header=True).get_fdata()


def correlation(a, b, where):
    return np.corrcoef(a[where], b[where])[0, 1]


def test_the_synthetic_pets_look_like_real_group_pet(people):
    cohort, pets, inner, maps = people
    group = on_grid(maps / "fdg_suvr_basal.nii.gz", cohort)
    assert len(pets) >= 8
    everybody = np.all(list(inner.values()), axis=0)
    assert correlation(np.mean(list(pets.values()), axis=0), group, everybody) >= 0.80
    each = {name: correlation(pet, group, inner[name]) for name, pet in pets.items()}
    assert min(each.values()) >= 0.65, each


def test_each_synthetic_pet_belongs_to_its_own_person(people):
    cohort, pets, inner, _ = people
    everybody = np.all(list(inner.values()), axis=0)
    grey = {name: cohort.load(name, "gm") for name in pets}
    own = [
        correlation(pets[a], grey[a], everybody) > correlation(pets[a], grey[b], everybody)
        for a in pets
        for b in pets
        if a != b
    ]
    assert np.mean(own) >= 0.95


def test_a_detector_of_the_phantom_gives_sane_maps_of_real_people(people):
    from uad.detectors.train import ensure_detectors
    from uad.findings.calibrated import ensure_calibrated
    from uad.findings.examine import examine

    cohort, pets, _, _ = people
    cfg = study("uad_evaluate")
    simulated, normative, detectors = ensure_detectors(cfg)
    (calibrated,) = ensure_calibrated(cfg, simulated, normative, detectors).values()
    shares = {}
    for name, pet in pets.items():
        mask = cohort.load_mask(name)
        findings = examine(Scan({"t1w": cohort.load_t1w(name), "pet": pet}, mask), calibrated)
        shares[name] = max((cluster.n_voxels for cluster in findings.clusters), default=0) / mask.sum()
    assert max(shares.values()) <= 0.05, shares
