"""The simulated cohort on disk: who is in it, made side by side, each subject written by its own worker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_json, write_text
from synthpet.cohort.images import Grid, write_image
from synthpet.cohort.index import Cohort, Subject, write_participants
from synthpet.cohort.names import image_path, resolution_label, sidecar_path
from synthpet.errors import DataError
from synthpet.phantom.options import PhantomOptions, PhantomStudy
from synthpet.phantom.person import Plan, simulate, simulate_on
from synthpet.phantom.scanner import Scanner, draw_scanner
from synthpet.phantom.template import Template, load_template
from synthpet.runtime.claim import NOBODY, RESULTS, SIMULATED, claim, source_of
from synthpet.runtime.compute import Compute, in_processes
from synthpet.runtime.console import progress, say
from synthpet.runtime.options import Study
from synthpet.runtime.stage import Stage

SITES = ("siteA", "siteB")
REAL_ANATOMY_MM = 3.0  # of the template, whatever the grid of the real T1s
SCANNER_STREAM, DEALING_STREAM = 1000, 2000  # keep these draws apart from those of the subjects
ANATOMY_KINDS = ("t1w", "brain_mask", "gm", "wm", "csf")
DESCRIPTIONS = {
    "t1w": "T1-weighted MRI, intensities scaled within the brain mask",
    "flair": "FLAIR MRI, intensities scaled within the brain mask",
    "brain_mask": "brain mask",
    "gm": "share of grey matter",
    "wm": "share of white matter",
    "csf": "share of cerebrospinal fluid",
    "lesion_mask": "lesion: where more than 0.4 of its depth is lost",
    "pet": "FDG PET",
    "withheld_pet": "FDG PET of an unpaired control, withheld: no training may read it",
    "expected_pet": "FDG PET expected from anatomy and age: no individual effects, no lesion, no noise",
}
README = """Simulated data: nobody here is a real patient, and no image is a measurement of a PET scanner.

