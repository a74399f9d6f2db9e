import numpy as np
from scipy.optimize import minimize

from uad.detectors.latent.support.svdd import VoxelwiseSvdd
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM


def test_sphere_is_the_solution_of_tax_and_duins_dual():
    """max b'diag(K) - b'Kb, 0 <= b <= C = 1 / (nu n), sum b = 1, by a general solver."""
    x = np.random.default_rng(0).normal(size=(8, 1, 3))
    q = np.random.default_rng(1).normal(size=(1, 3))
    machine = VoxelwiseSvdd(nu=0.3, gamma=0.2).fit(x)
    kernel = np.exp(-0.2 * ((x[:, None, 0] - x[None, :, 0]) ** 2).sum(2))
    b = minimize(
        lambda b: b @ kernel @ b, np.full(8, 1 / 8), jac=lambda b: 2 * kernel @ b, method="SLSQP",
        bounds=[(0, 1 / 2.4)] * 8, constraints={"type": "eq", "fun": lambda b: b.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x  # fmt: skip
    near = np.exp(-0.2 * ((x[:, 0] - q[0]) ** 2).sum(1))
    squares = 1 - 2 * kernel @ b + b @ kernel @ b
    radius2 = squares[(b > 1e-4) & (b < 1 / 2.4 - 1e-4)].mean()
    np.testing.assert_allclose(machine.dual_coef_[:, 0] / 2.4, b, atol=1e-4)
    np.testing.assert_allclose(machine.radius2_[0], radius2, atol=1e-4)
    np.testing.assert_allclose(machine.score_samples(q)[0], -(1 - 2 * near @ b + b @ kernel @ b), atol=1e-4)
    np.testing.assert_allclose(machine.decision_function(q), machine.score_samples(q) + machine.radius2_)


def test_boundary_is_that_of_the_one_class_svm():
    x, q = np.random.default_rng(0).normal(size=(2, 12, 40, 3))
    sphere, plane = VoxelwiseSvdd(nu=0.2).fit(x), VoxelwiseOneClassSVM(nu=0.2).fit(x)
    np.testing.assert_array_equal(sphere.predict(q), plane.predict(q))
    np.testing.assert_allclose(sphere.decision_function(q), plane.decision_function(q) * 2 / 2.4)


def test_leave_one_out_equals_a_refit():
    x = np.random.default_rng(0).normal(size=(9, 5, 4))
    values = VoxelwiseSvdd(nu=0.15).fit(x).leave_one_out()
    for i in range(9):
        refit = VoxelwiseSvdd(nu=0.15).fit(np.delete(x, i, axis=0))
        np.testing.assert_allclose(values[i], refit.decision_function(x[i]), atol=1e-4)
