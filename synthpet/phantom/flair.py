"""FLAIR of a simulated person: grey matter a little brighter than white, fluid dark, a lesion that MRI shows bright.

Not in a paper: all numbers.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from synthpet.phantom.anatomy import Anatomy
from synthpet.phantom.fields import FWHM
from synthpet.phantom.lesions import Lesion
from synthpet.phantom.scanner import Scanner, bias_field, with_rician_noise

LESION = 0.35  # added where MRI shows the lesion, relative to grey matter
FWHM_MM = 1.2
NOISE = 1.5  # of the T1's: a FLAIR gives less signal


def flair_signal(anatomy: Anatomy, lesion: Lesion | None, *, wm: float, csf: float) -> NDArray[np.float32]:
    """Signal (I, J, K) on the anatomy's lattice before any scanner blurs it, grey matter 1.

    Args:
        anatomy: tissues.
        lesion: a patient's; shown only where it is one that MRI shows.
        wm: signal of white matter relative to grey.
        csf: signal of fluid relative to grey.
    """
    signal = anatomy.gm + wm * anatomy.wm + csf * anatomy.csf
    return signal + LESION * lesion.weight if lesion and lesion.mri_visible else signal


def acquire_flair(
    scanner: Scanner, anatomy: Anatomy, lesion: Lesion | None, rng: np.random.Generator,
    to_grid: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:  # fmt: skip
    """FLAIR (I, J, K) on the cohort's grid, grey matter about 1, before masking and scaling.

    Args:
        scanner: of the site.
        anatomy: tissues.
        lesion: a patient's.
        rng: source of bias field and noise.
        to_grid: from the anatomy's lattice to the grid.
    """
    lattice = anatomy.lattice
    signal = flair_signal(anatomy, lesion, wm=scanner.flair_wm, csf=scanner.flair_csf)
    blurred = gaussian_filter(signal, FWHM_MM / FWHM / lattice.spacing_mm)
    return with_rician_noise(to_grid(blurred * bias_field(scanner, lattice, rng)), NOISE * scanner.t1_noise, rng)