T1-weighted MRI and FDG PET (SUVR, whole brain = 1) made by `python -m synthpet.phantom`. `desc-expected_pet` is the
PET that the anatomy alone predicts; `desc-withheld_pet` is the true PET of unpaired controls, which trains nothing.
{origin}{more}
Uptake figures: group-mean FDG of Blazey et al. (hygly_figures, MIT) at the points of Seitzman et al. 2020.
"""
FLAIR = """
Everybody has a FLAIR too, simulated from the same tissues (noise, bias field and contrast are its scanner's): grey
matter a little brighter than white, fluid dark, and bright where MRI shows a lesion (`mri_visible`)."""


def ensure_phantom(study: Study) -> Path:
    """Write the simulated cohort unless it is there; return its root.

    With ``anatomy`` (the folder of a prepared cohort), FDG and lesions are simulated on its controls' real T1.

    Args:
        study: of the phantom's own command, or of another one that needs the cohort.

    Raises:
        DataError: the cohort of ``anatomy`` lacks images.
        UsageError: the folder holds something else, or the cohort is not a simulated one.
    """
    asked = PhantomStudy.within(study)
    options, source = asked.people, Cohort.open(asked.real_anatomy) if asked.real_anatomy else None
    root, config = options.path, options.manifest()
    inputs: tuple[Path, ...] = ()
    if source:
        root, options, config = _semireal(asked, source.root)
        inputs = (source.root / "participants.tsv", *_anatomy_files(source))
    people = source_of(source) if source else NOBODY
    if study.work_dir in root.parents:
        claim(study.work_dir, RESULTS, people)
    claim(root, SIMULATED, people)
    work = partial(_write_cohort, root, options, source, asked.patients_per_anatomy, study.compute)
    Stage("cohort", root, config, inputs).ensure(work)
    cohort = Cohort.open(root)
    numbers = ", ".join(f"{len(cohort.select(role))} {role}" for role in options.counts)
    say(f"simulated cohort {root}: {numbers}; grid {cohort.grid}")
    return root


def _semireal(study: PhantomStudy, anatomy: Path) -> tuple[Path, PhantomOptions, dict[str, Any]]:
    """Folder, options and manifest of a cohort on real anatomy: named after its source unless the user named it."""
    folder = anatomy.resolve()
    name = f"{folder.parent.name if folder.name == 'cohort' else folder.name}-semireal"
    is_named = study.work_dir != Path("outputs", study.cohort.name)
    options = replace(study.people, name=name)
    config = options.manifest("resolution_mm", "source", "anatomy", "age")
    if study.patients_per_anatomy != 1:
        config["patients_per_anatomy"] = study.patients_per_anatomy
    return options.path if is_named else Path("outputs", name, "cohort"), options, config


def _anatomy_files(source: Cohort) -> list[Path]:
    controls = source.select("paired", "unpaired", "heldout")
    missing = [source.path(s.participant_id, k) for s in controls for k in ANATOMY_KINDS
               if not source.has(s.participant_id, k)]  # fmt: skip
    if missing or not controls:
        listed = "\n  ".join(map(str, missing)) or "no controls"
        raise DataError(
            f"E_MISSING {source.root}: cannot serve as anatomy; expected T1, mask, GM, WM and CSF of every control "
            f"(`python -m synthpet.prepare` writes them); missing:\n  {listed}"
        )
    return source.files(ANATOMY_KINDS, controls)


def _write_cohort(
    root: Path, options: PhantomOptions, source: Cohort | None, patients_per_anatomy: int, compute: Compute
) -> list[Path]:
    template = load_template(REAL_ANATOMY_MM if source else options.resolution_mm)
    plans = deal_subjects(options, source, patients_per_anatomy) if source else plan_subjects(options)
    make = partial(_make_subject, template=template, options=options, source=source, root=root)
    made = in_processes(make, plans, compute, name=lambda plan: plan.participant_id)
    by_id = {plan.participant_id: result for plan, result in progress(made, "simulating subjects", len(plans))}
    done = [by_id[plan.participant_id] for plan in plans]
    origin = "T1: real people, prepared; PET and lesions: simulated." if source else "T1 and PET: simulated."
    more = FLAIR if "flair" in options.modalities else ""
    readme = write_text(root / "README.md", README.format(origin=origin, more=more))
    table = write_participants(root, [subject for subject, _ in done], name=options.name, simulated=True)
    return [readme, *table, *(path for _, paths in done for path in paths)]


def plan_subjects(options: PhantomOptions) -> list[Plan]:
    """Everybody's id, role and site; a subject's seed depends on its role and its number within it alone."""
    sites = scanners(options.seed)
    plans = []
    controls = 0
    for code, (role, count) in enumerate(options.counts.items()):
        for k in range(count):
            label = f"sub-p{k + 1:03d}" if role == "patient" else f"sub-c{controls + k + 1:03d}"
            plans.append(Plan(label, role, k, sites[k % len(SITES)], (options.seed, code, k)))
        controls += count
    return plans


def deal_subjects(options: PhantomOptions, source: Cohort, copies: int = 1) -> list[Plan]:
    """Deal the controls of a cohort into the roles, in the proportions of the configured numbers.

    Args:
        options: numbers and seed.
        source: the cohort.
        copies: how many patients whoever is dealt to them becomes, each with a lesion, metabolism and PET of its own,
            and nobody's control.
    """
    controls = source.select("paired", "unpaired", "heldout")
    counts = _in_proportion(list(options.counts.values()), len(controls))
    order = np.random.default_rng((options.seed, DEALING_STREAM)).permutation(len(controls))
    sites = scanners(options.seed)
    places = [(code, number) for code, count in enumerate(counts) for number in range(count)]
    plans = []
    for k, (code, place) in enumerate(places):
        subject, role = controls[order[k]], tuple(options.counts)[code]
        several = role == "patient" and copies > 1
        for copy in range(copies if several else 1):
            number = place * copies + copy if several else place
            label = f"{subject.participant_id}lesion{copy + 1}" if several else subject.participant_id
            seed = (options.seed, code, number)
            plans.append(Plan(label, role, number, sites[k % len(SITES)], seed, subject))
    return sorted(plans, key=lambda plan: plan.participant_id)


def _in_proportion(shares: Sequence[int], total: int) -> list[int]:
    """Whole numbers that sum to ``total``, in the proportions of ``shares`` (largest remainders get the rest)."""
    exact = np.array(shares, float) / sum(shares) * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts.tolist()


def scanners(seed: int) -> list[Scanner]:
    """The scanners of the sites."""
    return [draw_scanner(np.random.default_rng((seed, SCANNER_STREAM, k)), site) for k, site in enumerate(SITES)]


def _make_subject(
    plan: Plan, template: Template, options: PhantomOptions, source: Cohort | None, root: Path
) -> tuple[Subject, list[Path]]:
    if source and plan.source:
        subject, images = simulate_on(plan, plan.source, template, options, source)
        grid, res = source.grid, source.res
    else:
        subject, images = simulate(plan, template, options)
        grid, res = template.grid, resolution_label(options.resolution_mm)
    return subject, _write_subject(root, subject, images, grid, res, plan.scanner, real_t1w=source is not None)


def _write_subject(
    root: Path, subject: Subject, images: Mapping[str, NDArray], grid: Grid, res: str, scanner: Scanner, *,
    real_t1w: bool,
) -> list[Path]:  # fmt: skip
    """Write one subject's images, (I, J, K) by kind, with their sidecars; return the files."""
    paths = []
    for kind, image in images.items():
        path = root / image_path(subject.participant_id, kind, res=res)
        real = real_t1w and kind in ANATOMY_KINDS and not subject.mri_visible
        paths.append(write_image(path, image, grid, description="" if real else "simulated"))
        paths.append(write_json(sidecar_path(path), _sidecar(kind, grid, scanner, simulated=not real)))
    return paths


def _sidecar(kind: str, grid: Grid, scanner: Scanner, *, simulated: bool) -> dict[str, object]:
    """What BIDS asks of a derivative image, and that the image is simulated."""
    about: dict[str, object] = {
        "Description": ("simulated " if simulated else "") + DESCRIPTIONS[kind],
        "Simulated": simulated,
        "SkullStripped": kind in ("t1w", "flair"),
        "Resolution": f"{grid.spacing_mm[0]:g} mm isotropic, template grid symmetric about x = 0",
    }
    if kind.endswith("mask"):
        about["Type"] = "Brain" if kind == "brain_mask" else "Lesion"
    return about | (_tracer(scanner) if kind.endswith("pet") else {})


def _tracer(scanner: Scanner) -> dict[str, object]:
    return {
        "TracerName": "FDG",
        "TracerRadionuclide": "F18",
        "Units": "arbitrary",
        "SUVRReferenceRegion": "whole brain (mean within the brain mask)",
        "PointSpreadFunctionFWHM": round(scanner.pet_fwhm_mm, 3),
        "Site": scanner.name,
    }
