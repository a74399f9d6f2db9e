"""Cohorts of noise, written in milliseconds a person: for what depends on how many people there are, not on who."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort import Cohort, Subject, write_image
from synthpet.cohort.index import write_participants
from synthpet.cohort.names import image_path, resolution_label
from synthpet.template.icbm import template_grid, template_images

NOISE = 0.05


def write_noise_cohort(root: Path, roles: dict[str, int], *, resolution_mm: float, seed: int = 0) -> Cohort:
    """A simulated cohort on the template's grid: tissue maps with smooth individual noise, no anatomy of their own.

    Args:
        root: where.
        roles: how many people of each role: paired, unpaired, heldout, patient.
        resolution_mm: voxel size.
        seed: of the noise; person k's images depend on seed and k alone.
    """
    grid = template_grid(resolution_mm)
    template = template_images(grid)
    names = [role for role, n in roles.items() for _ in range(n)]
    subjects = []
    for k, role in enumerate(names):
        group = "patient" if role == "patient" else "control"
        site = "middle of the left half" if role == "patient" else None
        subjects.append(Subject(f"sub-{k:03d}", group, role, 30.0, "F", "siteA", lesion_site=site))
    write_participants(root, subjects, name=root.parent.name, simulated=True)
    for k, subject in enumerate(subjects):
        rng = np.random.default_rng([seed, k])
        mask = template.brain_mask & ndimage.binary_dilation(rng.random(grid.shape) < 0.5)
        t1w = template.t1w * (1 + _noise(grid.shape, rng))
        pet = (0.5 + 0.8 * template.gm) * (1 + _noise(grid.shape, rng))
        images: dict[str, NDArray] = {"t1w": t1w * mask, "brain_mask": mask}
        if role_has_lesion := subject.role == "patient":
            images["lesion_mask"] = _ball(grid.shape) & mask
        pet = np.where(images["lesion_mask"], 0.6 * pet, pet) if role_has_lesion else pet
        images["withheld_pet" if subject.role == "unpaired" else "pet"] = pet * mask
        for kind, data in images.items():
            path = root / image_path(subject.participant_id, kind, res=resolution_label(resolution_mm))
            write_image(path, data if data.dtype == bool else data.astype(np.float32), grid)
    return Cohort.open(root)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5)
    return NOISE * smooth / smooth.std() + 0.2 * NOISE * rng.standard_normal(shape)


def _ball(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """In the middle of the left half, a tenth of the grid in radius."""
    index = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij", sparse=True)
    squares = sum((axis - at) ** 2 for axis, at in zip(index, (-0.4, 0.0, 0.1), strict=True))
    return np.asarray(squares < 0.2**2)
