"""Public data sets by name: who gets which image on trees of the same names, with images of a few voxels."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synthpet.command.main import compose
from synthpet.errors import UsageError
from synthpet.phantom.raw_dataset import write_raw_subject
from synthpet.phantom.template import load_template
from synthpet.prepare.cohort import ensure_prepared
from synthpet.prepare.raw import RawData, read_raw
from synthpet.prepare.recipes import Recipe, recipes
from tests.conftest import study
from tests.prepare.test_known_alignment import visit_of
from tests.prepare.trees import make, with_sidecar

ADNI = "ses-M000/pet/sub-ADNI1_ses-M000_trc-18FFDG"


def read(root: Path, name: str, *more: str) -> RawData:
    """As ``python -m synthpet.prepare dataset=<name> bids_dir=<root>`` reads a folder."""
    return read_raw(root, study("prepare", f"dataset={name}", f"bids_dir={root}", *more).reading)


def found(raw: RawData) -> dict[str, tuple[str, dict[str, str]]]:
    """Role and images of everybody, as paths below the folder."""
    assert raw.questions == ()
    assert [person.problem for person in raw.people if person.problem] == []
    kinds = ("t1w", "pet", "flair", "brain_mask", "lesion_mask")
    return {
        person.subject.participant_id: (
            person.subject.role,
            {kind: person.source(path) for kind in kinds if (path := getattr(person, kind)) is not None},
        )
        for person in raw.people
    }


def table(path: Path, text: str) -> Path:
    path.write_text(text.replace(" ", "\t"))
    return path


def test_hedypet(tmp_path):
    anat, pet = "train/sub-000/ses-vida/anat/sub-000_ses-vida", "train/sub-000/ses-quadra/pet/sub-000_ses-quadra"
    make(tmp_path, f"{anat}_acq-MPRAGE_T1w.nii.gz", f"{anat}_acq-Dixon_T1w.nii.gz")
    make(tmp_path, *(f"{pet}_trc-18FFDG_rec-{rec}_pet.nii.gz" for rec in ("acdynPSF", "acstatOSEM", "acstatPSF")))
    table(tmp_path / "train/participants.tsv", "participant_id age sex\nsub-000 40 F\n")
    raw = read(tmp_path, "hedypet")
    images = {"t1w": f"{anat}_acq-MPRAGE_T1w.nii.gz", "pet": f"{pet}_trc-18FFDG_rec-acstatPSF_pet.nii.gz"}
    assert found(raw) == {"sub-000": ("paired", images)}
    assert (raw.people[0].subject.age, raw.people[0].notes) == (40, ("PET of ses-quadra, T1w of ses-vida",))
    assert study("prepare", "dataset=hedypet", f"bids_dir={tmp_path}").settings.smooth_to_fwhm_mm == 8


def test_ds003382(tmp_path):
    for k in (2, 3):
        stem = f"sub-0{k}/pet/sub-0{k}_task-checkerboard_trc-18FFDG_rec-"
        make(tmp_path, f"sub-0{k}/anat/sub-0{k}_run-001_T1w.nii.gz")
        make(tmp_path, *(f"{stem}{rec}_run-001_pet.nii.gz" for rec in ("acdyn", "acstat", "nacstat")))
    table(tmp_path / "participants.tsv", "participant_id age\nsub-02 18\nsub-03 49\n")
    pets = [images["pet"] for _, images in found(read(tmp_path, "ds003382")).values()]
    assert pets == [f"sub-0{k}/pet/sub-0{k}_task-checkerboard_trc-18FFDG_rec-acstat_run-001_pet.nii.gz" for k in (2, 3)]


def test_ds004513(tmp_path):
    for ses in ("closed", "open"):
        make(tmp_path, f"sub-s003/ses-{ses}/anat/sub-s003_ses-{ses}_T1w.nii.gz")
        with_sidecar(tmp_path, f"sub-s003/ses-{ses}/pet/sub-s003_ses-{ses}_task-rest_pet.nii.gz", TracerName="FDG")
    make(tmp_path, "derivatives/energetic-costs/sub-s003/ses-open/anat/sub-s003_ses-open_desc-bet_T1w.nii.gz")
    for ses, more in (("open", ()), ("closed", ("session=closed",))):
        stem = f"sub-s003/ses-{ses}"
        assert found(read(tmp_path, "ds004513", *more))["sub-s003"][1] == {
            "t1w": f"{stem}/anat/sub-s003_ses-{ses}_T1w.nii.gz",
            "pet": f"{stem}/pet/sub-s003_ses-{ses}_task-rest_pet.nii.gz",
        }
    assert study("prepare", "dataset=ds004513", f"bids_dir={tmp_path}").settings.pet_window_min == (20, 45)


@pytest.mark.parametrize("name", ["task-rest_pet", "task-rest_trc-18FFDG_rec-acdyn_run-001_pet"])
def test_ds002898(name, tmp_path):
    make(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    with_sidecar(tmp_path, f"sub-01/pet/sub-01_{name}.nii.gz", TracerName="FDG")
    role, images = found(read(tmp_path, "ds002898"))["sub-01"]
    assert (role, images["pet"]) == ("paired", f"sub-01/pet/sub-01_{name}.nii.gz")


@pytest.mark.parametrize("pet", ["pet", "PET"])
def test_cermep(pet, tmp_path):
    stem = "sub-0001/sub-0001"
    make(tmp_path, *(f"{stem}_space-pet_{kind}.nii.gz" for kind in ("T1w", "FLAIR", "CT")), f"{stem}_{pet}.nii.gz")
    images = {
        "t1w": f"{stem}_space-pet_T1w.nii.gz",
        "pet": f"{stem}_{pet}.nii.gz",
        "flair": f"{stem}_space-pet_FLAIR.nii.gz",
    }
    assert found(read(tmp_path, "cermep")) == {"sub-0001": ("paired", images)}


def test_adni_bids_never_mixes_resolutions_and_asks_for_the_column_of_the_diagnosis(tmp_path):
    for k in (1, 2):
        make(tmp_path, f"sub-ADNI{k}/ses-M000/anat/sub-ADNI{k}_ses-M000_T1w.nii.gz")
    make(tmp_path, *(f"sub-ADNI1/{ADNI}_rec-{rec}_pet.nii.gz" for rec in ("coregiso", "uniform")))
    make(tmp_path, f"sub-ADNI2/{ADNI}_rec-coregiso_pet.nii.gz".replace("ADNI1", "ADNI2"))
    table(tmp_path / "participants.tsv", "participant_id diagnosis_1 sex\nsub-ADNI1 CN F\nsub-ADNI2 EMCI M\n")
    (question,) = read(tmp_path, "adni_bids").questions
    assert "columns.group=<column>" in question
    one, two = found(read(tmp_path, "adni_bids", "columns.group=diagnosis_1")).values()
    assert (one[0], one[1]["pet"]) == ("paired", f"sub-ADNI1/{ADNI}_rec-uniform_pet.nii.gz")
    assert two[0] == "patient" and "pet" not in two[1]


def test_adni_caps_asks_for_the_table(tmp_path):
    space = "space-MNI152NLin2009cSym_desc-Crop_res-1x1x1"
    session, stem = "subjects/sub-ADNI1/ses-M000", "sub-ADNI1_ses-M000"
    make(tmp_path / "caps", f"{session}/t1_linear/{stem}_{space}_T1w.nii.gz")
    make(tmp_path / "caps", f"{session}/pet_linear/{stem}_trc-18FFDG_{space}_suvr-pons2_pet.nii.gz")
    with pytest.raises(UsageError, match=r"participants: was not given; expected participants=<participants.tsv of"):
        read(tmp_path / "caps", "adni_caps")
    given = table(tmp_path / "participants.tsv", "participant_id diagnosis\nsub-ADNI1 AD\n")
    role, images = found(read(tmp_path / "caps", "adni_caps", f"participants={given}"))["sub-ADNI1"]
    assert (role, sorted(images)) == ("patient", ["pet", "t1w"])


def test_bonn(tmp_path):
    for k, acq in ((1, "T2sel"), (2, "tse3dvfl")):
        make(tmp_path, f"sub-0000{k}/anat/sub-0000{k}_acq-iso08_T1w.nii.gz")
        make(tmp_path, f"sub-0000{k}/anat/sub-0000{k}_acq-{acq}_FLAIR.nii.gz")
    make(tmp_path, "sub-00001/anat/sub-00001_acq-T2sel_FLAIR_roi.nii.gz")
    rows = "participant_id group lobe\nsub-00001 fcd frontal\nsub-00002 hc n/a\n"
    table(tmp_path / "participants.tsv", f"\ufeff{rows}")
    raw = read(tmp_path, "bonn")
    patient, control = found(raw).values()
    assert patient[0] == "patient" and control[0] == "unpaired"
    assert patient[1]["lesion_mask"] == "sub-00001/anat/sub-00001_acq-T2sel_FLAIR_roi.nii.gz"
    assert study("prepare", "dataset=bonn", f"bids_dir={tmp_path}").settings.lesion_space == "flair"
    assert control[1]["flair"] == "sub-00002/anat/sub-00002_acq-tse3dvfl_FLAIR.nii.gz"
    assert raw.people[0].subject.lesion_site == "frontal"


def test_ideas_asks_for_the_table(tmp_path):
    make(tmp_path, *(f"sub-{k}/anat/sub-{k}_{kind}.nii.gz" for k in (1, 2) for kind in ("T1w", "FLAIR")))
    with pytest.raises(UsageError, match="participants: was not given"):
        read(tmp_path, "ideas")
    table(tmp_path / "participants.tsv", "participant_id group\nsub-1 patient\nsub-2 control\n")
    assert [role for role, _ in found(read(tmp_path, "ideas")).values()] == ["patient", "unpaired"]


def test_wmh_tells_the_same_id_of_two_sites_apart(tmp_path):
    sites = ("Utrecht", "Singapore", "Amsterdam/GE3T")
    for site in sites:
        make(tmp_path, *(f"training/{site}/100/{at}.nii.gz" for at in ("pre/T1", "pre/FLAIR", "orig/3DT1", "wmh")))
        make(tmp_path, f"training/{site}/100/additional_annotations/observer_o3/wmh.nii.gz")
    raw = read(tmp_path, "wmh")
    by_site = {person.subject.site: person for person in raw.people}
    assert sorted(found(raw)) == ["sub-AmsterdamGE3T100", "sub-Singapore100", "sub-Utrecht100"]
    assert sorted(by_site) == ["AmsterdamGE3T", "Singapore", "Utrecht"]
    person = by_site["AmsterdamGE3T"]
    assert person.subject.role == "patient"
    assert person.source(person.lesion_mask) == "training/Amsterdam/GE3T/100/wmh.nii.gz"
    assert person.source(person.t1w) == "training/Amsterdam/GE3T/100/pre/T1.nii.gz"


def test_msseg(tmp_path):
    at = "training/Center_01/Patient_05"
    make(tmp_path, *(f"{at}/Preprocessed_Data/{k}_preprocessed.nii.gz" for k in ("T1", "FLAIR", "GADO", "T2")))
    make(tmp_path, f"{at}/Masks/Consensus.nii.gz", f"{at}/Masks/ManualSegmentation_1.nii.gz")
    images = {
        "t1w": f"{at}/Preprocessed_Data/T1_preprocessed.nii.gz",
        "flair": f"{at}/Preprocessed_Data/FLAIR_preprocessed.nii.gz",
        "lesion_mask": f"{at}/Masks/Consensus.nii.gz",
    }
    assert found(read(tmp_path, "msseg")) == {"sub-Center01Patient05": ("patient", images)}


def test_open_ms(tmp_path):
    for variant in ("raw", "coregistered_resampled"):
        at = f"cross_sectional/{variant}/patient01"
        make(tmp_path, *(f"{at}/{name}.nii.gz" for name in ("T1W", "T1WKS", "T2W", "FLAIR", "consensus_gt")))
    at = "cross_sectional/raw/patient01"
    images = {
        "t1w": f"{at}/T1W.nii.gz",
        "flair": f"{at}/FLAIR.nii.gz",
        "lesion_mask": f"{at}/consensus_gt.nii.gz",
    }
    assert found(read(tmp_path, "open_ms")) == {"sub-patient01": ("patient", images)}


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_has_a_line_terms_and_a_way_to_get_it(name, capsys):
    about = Recipe.of(compose("prepare", f"dataset={name}").dataset)
    assert about.licence and about.size and about.citation and about.get
    assert 20 < len(recipes()[name]) < 120
    about.announce()
    said = capsys.readouterr().out
    assert said.startswith(f"dataset={name}: nothing was downloaded here")
    assert f"  licence: {about.licence}\n" in said


def test_without_a_name_nothing_is_set_and_nothing_is_said(capsys):
    plain = study("prepare", "bids_dir=x")
    assert plain.dataset == Recipe()
    plain.dataset.announce()
    assert capsys.readouterr().out == ""


def test_the_list_is_shown_and_a_near_name_offered(tmp_path):
    def run(option: str) -> subprocess.CompletedProcess:
        line = [sys.executable, "-m", "synthpet.prepare", option]
        return subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)

    shown = run("dataset=?")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == list(recipes())
    refused = run("dataset=hedipet")
    assert refused.returncode == 64
    assert "Did you mean: dataset/hedypet" in refused.stderr


def simulated(folder: Path, draws: tuple[int, ...]) -> list[dict[str, Path]]:
    """Raw T1, PET and the PET's sidecar of simulated people."""
    found = []
    for draw in draws:
        visit = visit_of(draw, load_template(3.0))
        write_raw_subject(folder, visit)
        own = folder / visit.plan.participant_id
        (t1w,), (pet,), (about,) = own.glob("anat/*_T1w.nii.gz"), own.glob("pet/*.nii.gz"), own.glob("pet/*_pet.json")
        found.append({"t1w": t1w, "pet": pet, "about": about})
    return found


