"""The simulated people as a raw BIDS data set, as scanners deliver it: to try ``synthpet.prepare`` on, with the truth.

The truth about everybody's alignment lies in ``derivatives/truth``; ``synthpet.prepare`` does not read it.
"""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from synthpet.cohort.files import write_bytes, write_json, write_text, write_tsv
from synthpet.cohort.index import COLUMNS, Subject
from synthpet.cohort.manifest import MANIFEST
from synthpet.cohort.names import sidecar_path
from synthpet.errors import UsageError
from synthpet.phantom.cohort import plan_subjects
from synthpet.phantom.options import PhantomOptions, PhantomStudy
from synthpet.phantom.person import Plan, describe, make_person
from synthpet.phantom.raw_protocol import Protocol, draw_protocol
from synthpet.phantom.raw_scan import RawImage, Visit, scan_flair, scan_lesion, scan_pet, scan_t1w
from synthpet.phantom.template import load_template
from synthpet.runtime.claim import NOBODY, RAW, claim
from synthpet.runtime.compute import Compute, in_processes
from synthpet.runtime.console import progress, say
from synthpet.runtime.stage import Stage

ANATOMY_MM = 2.0  # the people are made on a lattice of half of it, as fine as a T1
RAW_COLUMNS = ("participant_id", "group", "age", "sex", "site", "lesion_site")
LESIONS, TRUTH = Path("derivatives", "lesions"), Path("derivatives", "truth")
README = """SIMULATED DATA: nobody here is a real person, and no image is a measurement of a scanner.

A raw BIDS data set made by `python -m synthpet.phantom raw=<this folder>`, to try `python -m synthpet.prepare` on:
T1w and FLAIR, skull-stripped unless their sidecars say "whole head" (int16, arbitrary units, tilted head, bias field,
noise), FDG PET (Bq/mL, frames of
unequal duration, not stripped, another pose than the T1's), lesions drawn on the patients' T1
(`derivatives/lesions`). `derivatives/truth` holds the true alignment, which preparation must find by itself.
"""
TRUTH_KEYS = {
    "t1w_to_person": "4x4, points of the native T1 to the person's own space, near the template's, RAS+ mm",
    "pet_to_t1w": "4x4, points of the native PET to the native T1, RAS+ mm; null without a PET",
    "flair_to_t1w": "4x4, points of the native FLAIR to the native T1, RAS+ mm; null without a FLAIR",
    "bq_per_ml": "activity where the uptake is that of the template's whole brain",
    "pet_fwhm_mm": "point spread function of the PET",
    "pet_noise": "standard deviation of the mean PET's noise where the uptake is 1, relative",
    "pet_noise_fwhm_mm": "correlation of that noise",
    "pet_cut": "top or bottom where the field of view ends within the brain, else empty",
    "seed": "of the person: cohort, role, number",
}


def ensure_raw(study: PhantomStudy) -> Path:
    """Write the raw BIDS data set ``study.raw`` unless it is there; return its root.

    Raises:
        UsageError: no folder was given, it holds something else, or ``anatomy`` is given too: real T1s have no raw
            scan here.
    """
    if not study.raw:
        raise UsageError("raw: was not given; expected raw=<new folder>")
    if study.real_anatomy:
        raise UsageError("raw= and anatomy= together: expected one of them; raw= simulates the anatomy too")
    options = replace(study.people, anatomy="affine")  # nothing has registered them yet
    shares = {"flair_share": float(study.raw_flair_share), "cut_share": float(study.raw_cut_share)}
    shares |= {"skull": True} if study.raw_skull else {}
    root = Path(study.raw)
    claim(root, RAW, NOBODY)
    stage = Stage("raw data", root, options.manifest("source", "name", "resolution_mm", "modalities") | shares)
    stage.ensure(lambda: _write_dataset(root, options, shares, study.compute))
    numbers = ", ".join(f"{count} {role}" for role, count in options.counts.items())
    say(f"simulated raw BIDS {root}: {numbers}; next: python -m synthpet.prepare bids_dir={root}")
    return root


