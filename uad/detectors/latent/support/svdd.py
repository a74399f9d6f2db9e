"""Support vector data description at every voxel: the smallest sphere around the controls."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM


class VoxelwiseSvdd(VoxelwiseOneClassSVM):
    """The smallest sphere, in the kernel's feature space, around all controls but a share nu of them.

    With a Gaussian kernel every vector has length one there, so the sphere and the one-class SVM are found by the same
    dual: the centre is c = sum_i b_i phi(x_i) with b = a / s, s = nu n, and

        R^2 - |phi(x) - c|^2 = 2 / s (sum_i a_i k(x_i, x) - rho).

    The boundary is the same; the decision value is a squared distance, comparable between voxels of different n.

    Source: Tax and Duin, Machine Learning 54 (2004) 45, with C = 1 / (nu n).

    Parameters and attributes as ``VoxelwiseOneClassSVM``, and ``radius2_``.
    """

    @property
    def radius2_(self) -> NDArray[np.float64]:
        """Squared radius R^2 of each voxel's sphere, (n_voxels,), at most 1."""
        total = self._total()
        return 1 - 2 * self.offset_ / total + self.squared_norm_ / total**2

    def decision_function(self, query: ArrayLike) -> NDArray[np.float64]:
        """Squared radius less squared distance from the centre: positive = normal.

        Shapes as in ``VoxelwiseOneClassSVM.decision_function``.
        """
        return super().decision_function(query) * (2 / self._total())

    def score_samples(self, query: ArrayLike) -> NDArray[np.float64]:
        """Minus the squared distance from the centre: ``decision_function`` less ``radius2_``."""
        return self.decision_function(query) - self.radius2_

    def leave_one_out(self, distance: bool = False) -> NDArray[np.float64]:
        """Decision values (or kernel distances) of the controls from spheres that saw none of their vectors.

        Shape (n_controls, n_voxels).
        """
        values = super().leave_one_out(distance)
        n = len(self.latents_)
        return values if distance else values * (2 / (self._total() * (n - 1) / n))