@pytest.mark.slow
def test_people_in_the_layout_of_ds003382_are_prepared_as_from_plain_files(tmp_path):
    def copy(source: Path, to: str) -> None:
        (tmp_path / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, tmp_path / to)

    for k, files in enumerate(simulated(tmp_path / "raw", (0, 1)), start=2):
        stem = f"named/sub-0{k}/pet/sub-0{k}_task-checkerboard_trc-18FFDG_rec"
        copy(files["t1w"], f"named/sub-0{k}/anat/sub-0{k}_run-001_T1w.nii.gz")
        copy(files["pet"], f"{stem}-acstat_run-001_pet.nii.gz")
        copy(files["about"], f"{stem}-acstat_run-001_pet.json")
        make(tmp_path, *(f"{stem}-{rec}_run-001_pet.nii.gz" for rec in ("acdyn", "nacstat")))
        copy(files["t1w"], f"plain/sub-0{k}/T1.nii.gz")
        copy(files["pet"], f"plain/sub-0{k}/PET.nii.gz")
        copy(files["about"], f"plain/sub-0{k}/PET.json")
    quick = ("registration=affine", "cohort.resolution_mm=4", "compute.n_jobs=1")
    patterns = ("t1w='{participant_id}/T1.nii.gz'", "pet='{participant_id}/PET.nii.gz'")
    cohorts = []
    for name, options in (("named", ("dataset=ds003382",)), ("plain", patterns)):
        more = (f"bids_dir={tmp_path / name}", f"work_dir={tmp_path / 'out' / name}")
        cohorts.append(ensure_prepared(study("prepare", *options, *more, *quick)))
    named, plain = (cohort.root for cohort in cohorts)
    assert [(s.participant_id, s.role) for s in cohorts[0].subjects] == [("sub-02", "paired"), ("sub-03", "paired")]
    images = sorted(path.relative_to(named) for path in named.rglob("*.nii.gz"))
    assert len([path for path in images if path.name.endswith("_pet.nii.gz")]) == 2
    assert images == sorted(path.relative_to(plain) for path in plain.rglob("*.nii.gz"))
    for path in images:
        assert (named / path).read_bytes() == (plain / path).read_bytes(), path