def _write_dataset(root: Path, options: PhantomOptions, shares: Mapping[str, float], compute: Compute) -> list[Path]:
    about = write_about(root)
    plans = plan_subjects(options)
    make = partial(_make, options=options, shares=shares, root=root)
    made = in_processes(make, plans, compute, name=lambda plan: plan.participant_id)
    by_id = {plan.participant_id: result for plan, result in progress(made, "simulating raw scans", len(plans))}
    done = [by_id[plan.participant_id] for plan in plans]
    rows = [subject.row() for subject, _ in done]
    table = write_tsv(root / "participants.tsv", rows, RAW_COLUMNS)
    columns = {column: {"Description": COLUMNS[column]} for column in RAW_COLUMNS[1:]}
    return [*about, table, write_json(root / "participants.json", columns), *(p for _, paths in done for p in paths)]


def write_about(root: Path) -> list[Path]:
    """Write what says of the whole data set, and of its derivatives, what it is; return the files."""
    written = [
        write_text(root / "README", README),
        write_text(root / ".bidsignore", f"{MANIFEST}\n"),
        _write_description(root, "Simulated raw T1 + FDG PET", "raw"),
    ]
    for folder, name in ((LESIONS, "Simulated lesions, drawn on the T1"), (TRUTH, "True alignment of simulated scans")):
        written.append(_write_description(root / folder, name, "derivative"))
    return written


def _write_description(folder: Path, name: str, kind: str) -> Path:
    from synthpet import __version__

    description: dict[str, Any] = {"Name": name, "BIDSVersion": "1.9.0", "DatasetType": kind, "Simulated": True}
    description["GeneratedBy"] = [{"Name": "synthpet", "Version": __version__}]
    return write_json(folder / "dataset_description.json", description)


def _make(plan: Plan, options: PhantomOptions, shares: Mapping[str, float], root: Path) -> tuple[Subject, list[Path]]:
    person = make_person(plan, load_template(ANATOMY_MM), options)
    visit = Visit(plan, person, draw_protocol(plan, cut_share=shares["cut_share"], skull=bool(shares.get("skull"))))
    written = write_raw_subject(root, visit, flair=plan.rng("flair").random() < shares["flair_share"])
    return describe(plan, person.age, person.sex, plan.scanner.name, person.lesion), written


def write_raw_subject(root: Path, visit: Visit, *, flair: bool = False) -> list[Path]:
    """Write one person's raw images, sidecars, lesion mask and truth; return the files.

    Args:
        root: of the data set.
        visit: who is scanned, and how; unpaired controls get no PET.
        flair: whether to write a FLAIR too.
    """
    name, protocol = visit.plan.participant_id, visit.protocol
    pet = visit.plan.role != "unpaired"
    anat = root / name / "anat"
    about = _mri_sidecar(visit, "T1-weighted MRI", skull=protocol.skull)
    written = _write(anat / f"{name}_T1w.nii.gz", scan_t1w(visit), about)
    if flair:
        written += _write(anat / f"{name}_FLAIR.nii.gz", scan_flair(visit), _mri_sidecar(visit, "FLAIR", skull=False))
    if pet:
        path = root / name / "pet" / f"{name}_trc-18FFDG_pet.nii.gz"
        written += _write(path, scan_pet(visit), _pet_sidecar(visit))
    if visit.person.lesion:
        path = root / LESIONS / name / "anat" / f"{name}_label-lesion_mask.nii.gz"
        about = {"Type": "Lesion", "Sources": [f"bids:raw:{name}/anat/{name}_T1w.nii.gz"], "Simulated": True}
        written += _write(path, scan_lesion(visit), about)
    truth = _truth(visit, protocol, flair=flair, pet=pet)
    return [*written, write_json(root / TRUTH / f"{name}_truth.json", truth)]


