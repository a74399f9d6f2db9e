"""The simulated cohort on disk."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from synthpet.cohort import Cohort
from synthpet.cohort.files import sha256
from synthpet.cohort.names import sidecar_path
from synthpet.errors import DataError, UsageError
from synthpet.phantom.cohort import deal_subjects, ensure_phantom, plan_subjects
from tests.conftest import study

COMMON = {"t1w", "brain_mask", "gm", "wm", "csf", "expected_pet"}
KINDS = {
    "paired": COMMON | {"pet"},
    "heldout": COMMON | {"pet"},
    "unpaired": COMMON | {"withheld_pet"},
    "patient": COMMON | {"pet", "lesion_mask"},
}
EVERY_KIND = set.union(*KINDS.values())


def hashes(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name != "run.json")
    return {path.relative_to(root).as_posix(): sha256(path) for path in files}


def test_everybody_has_the_images_of_their_role_and_no_other(tiny_cohort):
    assert [len(tiny_cohort.select(role)) for role in KINDS] == [4, 2, 2, 2]
    for subject in tiny_cohort.subjects:
        assert {kind for kind in EVERY_KIND if tiny_cohort.has(subject.participant_id, kind)} == KINDS[subject.role]


def test_the_table_is_complete(tiny_cohort):
    assert {subject.site for subject in tiny_cohort.subjects} == {"siteA", "siteB"}
    for subject in tiny_cohort.subjects:
        patient = subject.group == "patient"
        assert subject.participant_id.startswith("sub-p" if patient else "sub-c")
        assert (subject.lesion_site is not None) == (subject.mri_visible is not None) == patient
        assert 18 < subject.age < 90
        assert subject.sex in ("F", "M")


def test_every_image_says_that_it_is_simulated(tiny_cohort):
    import nibabel as nib

    for image in tiny_cohort.root.rglob("*.nii.gz"):
        assert bytes(nib.load(image).header["descrip"]).startswith(b"simulated")
        about = json.loads(sidecar_path(image).read_text())
        assert about["Simulated"] is True
        if "_pet." in image.name:
            assert about["TracerRadionuclide"] == "F18"
            assert "whole brain" in about["SUVRReferenceRegion"]
    assert json.loads((tiny_cohort.root / "dataset_description.json").read_text())["Simulated"] is True


def test_images_are_scaled_as_the_contracts_say(tiny_cohort):
    for subject in tiny_cohort.subjects:
        name = subject.participant_id
        brain = tiny_cohort.load_mask(name)
        t1w = tiny_cohort.load(name, "t1w")
        assert np.percentile(t1w[brain], [1, 99]) == pytest.approx([0, 1], abs=0.01)
        assert not t1w[~brain].any()
        assert tiny_cohort.load(name, "expected_pet")[brain].mean() == pytest.approx(1, abs=1e-4)
        shares = sum(tiny_cohort.load(name, kind) for kind in ("gm", "wm", "csf"))
        assert shares[brain].mean() > 0.99  # voxels at the very edge are partly outside
        assert shares.max() < 1 + 1e-4


def test_the_lesion_lowers_the_uptake_below_what_the_anatomy_predicts(small):
    cohort = Cohort.open(ensure_phantom(small("deep", "cohort.lesion_depth=[0.45,0.45]", "cohort.n_paired=0")))
    lesion = cohort.load("sub-p001", "lesion_mask") > 0.5
    ratio = cohort.load("sub-p001", "pet") / np.maximum(cohort.load("sub-p001", "expected_pet"), 0.1)
    brain = cohort.load_mask("sub-p001")
    assert ratio[lesion].mean() < 0.92 * ratio[brain & ~lesion].mean()


def test_a_lesion_that_mri_does_not_show_leaves_the_t1_untouched(small):
    never = ("cohort.n_paired=0", "cohort.mri_visible=0")
    roots = [ensure_phantom(small(f"d{depth}", *never, f"cohort.lesion_depth=[{depth},{depth}]")) for depth in (0, 0.4)]
    none, deep = (Cohort.open(root) for root in roots)
    for kind, same in {"t1w": True, "gm": True, "expected_pet": True, "pet": False}.items():
        equal = np.array_equal(none.load("sub-p001", kind), deep.load("sub-p001", kind))
        assert equal == same, kind
    shown = Cohort.open(ensure_phantom(small("shown", "cohort.n_paired=0", "cohort.mri_visible=1")))
    assert not np.array_equal(shown.load("sub-p001", "t1w"), deep.load("sub-p001", "t1w"))


def test_same_seed_gives_same_bytes_whatever_the_number_of_processes(small):
    first = hashes(ensure_phantom(small("one")))
    assert first == hashes(ensure_phantom(small("two", "compute.n_jobs=2")))
    other = hashes(ensure_phantom(small("other", "cohort.seed=1")))
    assert all(other[name] != first[name] for name in first if name.endswith("T1w.nii.gz"))


def test_a_subject_does_not_depend_on_the_number_of_others(small, tiny_cohort):
    alone = ensure_phantom(small("alone", "cohort.n_paired=1", "cohort.n_patients=0"))
    for path in (alone / "sub-c001").rglob("*.nii.gz"):
        assert sha256(path) == sha256(tiny_cohort.root / path.relative_to(alone))


def test_a_second_run_finds_the_cohort_up_to_date_and_a_new_seed_makes_it_anew(small, capsys):
    ensure_phantom(small("again", "cohort.n_patients=0", "cohort.n_paired=1"))
    ensure_phantom(small("again", "cohort.n_patients=0", "cohort.n_paired=1"))
    assert "up to date" in capsys.readouterr().out
    ensure_phantom(small("again", "cohort.n_patients=0", "cohort.n_paired=1", "cohort.seed=2"))
    assert "making" in capsys.readouterr().out


def test_the_official_validator_finds_no_error(tiny_cohort):
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.is_file():
        pytest.skip("bids-validator-deno is not installed")
    run = subprocess.run([validator, "--json", tiny_cohort.root], capture_output=True, text=True, check=False)
    issues = json.loads(run.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue.get("severity") == "error"] == []


def test_real_anatomy_keeps_its_t1_and_gets_pet_and_lesions(tiny_cohort, small):
    source = tiny_cohort
    shares = ("cohort.n_paired=2", "cohort.n_unpaired=2", "cohort.n_patients=4", "cohort.mri_visible=0.5")
    cohort = Cohort.open(ensure_phantom(small("semi", f"anatomy={source.root}", *shares)))
    assert [len(cohort.select(role)) for role in KINDS] == [2, 0, 2, 4]
    assert cohort.grid.matches(source.grid)
    for subject in cohort.subjects:
        name = subject.participant_id
        kept = np.array_equal(cohort.load(name, "t1w"), source.load(name, "t1w"))
        assert kept == (not subject.mri_visible)
        assert {kind for kind in EVERY_KIND if cohort.has(name, kind)} == KINDS[subject.role]
        brain = cohort.load_mask(name)
        expected, original = (c.load(name, "expected_pet")[brain] for c in (cohort, source))
        assert np.corrcoef(expected, original)[0, 1] > 0.85
    assert "real people" in (cohort.root / "README.md").read_text()


def test_a_cohort_on_real_anatomy_is_named_after_its_source(tiny_cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = ensure_phantom(study("phantom", "study=tiny", "compute.n_jobs=1", f"anatomy={tiny_cohort.root}"))
    source = tiny_cohort.root.parent.name
    assert root == Path("outputs", f"{source}-semireal", "cohort")
    assert json.loads((root / "dataset_description.json").read_text())["Name"] == f"{source}-semireal"


def test_roles_are_dealt_in_the_configured_proportions(tiny_cohort):
    plans = deal_subjects(study("phantom").people, tiny_cohort)  # 20, 16, 8 and 10
    roles = [plan.role for plan in plans]
    assert [roles.count(role) for role in KINDS] == [3, 1, 2, 2]
    assert len({plan.seed for plan in plans}) == len(plans) == 8


def test_one_real_anatomy_carries_several_patients_but_no_control(tiny_cohort, small):
    shares = ("cohort.n_paired=2", "cohort.n_unpaired=2", "cohort.n_patients=4", "patients_per_anatomy=3")
    cohort = Cohort.open(ensure_phantom(small("several", f"anatomy={tiny_cohort.root}", *shares)))
    patients, controls = cohort.select("patient"), cohort.select("paired", "unpaired", "heldout")
    anatomies = {patient.participant_id.partition("lesion")[0] for patient in patients}
    assert (len(patients), len(anatomies)) == (12, 4)
    assert not anatomies & {control.participant_id for control in controls}
    assert len(anatomies) + len(controls) == 8
    first, second = patients[:2]
    for kind, same in {"brain_mask": True, "pet": False, "lesion_mask": False}.items():
        equal = np.array_equal(cohort.load(first.participant_id, kind), cohort.load(second.participant_id, kind))
        assert equal == same, kind


def test_patients_per_anatomy_must_be_a_positive_number(tiny_cohort, small):
    with pytest.raises(UsageError, match="patients_per_anatomy=0"):
        ensure_phantom(small("none", f"anatomy={tiny_cohort.root}", "patients_per_anatomy=0"))


def test_ids_run_through_the_controls_and_sites_alternate():
    plans = plan_subjects(study("phantom", "study=tiny", "cohort.n_heldout=1").people)
    assert [p.participant_id for p in plans[4:]] == ["sub-c005", "sub-c006", "sub-c007", "sub-p001", "sub-p002"]
    assert [p.scanner.name for p in plans[:3]] == ["siteA", "siteB", "siteA"]


def test_an_anatomy_without_tissue_maps_is_refused_with_the_missing_files(tiny_cohort, small, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_cohort.root, broken)
    Cohort.open(broken).path("sub-c001", "gm").unlink()
    with pytest.raises(DataError, match=r"sub-c001.*label-GM"):
        ensure_phantom(small("refused", f"anatomy={broken}"))


def test_a_flair_is_written_for_whoever_asks_and_changes_nothing_else(small):
    few = ("cohort.n_paired=1", "cohort.n_unpaired=1", "cohort.mri_visible=1", "cohort.lesion_radius_mm=[15,18]")
    without, with_flair = (
        ensure_phantom(small(name, *few, *more))
        for name, more in (("without", ()), ("with", ("cohort.modalities=[pet,flair,t1w]",)))
    )
    plain, cohort = hashes(without), Cohort.open(with_flair)
    assert cohort.modalities == ("flair", "pet", "t1w")
    assert [s.participant_id for s in cohort.subjects if cohort.has(s.participant_id, "flair")] == [
        s.participant_id for s in cohort.subjects
    ]
    more = {name for name, found in hashes(with_flair).items() if plain.get(name) != found}
    assert {name for name in more if "_FLAIR." not in name} == {"README.md"}
    assert "FLAIR" in (with_flair / "README.md").read_text()
    assert "FLAIR" not in (without / "README.md").read_text()
    configs = [json.loads((root / "run.json").read_text())["config"] for root in (without, with_flair)]
    assert configs[1] == configs[0] | {"modalities": ["t1w", "pet", "flair"]}


def test_a_flair_shows_fluid_dark_grey_matter_brighter_than_white_and_a_visible_lesion_bright(small):
    asked = ("cohort.modalities=[t1w,flair,pet]", "cohort.n_paired=0", "cohort.lesion_radius_mm=[15,18]")
    shown, hidden = (
        Cohort.open(ensure_phantom(small(f"flair{share}", *asked, f"cohort.mri_visible={share}"))) for share in (1, 0)
    )
    name = "sub-p001"
    lesion, brain = shown.load_lesion(name), shown.load_mask(name)
    flair = shown.load_image(name, "flair")
    gm, wm, csf = (flair[(shown.load(name, kind) > 0.7) & ~lesion & brain].mean() for kind in ("gm", "wm", "csf"))
    assert csf < 0.35 < wm < gm - 0.05
    healthy = hidden.load_image(name, "flair")
    assert flair[lesion].mean() > gm + 0.05 > healthy[hidden.load_lesion(name)].mean()
    about = json.loads(sidecar_path(shown.path(name, "flair")).read_text())
    assert about["Simulated"] is about["SkullStripped"] is True


def test_real_anatomy_gets_a_simulated_flair(tiny_cohort, small):
    asked = (f"anatomy={tiny_cohort.root}", "cohort.modalities=[t1w,flair,pet]")
    cohort = Cohort.open(ensure_phantom(small("semiflair", *asked)))
    for subject in cohort.subjects:
        sidecar = sidecar_path(cohort.path(subject.participant_id, "flair"))
        assert json.loads(sidecar.read_text())["Simulated"] is True
    assert len(cohort.pairs(("t1w", "flair"), "pet")) == len(cohort.select("paired"))


@pytest.mark.parametrize("asked", ["[flair]", "[t1w,flair]", "[t1w,pet,t2w]", "[]"])
def test_modalities_that_the_phantom_cannot_make_are_refused(small, asked):
    with pytest.raises(UsageError, match=r"cohort.modalities=.*expected"):
        small("refused", f"cohort.modalities={asked}")
