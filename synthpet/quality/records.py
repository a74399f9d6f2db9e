"""What an evaluation of synthetic PET holds: of one case, of one role, of the whole."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.quality.metrics import Moments
from synthpet.quality.source import Case, Source


@dataclass(frozen=True)
class Measured:
    """What was measured on one case; regions are those of ``named_regions``."""

    case: Case
    rows: list[dict[str, Any]]
    regional_means: dict[str, NDArray[np.float64]]  # method or "real": (n_regions,) in SUVR
    seams: dict[str, float]  # "synthetic" and, where there, "real"
    uncertainty: float | None  # mean over the brain, SUVR
    profiles: dict[str, NDArray[np.float32]]  # "synthetic" and, where there, "real": SUVR at ``profile_voxels``
    t1w: NDArray[np.float32] | None  # (places, predictors) of ``explainable``, where there is a real PET


@dataclass(frozen=True)
class Spread:
    """Voxelwise moments over the cases of one role: "real" and the keys of ``IMAGES`` that are there."""

    moments: dict[str, Moments]
    brain: NDArray[np.bool_]  # (I, J, K), inside everybody's brain
    grey_matter: NDArray[np.bool_]  # (I, J, K), the template's, within ``brain``


@dataclass(frozen=True)
class Evaluation:
    """The result: ``summary`` becomes quality.json, ``rows`` quality.tsv, the rest is for pictures."""

    source: Source
    summary: dict[str, Any]
    rows: list[dict[str, Any]]
    measured: dict[str, list[Measured]]
    spreads: dict[str, Spread]
