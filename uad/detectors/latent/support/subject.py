"""One one-class SVM per patient, fitted on patches of that patient's own brain."""

from typing import Literal

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.svm import OneClassSVM
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from uad.detectors.latent.support.checks import check_gamma, check_nu


class SubjectOneClassSVM(OutlierMixin, BaseEstimator):
    """A nu one-class SVM on latent vectors drawn at random from one brain, to score all of that brain.

    Source: Pinon et al., MIDL 2023 (arXiv 2304.08058).

    Args:
        nu: bound on the share of drawn patches outside, in (0, 1].
        gamma: width of the Gaussian kernel: a number, or "scale" for 1 / (d variance) of the drawn patches.
        n_patches: how many vectors to draw; all of them where there are fewer.
        chunk_size: how many vectors to score at a time.
        random_state: seed of the draw.

    Attributes:
        support_vectors_: (n_support, d).
        dual_coef_: (n_support,).
        offset_: rho.
        gamma_: the width used.
        n_features_in_: d.
    """

    def __init__(
        self,
        nu: float = 0.03,
        gamma: float | Literal["scale"] = "scale",
        n_patches: int = 500,
        chunk_size: int = 16384,
        random_state: int | RandomState | None = 0,
    ) -> None:
        self.nu = nu
        self.gamma = gamma
        self.n_patches = n_patches
        self.chunk_size = chunk_size
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: None = None) -> "SubjectOneClassSVM":
        """Draw patches and fit the machine.

        Args:
            X: latent vectors of the brain's voxels, (n_voxels, d), finite.
            y: ignored, as scikit-learn has it.

        Raises:
            ValueError: parameters or vectors that cannot be.
        """
        check_nu(self.nu)
        check_gamma(self.gamma)
        if self.n_patches < 1 or self.chunk_size < 1:
            raise ValueError(f"n_patches is {self.n_patches}, chunk_size {self.chunk_size}; both must be at least 1")
        drawn: NDArray = np.asarray(validate_data(self, X, dtype=(np.float64, np.float32)))
        if len(drawn) > self.n_patches:
            chosen = check_random_state(self.random_state).choice(len(drawn), self.n_patches, replace=False)
            drawn = drawn[np.sort(chosen)]
        machine = OneClassSVM(nu=self.nu, gamma=self.gamma, tol=1e-6).fit(drawn.astype(np.float64))
        self.support_vectors_ = machine.support_vectors_
        self.dual_coef_ = machine.dual_coef_[0]
        self.offset_ = float(machine.offset_[0])
        self.gamma_ = float(machine._gamma)
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Raw score sum_i a_i k(x_i, x) of each vector, (n,)."""
        return np.exp(self._log_scores(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Signed distance to the boundary of each vector of (n, d), (n,): positive = normal."""
        return self.score_samples(X) - self.offset_

    def kernel_distance(self, X: ArrayLike) -> NDArray[np.float64]:
        """As ``VoxelwiseOneClassSVM.kernel_distance``, (n,): high = abnormal; it grows on far from all patches."""
        return np.sqrt(np.maximum(np.log(self.dual_coef_.sum()) - self._log_scores(X), 0))

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """+1 where normal, -1 where not, (n,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def _log_scores(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        vectors: NDArray = np.asarray(validate_data(self, X, dtype=(np.float64, np.float32), reset=False))
        scores = np.empty(len(vectors))
        for chunk in gen_batches(len(vectors), self.chunk_size):
            squares = euclidean_distances(vectors[chunk].astype(np.float64), self.support_vectors_, squared=True)
            scores[chunk] = logsumexp(-self.gamma_ * squares, b=self.dual_coef_, axis=1)
        return scores
