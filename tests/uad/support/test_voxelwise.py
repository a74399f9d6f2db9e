import numpy as np
import pytest
from sklearn.base import clone
from sklearn.svm import OneClassSVM

from uad.support.voxelwise import VoxelwiseOneClassSVM


def latents(kind: str, n: int, n_voxels: int = 30, d: int = 16, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, n_voxels, d))
    if kind == "decaying":
        x /= np.arange(1, d + 1)
    if kind == "heavy":
        x /= random.uniform(0.1, 1, (n, n_voxels, 1))
    if kind == "shifted":
        x += 100 * random.normal(size=d)
    if kind == "duplicates":
        x[: n // 2] = x[n // 2 : 2 * (n // 2)]
    return x.astype(np.float32)


def references(x: np.ndarray, q: np.ndarray, nu: float, gamma: float | str) -> tuple[np.ndarray, np.ndarray]:
    """Decision values and offsets of scikit-learn's machine, converged further than its default."""
    pairs = []
    for v in range(x.shape[1]):
        machine = OneClassSVM(nu=nu, gamma=gamma, tol=1e-10).fit(x[:, v].astype(float))
        pairs.append((machine.decision_function(q[v : v + 1].astype(float))[0], machine.offset_[0]))
    return tuple(np.array(pairs).T)


@pytest.mark.parametrize("gamma", ["scale", 3.0, 1e-3])
@pytest.mark.parametrize("nu", [0.03, 0.2, 0.5])
@pytest.mark.parametrize("n", [3, 10, 35])
@pytest.mark.parametrize("kind", ["white", "decaying", "heavy", "shifted", "duplicates"])
def test_decision_values_equal_those_of_scikit_learn(kind, n, nu, gamma):
    x, q = latents(kind, n), latents(kind, 1, seed=1)[0]
    expected, offset = references(x, q, nu, gamma)
    machine = VoxelwiseOneClassSVM(nu=nu, gamma=gamma).fit(x)
    spread = np.abs(expected).max()
    np.testing.assert_allclose(machine.decision_function(q), expected, rtol=1e-3, atol=1e-3 * spread)
    np.testing.assert_allclose(machine.offset_, offset, rtol=1e-3)


def test_leave_one_out_equals_a_refit_without_that_control():
    x = latents("heavy", 12)
    values = VoxelwiseOneClassSVM(nu=0.1).fit(x).leave_one_out()
    for i in range(len(x)):
        refit = VoxelwiseOneClassSVM(nu=0.1).fit(np.delete(x, i, axis=0)).decision_function(x[i])
        np.testing.assert_allclose(values[i], refit, atol=1e-3 * np.abs(refit).max())


def test_parameters_are_cloned_and_set():
    machine = clone(VoxelwiseOneClassSVM(nu=0.2))
    assert machine.get_params()["nu"] == 0.2
