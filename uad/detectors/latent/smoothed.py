"""As ``conditional``, of the smoothed residual in place of latent vectors: nothing is trained but the predictions.

At each voxel

    y    expected minus measured PET, smoothed
    x    the expected PET, smoothed alike; y of the mirror voxel, and of what lies around it

are deviations from the controls' mean. The map is what ``LocalRidge`` leaves of y, as the z of Crawford-Howell's t,
which allows for a handful of controls; a second prediction without the mirror image is averaged with it as in
``conditional``. docs/real_people.md tells what each of these wins.

Not in a paper in this form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.runtime.options import own_options
from synthpet.template.smoothing import smooth_within
from uad.detectors.base import SHARED
from uad.detectors.latent.conditional import ConditionalDetector
from uad.detectors.latent.evidence import AROUND_FWHM_MM, EXPECTED, MASK, PET, Readable
from uad.detectors.latent.judge import Judge
from uad.detectors.latent.local_ridge import Nodes


@dataclass(frozen=True)
class SmoothedOptions:
    """What ``SmoothedDetector`` takes.

    Args:
        smooth_fwhm_mm: Gaussian smoothing of residual and expected PET within the brain, above 0.
        slope_fwhm_mm: pools the slopes of the prediction over neighbours.
        penalty: of the ridge regression, relative to the variance of what predicts.
        mirror: false: without the mirror image.
        spread_fwhm_mm: pools the spread of what is left.
        direction: hypo, hyper or both: which deviations of the PET weigh.
    """

    smooth_fwhm_mm: float
    slope_fwhm_mm: float
    penalty: float
    mirror: bool
    spread_fwhm_mm: float
    direction: str


@dataclass(frozen=True)
class SmoothedEvidence:
    """What the smoothed images tell; see ``evidence.Readable``.

    Args:
        fwhm_mm: of the smoothing.
        where: (I, J, K), on a grid that mirrors about x = 0.
        spacing_mm: voxel size.
    """

    fwhm_mm: float
    where: NDArray[np.bool_]
    spacing_mm: Sequence[float]

    targets: ClassVar[slice] = slice(0, 1)
    own: ClassVar[slice] = slice(1, 2)
    all_known: ClassVar[slice] = slice(1, 4)
    width: ClassVar[int] = 4

    def of(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        """One person's, (n_voxels, 4), SUVR, NaN where the person or the mirror image has no brain.

        Args:
            volume: (4, I, J, K), T1, PET, expected PET and mask.
        """
        brain, lost = volume[MASK] > 0, volume[EXPECTED] - volume[PET]
        residual, expected = (self._smooth(image, brain, self.fwhm_mm) for image in (lost, volume[EXPECTED]))
        around = self._smooth(lost, brain, AROUND_FWHM_MM)
        return np.stack([image[self.where] for image in (residual, expected, residual[::-1], around[::-1])], axis=1)

    def _smooth(self, image: NDArray[np.float32], brain: NDArray[np.bool_], fwhm_mm: float) -> NDArray[np.float32]:
        smooth = smooth_within(image, brain, fwhm_mm, self.spacing_mm)
        return np.where(brain, smooth, np.float32(np.nan))


class SmoothedDetector(ConditionalDetector):
    """The detector of this module; it learns from measured PET only."""

    options: SmoothedOptions  # type: ignore[assignment]
    evidence_files = ()
    evidence_arrays = ()

    @classmethod
    def _own(cls, options: Mapping[str, Any]) -> SmoothedOptions:  # type: ignore[override]
        return own_options(SmoothedOptions, "detector", options, SHARED)

    def _learn_evidence(self, volumes: list[Path], where: NDArray[np.bool_], cohort: Cohort) -> Readable:
        return SmoothedEvidence(self.options.smooth_fwhm_mm, where, cohort.grid.spacing_mm)

    def _read_evidence(self, folder: Path, arrays: Mapping[str, NDArray], cohort: Cohort) -> Readable:
        return SmoothedEvidence(self.options.smooth_fwhm_mm, arrays["where"], cohort.grid.spacing_mm)

    def _new_judge(self, nodes: Nodes, columns: slice) -> Judge:
        return Judge(nodes, columns, self.evidence_.targets.stop, self.options, small_sample=True)
