"""A first look while a generator still learns: what it makes of somebody whom it does not learn from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_bytes
from synthpet.cohort.images import Grid
from synthpet.cohort.marks import is_simulated_dataset
from synthpet.cohort.modality import modality
from synthpet.generators.options import TrainingStudy
from synthpet.report.figures import Panel, slices
from synthpet.report.scales import DIFFERENCE_COLOURS, T1W_SHOWN, suvr_top


def write_look(
    study: TrainingStudy, step: int, volumes: Sequence[NDArray[np.float32]], mask: NDArray[np.bool_], affine: NDArray
) -> Path:
    """Sources, measured target, synthetic target and their difference side by side, as PNG.

    Args:
        study: options of ``train``.
        step: of the training.
        volumes: sources, measured and synthetic target, (I, J, K) each, as the training scales them.
        mask: (I, J, K), the brain.
        affine: (4, 4) of the grid, RAS+.
    """
    *sources, real, made = (np.where(mask, volume, 0) for volume in volumes)
    target = modality(study.gan.target)
    top = suvr_top([float(np.quantile(real[mask], 0.99)) / 1.1])
    of_n = f"after {step} of {study.gan.n_steps} steps"
    unit = "SUVR" if target.suffix == "pet" else "scaled"
    simulated = study.cohort.is_simulated or is_simulated_dataset(study.cohort.path)
    said = "simulated" if simulated else "measured"
    panels = [
        *(Panel(modality(name).short, source, modality(name).colours, *T1W_SHOWN, "scaled")
          for name, source in zip(study.gan.sources, sources, strict=True)),
        Panel(f"{target.short}, {said}", real, target.colours, 0, top, unit),
        Panel(f"SYNTHETIC {target.short}\n{of_n}", made, target.colours, 0, top, unit),
        Panel("synthetic − real", made - real, DIFFERENCE_COLOURS, -top / 4, top / 4, unit),
    ]  # fmt: skip
    return write_bytes(study.paths.look(study.gan.folder_name), slices(panels, Grid.of(mask.shape, affine)))
