"""The default detector on the quick phantom: deeper lesions are found more often, healthy people as promised."""

import pytest
from scipy.stats import binom

from synthpet.cohort import Cohort
from synthpet.cohort.scan import Scan
from synthpet.phantom.cohort import ensure_phantom
from tests.conftest import study
from uad.detectors.train import ensure_detectors
from uad.findings.calibrated import ensure_calibrated
from uad.findings.examine import examine
from uad.scores.lesions import detect_lesion

pytestmark = pytest.mark.slow
DEPTHS = (0.1, 0.2, 0.3, 0.4)


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("depth")


def detector(work_dir, false_per_scan=3.0):
    """The calibrated detector, the normative set and the cohort; the autoencoder is trained once."""
    cfg = study("uad_evaluate", f"work_dir={work_dir}", f"detection.false_per_scan={false_per_scan}")
    cohort, normative, detectors = ensure_detectors(cfg)
    return ensure_calibrated(cfg, cohort, normative, detectors)[0], normative, cohort


def patients(work_dir, depth):
    """Ten patients that differ between depths in nothing else."""
    options = (f"work_dir={work_dir}/{depth}", f"cohort.lesion_depth=[{depth},{depth}]", "cohort.n_patients=10")
    return Cohort.open(ensure_phantom(study("phantom", *options, "cohort.n_paired=2", "cohort.n_unpaired=0")))


def test_deeper_lesions_are_found_at_least_as_often(work_dir):
    calibrated, normative, _ = detector(work_dir)
    found = []
    for depth in DEPTHS:
        cohort = patients(work_dir, depth)
        hits = 0
        for who in (patient.participant_id for patient in cohort.select("patient")):
            findings = examine(normative.evaluated(cohort, who), calibrated)
            lesion = cohort.load(who, "lesion_mask") > 0.5
            hits += detect_lesion(
                findings.clusters, findings.labels, lesion, cohort.grid, participant_id=who, lesion_site="", seed=0
            ).detected
        found.append(hits)
    print(f"found of 10 at depths {DEPTHS}: {found}")
    assert found == sorted(found)
    assert found[-1] > found[0]


@pytest.mark.parametrize("false_per_scan", [3.0, 1.0, 0.5])
def test_people_without_a_lesion_have_no_candidate_as_often_as_promised(work_dir, false_per_scan):
    """Unpaired controls with their withheld PET: nobody that the detector or its threshold knows."""
    calibrated, _, cohort = detector(work_dir, false_per_scan)
    healthy = cohort.select("unpaired")
    n_clusters = []
    for who in (control.participant_id for control in healthy):
        scan = Scan({"t1w": cohort.load_t1w(who), "pet": cohort.load(who, "withheld_pet")}, cohort.load_mask(who))
        n_clusters.append(len(examine(scan, calibrated).clusters))
    promised = calibrated.calibration.left_out_empty
    empty = sum(n == 0 for n in n_clusters)
    print(
        f"at {false_per_scan} false clusters a scan: promised {calibrated.calibration.left_out:.2f} clusters and "
        f"{100 * promised:.0f} % without; found {sum(n_clusters) / len(healthy):.2f} and {empty} of {len(healthy)}"
    )
    assert binom.cdf(empty, len(healthy), promised) > 0.05  # fewer would contradict the promise