def _truth(visit: Visit, protocol: Protocol, *, flair: bool, pet: bool) -> dict[str, Any]:
    scanner = visit.plan.scanner
    flair_to_t1w = protocol.t1w_pose @ np.linalg.inv(protocol.flair_pose)
    values = {
        "t1w_to_person": np.linalg.inv(protocol.t1w_pose).tolist(),
        "pet_to_t1w": protocol.pet_to_t1w.tolist() if pet else None,
        "flair_to_t1w": flair_to_t1w.tolist() if flair else None,
        "bq_per_ml": protocol.bq_per_ml,
        "pet_fwhm_mm": scanner.pet_fwhm_mm,
        "pet_noise": scanner.pet_noise,
        "pet_noise_fwhm_mm": scanner.pet_noise_fwhm_mm,
        "pet_cut": protocol.cut if pet else "",
        "seed": list(visit.plan.seed),
    }
    return {"Simulated": True, "Description": TRUTH_KEYS, **values}


def _write(path: Path, image: RawImage, sidecar: Mapping[str, Any]) -> list[Path]:
    """NIfTI as of a scanner: whole numbers as they are, others as int16 with a scale; equal input gives equal bytes."""
    nifti = nib.Nifti1Image(image.data, image.affine)
    if np.issubdtype(image.data.dtype, np.floating):
        nifti.set_data_dtype(np.int16)
    nifti.set_sform(image.affine, code="scanner")
    nifti.set_qform(image.affine, code="scanner")
    nifti.header.set_xyzt_units("mm", "sec")
    nifti.header["descrip"] = b"simulated"
    content = gzip.compress(nifti.to_bytes(), compresslevel=4, mtime=0)
    return [write_bytes(path, content), write_json(sidecar_path(path), sidecar)]


def _mri_sidecar(visit: Visit, what: str, *, skull: bool) -> dict[str, Any]:
    return {
        "Simulated": True,
        "Description": f"simulated {what}, {'whole head' if skull else 'skull-stripped'}",
        "Manufacturer": "simulated",
        "MagneticFieldStrength": 3,
        "InstitutionName": visit.plan.scanner.name,
    }


def _pet_sidecar(visit: Visit) -> dict[str, Any]:
    """What BIDS requires of a PET. Site B counts time from the start of the scan, site A from the injection."""
    frames = visit.protocol.frames
    zero = frames.start_s[0] if visit.plan.scanner.name == "siteB" else 0.0
    scanned = {
        "TimeZero": "10:00:00",
        "ScanStart": frames.start_s[0] - zero,
        "InjectionStart": -zero,
        "FrameTimesStart": [start - zero for start in frames.start_s],
        "FrameDuration": list(frames.duration_s),
        "AcquisitionMode": "simulated",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": -zero,
        "AttenuationCorrection": "none needed: simulated",
    }
    return {"Simulated": True, "Description": "simulated FDG PET", **_tracer(), **scanned, **_reconstruction(visit)}


def _tracer() -> dict[str, Any]:
    return {
        "Manufacturer": "simulated",
        "ManufacturersModelName": "simulated",
        "Units": "Bq/mL",
        "BodyPart": "Brain",
        "TracerName": "FDG",
        "TracerRadionuclide": "F18",
        "InjectedRadioactivity": 180,
        "InjectedRadioactivityUnits": "MBq",
        "InjectedMass": "n/a",
        "InjectedMassUnits": "n/a",
        "SpecificRadioactivity": "n/a",
        "SpecificRadioactivityUnits": "n/a",
        "ModeOfAdministration": "bolus",
    }


def _reconstruction(visit: Visit) -> dict[str, Any]:
    return {
        "InstitutionName": visit.plan.scanner.name,
        "ReconMethodName": "simulated",
        "ReconMethodParameterLabels": ["point spread function FWHM"],
        "ReconMethodParameterUnits": ["mm"],
        "ReconMethodParameterValues": [round(visit.plan.scanner.pet_fwhm_mm, 3)],
        "ReconFilterType": "none",
        "ReconFilterSize": 0,
    }
