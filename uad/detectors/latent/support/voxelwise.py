"""One nu one-class SVM per voxel over the controls, all voxels solved in batches."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from uad.detectors.latent.support.checks import check_finite, check_gamma, check_latents, check_nu, check_query
from uad.detectors.latent.support.dual import (
    decision,
    exponents,
    kernel_distance,
    scale_gamma,
    scale_gamma_of_choices,
    solve_dual,
)
from uad.detectors.latent.support.slabs import for_each, parts, slabs

Voxels = slice | NDArray[np.int64]


class VoxelwiseOneClassSVM(OutlierMixin, BaseEstimator):
    """A nu one-class SVM with Gaussian kernel at every voxel, on the latent vectors of all controls there.

    The same machine as ``sklearn.svm.OneClassSVM`` at each voxel, with its semantics: ``decision_function`` is
    positive for what looks normal and equals ``score_samples - offset_``.

    Source: Alaverdyan et al., Medical Image Analysis 60 (2020) 101618; Schölkopf et al., Neural Computation 13 (2001)
    1443: minimise 1/2 a'Ka subject to 0 <= a <= 1, sum(a) = nu n; f(x) = sum_i a_i k(x_i, x) - rho.

    Args:
        nu: bound on the share of controls outside, in (0, 1].
        gamma: width in k(x, y) = exp(-gamma |x - y|^2): a number, or "scale" for 1 / (d variance) of the voxel's
            training vectors.
        tol: violation of the optimality conditions allowed, as a share of the kernel's spread (mean of 1 - k)
            times nu n.
        slab_bytes: working memory for the kernel matrices of the voxels solved at a time in one thread where torch
            solves; by default 8 MiB on the CPU, and 1 GiB on a GPU.
        n_jobs: threads; by default as many as torch may use.
        device: where to compute. On the CPU machine code solves one voxel after the other (``compiled``);
            torch solves in batches on a GPU, and what needs double precision.

    Attributes:
        dual_coef_: (n_controls, n_voxels), the a_i.
        offset_: (n_voxels,), rho.
        gamma_: (n_voxels,), the widths used.
        squared_norm_: (n_voxels,), a'Ka.
        latents_: (n_controls, n_voxels, d), what was given to ``fit``, not a copy.
        n_features_in_: d.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> machine = VoxelwiseOneClassSVM().fit(rng.normal(size=(20, 3, 8)))
        >>> machine.decision_function(np.full((3, 8), 9.0)) < 0
        array([ True,  True,  True])
    """

    def __init__(
        self,
        nu: float = 0.03,
        gamma: float | Literal["scale"] = "scale",
        tol: float = 1e-5,
        slab_bytes: int | None = None,
        n_jobs: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.nu = nu
        self.gamma = gamma
        self.tol = tol
        self.slab_bytes = slab_bytes
        self.n_jobs = n_jobs
        self.device = device

    def fit(self, latents: ArrayLike) -> "VoxelwiseOneClassSVM":
        """Solve the machine of every voxel.

        Args:
            latents: (n_controls, n_voxels, d), finite.

        Raises:
            ValueError: shapes or parameters that cannot be, vectors that are not finite.
        """
        check_nu(self.nu)
        check_gamma(self.gamma)
        self.latents_ = check_latents(latents)
        n_controls, n_voxels, self.n_features_in_ = self.latents_.shape
        self.dual_coef_ = np.empty((n_controls, n_voxels), np.float32)
        self.offset_, self.gamma_, self.squared_norm_ = np.empty((3, n_voxels))
        if self._is_compiled():
            self._fit_compiled()
        else:
            check_finite(self.latents_, "control")
            for_each(self._fit_slab, self._slabs(n_controls**2), self.n_jobs)
        return self

    def score_samples(self, query: ArrayLike) -> NDArray[np.float64]:
        """Raw score sum_i a_i k(x_i, x), of the shape that ``decision_function`` returns."""
        return self.decision_function(query) + self.offset_

    def decision_function(self, query: ArrayLike) -> NDArray[np.float64]:
        """Signed distance to the boundary at each voxel: positive = normal.

        Args:
            query: (n_voxels, d), one brain, or (m, n_voxels, d).

        Returns:
            (n_voxels,) or (m, n_voxels). Far from all controls it saturates at ``-offset_``.
        """
        return self._score(query, distance=False)

    def kernel_distance(self, query: ArrayLike) -> NDArray[np.float64]:
        """Distance from the controls as the machine weighs them, sqrt(-log(sum_i a_i k(x_i, x) / sum_i a_i)).

        It falls and rises with ``score_samples``, high = abnormal; far from all controls it grows like
        sqrt(gamma) |x - x_i|, where ``decision_function`` saturates. Not in the paper: our choice.
        Arguments and result as for ``decision_function``.
        """
        return self._score(query, distance=True)

    def predict(self, query: ArrayLike) -> NDArray[np.int64]:
        """+1 where normal, -1 where not, of the shape that ``decision_function`` returns."""
        return np.where(self.decision_function(query) >= 0, 1, -1)

    def leave_one_out(self, distance: bool = False) -> NDArray[np.float64]:
        """Decision values of the controls, each from machines that saw none of its vectors.

        Equals a refit without that control, gamma included, and is found from the full solution.

        Args:
            distance: values of ``kernel_distance`` rather than of ``decision_function``.

        Returns:
            (n_controls, n_voxels).
        """
        check_is_fitted(self)
        n_controls, n_voxels, _ = self.latents_.shape
        if n_controls < 2:
            raise ValueError("one control: none is left when it is left out; give at least two")
        values = np.empty((n_controls, n_voxels))
        if self._is_compiled():
            self._leave_one_out_compiled(values, distance)
            return values
        per_voxel = n_controls**2 * (n_controls if self.gamma == "scale" else 1)

        def work(slab: slice) -> None:
            values[:, slab] = self._leave_one_out_slab(slab, distance)

        for_each(work, self._slabs(per_voxel), self.n_jobs)
        return values

    def _is_compiled(self) -> bool:
        return self.device == "cpu"

    def _fit_compiled(self) -> None:
        from uad.detectors.latent.support import compiled

        n, n_voxels, _ = self.latents_.shape
        problem = compiled.Problem(self.nu, self._width(), self.tol)
        found = compiled.Machines(
            self.dual_coef_, self.offset_, self.gamma_, self.squared_norm_, *np.empty((4, n_voxels), np.float32)
        )

        def work(part: slice) -> None:
            compiled.fit(self.latents_, part.start, part.stop, problem, found)

        for_each(work, parts(n_voxels, self.n_jobs), self.n_jobs)
        if not np.isfinite(found.level).all():
            check_finite(self.latents_, "control")
        for some in self._few(found.unsure(), n**2):
            self._fit_slab(some)

    def _leave_one_out_compiled(self, values: NDArray[np.float64], distance: bool) -> None:
        from uad.detectors.latent.support import compiled

        n, n_voxels, _ = self.latents_.shape
        problem, unsure = compiled.Problem(self.nu, self._width(), self.tol), np.empty(n_voxels, np.bool_)

        def work(part: slice) -> None:
            compiled.leave_one_out(
                self.latents_, part.start, part.stop, problem, self.dual_coef_, distance, values, unsure
            )

        for_each(work, parts(n_voxels, self.n_jobs), self.n_jobs)
        for some in self._few(unsure, n**3):
            values[:, some] = self._leave_one_out_slab(some, distance)

    def _width(self) -> float:
        """The width given, as compiled code takes it: 0 where it follows from the data."""
        return 0.0 if isinstance(self.gamma, str) else float(self.gamma)

    def _few(self, chosen: NDArray[np.bool_], numbers_per_voxel: int) -> list[NDArray[np.int64]]:
        """Indices of the chosen voxels, few enough at a time for torch's working memory."""
        index = np.flatnonzero(chosen)
        return [index[part] for part in slabs(len(index), 4 * numbers_per_voxel, self.slab_bytes or 2**23)]

    def _slabs(self, numbers_per_voxel: int) -> list[slice]:
        default = 2**23 if self.device == "cpu" else 2**30
        return slabs(self.latents_.shape[1], 4 * numbers_per_voxel, self.slab_bytes or default)

    def _training(self, slab: Voxels) -> tuple[Tensor, Tensor]:
        """Training vectors less their mean, (v, n, d), and the mean, (v, d)."""
        vectors = self._tensor(self.latents_[:, slab]).transpose(0, 1)
        means = vectors.mean(1)
        return vectors - means[:, None], means

    def _tensor(self, values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    def _fit_slab(self, slab: Voxels) -> None:
        vectors, means = self._training(slab)
        distances, halves = exponents(vectors)
        gamma = self._given_gamma(means)
        if gamma is None:
            gamma = scale_gamma(halves, means)[:, None]
        cap = vectors.new_ones(len(vectors), 1, vectors.shape[1])
        dual = solve_dual(vectors, distances, gamma, cap, self.nu * cap.sum(2, keepdim=True), self.tol)
        self.dual_coef_[:, slab] = dual.alpha[:, 0].T.cpu().numpy()
        self.offset_[slab] = dual.rho.flatten().cpu().numpy()
        self.gamma_[slab] = gamma.flatten().cpu().numpy()
        self.squared_norm_[slab] = (dual.alpha * dual.gradient).sum(2).flatten().cpu().numpy()

    def _given_gamma(self, like: Tensor) -> Tensor | None:
        """The same width (v, 1) for all voxels; None where it follows from the data."""
        return None if isinstance(self.gamma, str) else like.new_full((len(like), 1), self.gamma)

    def _score(self, query: ArrayLike, distance: bool) -> NDArray[np.float64]:
        check_is_fitted(self)
        brains = check_query(query, self.latents_.shape[1:])
        values = np.empty(brains.shape[:2])
        if self._is_compiled():
            self._score_compiled(brains, distance, values)
        else:
            for slab in self._slabs(len(self.dual_coef_) * self.n_features_in_):
                values[:, slab] = self._score_slab(brains[:, slab], slab, distance)
        return values if np.ndim(query) == 3 else values[0]

    def _score_compiled(self, brains: NDArray[np.float32], distance: bool, values: NDArray[np.float64]) -> None:
        from uad.detectors.latent.support import compiled

        machines = self.dual_coef_, self.offset_, self.gamma_

        def work(part: slice) -> None:
            compiled.score(self.latents_, part.start, part.stop, machines, self.nu, brains, distance, values)

        for_each(work, parts(brains.shape[1], self.n_jobs), self.n_jobs)

    def _score_slab(self, brains: NDArray[np.float32], slab: slice, distance: bool) -> NDArray[np.float64]:
        training = self._tensor(self.latents_[:, slab])  # (n, v, d)
        alpha, gamma = self._tensor(self.dual_coef_[:, slab]), self._tensor(self.gamma_[slab].astype(np.float32))
        rho = self._tensor(self.offset_[slab])
        total = torch.full_like(rho, self._total())
        values = np.empty(brains.shape[:2])
        for value, brain in zip(values, brains, strict=True):
            scaled = -gamma * torch.linalg.vector_norm(training - self._tensor(brain), dim=2).square_()  # (n, v)
            found = kernel_distance(alpha, scaled, total, 0) if distance else decision(alpha, scaled, total, rho, 0)
            value[:] = found.cpu().numpy()
        return values

    def _total(self) -> float:
        """What the a_i of a voxel add up to."""
        return self.nu * len(self.latents_)

    def _leave_one_out_slab(self, slab: Voxels, distance: bool) -> NDArray[np.float64]:
        vectors, means = self._training(slab)
        v, n, _ = vectors.shape
        cap = (1 - torch.eye(n, dtype=vectors.dtype, device=vectors.device)).repeat(v, 1, 1)
        total = self.nu * cap.sum(2, keepdim=True)
        start = self._tensor(self.dual_coef_[:, slab]).T[:, None] * cap
        gamma = self._given_gamma(means)
        if gamma is None:
            gamma = scale_gamma_of_choices(vectors, means, cap)
        distances, _ = exponents(vectors)
        own = distances * (2 * gamma[:, :, None])  # (v, n, n): a control's own vector against all
        dual = solve_dual(vectors, distances, gamma, cap, total, self.tol, start)
        if distance:
            return kernel_distance(dual.alpha, own, total[:, :, 0], 2).T.cpu().numpy()
        return decision(dual.alpha, own, total[:, :, 0], dual.rho[:, :, 0], 2).T.cpu().numpy()
