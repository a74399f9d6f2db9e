"""The simulated cohort on disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_json
from synthpet.cohort.images import write_image
from synthpet.cohort.index import Subject, scale_t1w, write_participants
from synthpet.cohort.names import image_path, resolution_label, sidecar_path
from synthpet.console import progress
from synthpet.phantom.anatomy import grow
from synthpet.phantom.lesions import draw_lesion, thicken
from synthpet.phantom.metabolism import Variation, activity, individual_effect
from synthpet.phantom.scanner import Scanner, acquire_pet, acquire_t1w, block_mean, draw_scanner, strip_skull, suvr
from synthpet.phantom.template import Template, load_template
from synthpet.stage import Stage

if TYPE_CHECKING:
    from omegaconf import DictConfig

ROLES = ("paired", "unpaired", "heldout", "patient")
SITES = ("siteA", "siteB")


@dataclass(frozen=True)
class Plan:
    """One subject before it is made: the row without what chance decides, and the seed of that chance."""

    participant_id: str
    role: str
    site: str
    seed: tuple[int, ...]


def ensure_phantom(cfg: "DictConfig") -> Path:
    """Write the simulated cohort unless it is there; return its root."""
    root = Path(cfg.cohort.path)
    config = {key: value for key, value in _plain(cfg.cohort).items() if key != "path"}
    Stage("cohort", root, config).ensure(lambda: _write_cohort(cfg, root))
    return root


def _plain(node: "DictConfig") -> dict:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(node, resolve=True)  # type: ignore[return-value]


def _write_cohort(cfg: "DictConfig", root: Path) -> list[Path]:
    from joblib import Parallel, delayed

    template = load_template(cfg.cohort.resolution_mm)
    cohort = _plain(cfg.cohort)
    plans = list(plan_subjects(cohort))
    jobs = (delayed(_write_subject)(plan, template, cohort, root) for plan in plans)
    running = Parallel(n_jobs=cfg.compute.n_jobs, return_as="generator")(jobs)
    done = list(progress(running, "simulating subjects", len(plans)))
    table = write_participants(root, [subject for subject, _ in done], name=cfg.cohort.name, simulated=True)
    return [*table, *(path for _, paths in done for path in paths)]


def plan_subjects(cohort: dict) -> Iterator[Plan]:
    """Everybody's id, role and site; a subject's seed depends on its role and its number within it alone."""
    counts = (cohort["n_paired"], cohort["n_unpaired"], cohort["n_heldout"], cohort["n_patients"])
    controls = 0
    for code, (role, count) in enumerate(zip(ROLES, counts, strict=True)):
        for k in range(count):
            number = k + 1 if role == "patient" else controls + k + 1
            label = f"sub-{'p' if role == 'patient' else 'c'}{number:03d}"
            yield Plan(label, role, SITES[k % len(SITES)], (cohort["seed"], code, k))
        controls += count


def _write_subject(plan: Plan, template: Template, cohort: dict, root: Path) -> tuple[Subject, list[Path]]:
    rng = np.random.default_rng(plan.seed)
    scanner = draw_scanner(np.random.default_rng((cohort["seed"], 1000 + SITES.index(plan.site))), plan.site)
    subject, images = simulate(plan, template, scanner, cohort, rng)
    return subject, write_subject(root, subject, images, template, scanner)


def simulate(
    plan: Plan, template: Template, scanner: Scanner, cohort: dict, rng: np.random.Generator
) -> tuple[Subject, dict[str, NDArray]]:
    """Make one subject: its row and its images on the grid."""
    patient = plan.role == "patient"
    age = float(np.round(rng.uniform(20, 65), 1))
    sex = str(rng.choice(["F", "M"]))
    anatomy = grow(template, rng, age)
    lesion = None
    if patient:
        visible = bool(rng.random() < cohort["mri_visible"])
        lesion = draw_lesion(rng, anatomy, depth=tuple(cohort["lesion_depth"]),
                             radius_mm=tuple(cohort["lesion_radius_mm"]), mri_visible=visible)  # fmt: skip
        anatomy = thicken(anatomy, lesion) if visible else anatomy
    effect = individual_effect(rng, anatomy.lattice, age, Variation())
    if lesion:
        effect = effect * lesion.uptake_factor()
    tissues = (anatomy.gm, anatomy.wm, anatomy.csf)
    brain = strip_skull(anatomy, rng)
    t1w = scale_t1w(acquire_t1w(scanner, anatomy, rng), brain)
    true = acquire_pet(scanner, activity(*tissues, anatomy.uptake * effect), template.lattice, rng)
    expected = acquire_pet(scanner, activity(*tissues, anatomy.uptake), template.lattice, None)
    images: dict[str, NDArray] = {"t1w": t1w, "brain_mask": brain}
    images |= {kind: block_mean(tissue) for kind, tissue in zip(("gm", "wm", "csf"), tissues, strict=True)}
    images["withheld_pet" if plan.role == "unpaired" else "pet"] = suvr(true, brain)
    images["expected_pet"] = suvr(expected, brain)
    if lesion:
        images["lesion_mask"] = block_mean(lesion.mask()) > 0.25
    group = "patient" if patient else "control"
    subject = Subject(plan.participant_id, group, plan.role, age, sex, plan.site,
                      lesion.site if lesion else None, lesion.mri_visible if lesion else None)  # fmt: skip
    return subject, images


def write_subject(
    root: Path, subject: Subject, images: dict[str, NDArray], template: Template, scanner: Scanner
) -> list[Path]:
    """Write one subject's images with the sidecars of the PET; return the files."""
    res = resolution_label(template.lattice.spacing_mm)
    paths = []
    for kind, image in images.items():
        path = root / image_path(subject.participant_id, kind, res=res)
        paths.append(write_image(path, image, template.grid, description="simulated"))
        if kind.endswith("pet"):
            paths.append(write_json(sidecar_path(path), _pet_sidecar(kind, scanner)))
    return paths


def _pet_sidecar(kind: str, scanner: Scanner) -> dict[str, object]:
    return {
        "TracerName": "FDG",
        "TracerRadionuclide": "F18",
        "Units": "arbitrary",
        "SUVRReferenceRegion": "whole brain",
        "Simulated": True,
        "PointSpreadFunctionFWHM": round(scanner.pet_fwhm_mm, 3),
    }
