import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.svm import OneClassSVM

from uad.detectors.latent.support.dual import solve_dual
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM


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
@pytest.mark.parametrize("nu", [0.03, 0.23, 0.47])
@pytest.mark.parametrize("n", [1, 3, 10, 35])
@pytest.mark.parametrize("kind", ["white", "decaying", "heavy", "shifted", "duplicates"])
def test_decision_values_equal_those_of_scikit_learn(kind, n, nu, gamma):
    x, q = latents(kind, n), latents(kind, 1, seed=1)[0]
    expected, offset = references(x, q, nu, gamma)
    machine = VoxelwiseOneClassSVM(nu=nu, gamma=gamma).fit(x)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(machine.decision_function(q), expected, rtol=1e-3, atol=1e-4 * largest)
    np.testing.assert_allclose(machine.offset_, offset, rtol=1e-4)


def test_nu_of_one_is_a_kernel_density_with_a_finite_offset():
    x, q = latents("white", 10), latents("white", 1, seed=1)[0]
    machine = VoxelwiseOneClassSVM(nu=1.0, gamma=0.1).fit(x)  # scikit-learn's offset is infinite here
    np.testing.assert_array_equal(machine.dual_coef_, 1)
    density = np.exp(-0.1 * ((x - q).astype(float) ** 2).sum(2)).sum(0)
    np.testing.assert_allclose(machine.score_samples(q), density, atol=1e-6)
    assert np.isfinite(machine.offset_).all()


def test_signs_are_those_of_scikit_learn_near_the_boundary():
    random = np.random.default_rng(0)
    x = latents("decaying", 20, n_voxels=300)
    toward = x[0] + random.uniform(0, 3, (300, 1)).astype(np.float32) * latents("decaying", 1, 300, seed=1)[0]
    expected, _ = references(x, toward, 0.03, "scale")
    values = VoxelwiseOneClassSVM().fit(x).decision_function(toward)
    assert 30 < np.sum(expected > 0) < 270  # both sides are there
    np.testing.assert_array_equal(values > 0, expected > 0)


def test_whole_number_of_outliers_takes_the_middle_of_the_possible_offsets():
    x = np.array([0.0, 1.0, 10.0, 11.0], np.float32)[:, None, None]
    machine = VoxelwiseOneClassSVM(nu=0.5, gamma=1e-6).fit(x)
    kernel = np.exp(-1e-6 * (x[:, 0] - x[:, 0].T).astype(float) ** 2)
    gradient = machine.dual_coef_[:, 0].astype(float) @ kernel
    np.testing.assert_allclose(machine.dual_coef_[:, 0], [1, 0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(machine.offset_[0], (gradient[[0, 3]].max() + gradient[[1, 2]].min()) / 2, rtol=1e-10)


def test_solution_meets_the_optimality_conditions():
    x = latents("heavy", 25)
    machine = VoxelwiseOneClassSVM(nu=0.1).fit(x)
    for v in range(x.shape[1]):
        a = machine.dual_coef_[:, v].astype(float)
        squares = ((x[:, None, v] - x[None, :, v]).astype(float) ** 2).sum(2)
        slack = np.exp(-machine.gamma_[v] * squares) @ a - machine.offset_[v]
        np.testing.assert_allclose(a.sum(), 2.5, rtol=1e-5)
        assert a.min() >= 0 and a.max() <= 1
        assert slack[a < 1 - 1e-4].min() > -1e-4 and slack[a > 1e-4].max() < 1e-4


@pytest.mark.parametrize("distance", [False, True])
@pytest.mark.parametrize("nu, gamma", [(0.1, "scale"), (0.1, 0.05), (0.37, "scale"), (0.03, 1e-4)])
def test_leave_one_out_equals_a_refit_without_that_control(nu, gamma, distance):
    x = latents("heavy", 12)
    values = VoxelwiseOneClassSVM(nu=nu, gamma=gamma).fit(x).leave_one_out(distance)
    for i in range(len(x)):
        refit = VoxelwiseOneClassSVM(nu=nu, gamma=gamma).fit(np.delete(x, i, axis=0))
        expected = (refit.kernel_distance if distance else refit.decision_function)(x[i])
        np.testing.assert_allclose(values[i], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


class Batched(VoxelwiseOneClassSVM):
    """The same machines, solved by torch as on a GPU."""

    def _is_compiled(self):
        return False


@pytest.mark.parametrize("n, gamma", [(1, "scale"), (2, 0.1), (7, 0.1), (20, "scale"), (40, "scale")])
@pytest.mark.parametrize("kind", ["white", "heavy", "shifted"])
def test_machine_code_and_torch_solve_the_same_machines(kind, n, gamma):
    x, q = latents(kind, n, d=13), latents(kind, 2, d=13, seed=1)
    compiled, batched = (kind(gamma=gamma).fit(x) for kind in (VoxelwiseOneClassSVM, Batched))
    for name in ("dual_coef_", "offset_", "gamma_", "squared_norm_"):
        np.testing.assert_allclose(getattr(compiled, name), getattr(batched, name), rtol=1e-4, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(compiled.decision_function(q), batched.decision_function(q), atol=1e-4)
    np.testing.assert_allclose(compiled.kernel_distance(q), batched.kernel_distance(q), rtol=1e-4)
    if n > 1:
        np.testing.assert_allclose(compiled.leave_one_out(), batched.leave_one_out(), atol=1e-4)
        np.testing.assert_allclose(compiled.leave_one_out(True), batched.leave_one_out(True), rtol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: results of both devices cannot be compared")
def test_a_gpu_finds_the_same_values():
    x, q = latents("heavy", 35, n_voxels=500), latents("heavy", 1, n_voxels=500, seed=1)[0]
    here, there = (VoxelwiseOneClassSVM(device=device).fit(x) for device in ("cpu", "cuda"))
    expected = here.decision_function(q)
    np.testing.assert_allclose(there.decision_function(q), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(there.leave_one_out(), here.leave_one_out(), rtol=1e-3, atol=1e-4)


def test_the_kernel_distance_grows_on_where_the_decision_saturates():
    x = latents("white", 20)
    machine = VoxelwiseOneClassSVM().fit(x)
    far, farther = (np.full((30, 16), value, np.float32) for value in (100, 200))
    np.testing.assert_array_equal(machine.decision_function(far), machine.decision_function(farther))
    assert np.isfinite(machine.kernel_distance(farther)).all()
    np.testing.assert_allclose(machine.kernel_distance(farther) / machine.kernel_distance(far), 2, rtol=0.05)


@pytest.mark.parametrize("gamma", ["scale", 1e-3])
def test_the_kernel_distance_is_that_of_the_score(gamma):
    x, q = latents("white", 20), latents("white", 3, seed=1)
    machine = VoxelwiseOneClassSVM(gamma=gamma).fit(x)
    expected = np.sqrt(-np.log(machine.score_samples(q) / machine.dual_coef_.sum(0)))
    np.testing.assert_allclose(machine.kernel_distance(q), expected, rtol=1e-3)


def test_order_of_controls_changes_nothing():
    x, q = latents("heavy", 20), latents("heavy", 2, seed=1)
    order = np.random.default_rng(0).permutation(20)
    one, other = VoxelwiseOneClassSVM().fit(x), VoxelwiseOneClassSVM().fit(x[order])
    np.testing.assert_allclose(one.decision_function(q), other.decision_function(q), atol=1e-5)
    np.testing.assert_allclose(one.leave_one_out()[order], other.leave_one_out(), atol=1e-4)


def test_slabs_and_threads_change_nothing():
    x, q = latents("heavy", 20, n_voxels=200), latents("heavy", 2, n_voxels=200, seed=1)
    whole = VoxelwiseOneClassSVM(n_jobs=1).fit(x)
    for slab_bytes, n_jobs in ((1, 1), (20_000, 1), (50_000, 2)):
        cut = VoxelwiseOneClassSVM(slab_bytes=slab_bytes, n_jobs=n_jobs).fit(x)
        np.testing.assert_allclose(cut.decision_function(q), whole.decision_function(q), atol=2e-5)


@pytest.mark.parametrize("n, n_voxels", [(10, 200), (10, 500), (40, 50)])
def test_kernels_of_a_slab_fit_the_memory_given(n, n_voxels, monkeypatch):
    sizes = []

    def spy(vectors, distances, gamma, *rest):
        sizes.append(4 * distances.numel() * gamma.shape[1])
        return solve_dual(vectors, distances, gamma, *rest)

    monkeypatch.setattr("uad.detectors.latent.support.voxelwise.solve_dual", spy)
    machine = Batched(slab_bytes=300_000).fit(latents("white", n, n_voxels))
    machine.leave_one_out()
    assert len(sizes) > 2 and 100_000 < max(sizes) <= 300_000


def test_gamma_scale_is_that_of_scikit_learn():
    x = latents("shifted", 10)
    machine = VoxelwiseOneClassSVM().fit(x)
    np.testing.assert_allclose(machine.gamma_, [1 / (16 * x[:, v].astype(float).var()) for v in range(30)], rtol=1e-4)


def test_equal_vectors_give_a_finite_machine():
    machine = VoxelwiseOneClassSVM().fit(np.ones((5, 2, 3)))
    np.testing.assert_array_equal(machine.gamma_, 1)
    np.testing.assert_allclose(machine.decision_function(np.ones((2, 3))), 0, atol=1e-7)
    assert (machine.decision_function(np.zeros((2, 3))) < -0.05).all()
    assert np.isfinite(machine.leave_one_out(distance=True)).all()


@pytest.mark.parametrize("change, message", [
    ({"nu": 0}, "nu is 0"),
    ({"nu": 1.5}, "nu is 1.5"),
    ({"gamma": -1}, "gamma is -1"),
    ({"gamma": "auto"}, "gamma is 'auto'"),
])  # fmt: skip
def test_bad_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        VoxelwiseOneClassSVM(**change).fit(latents("white", 5))


def test_bad_arrays_are_named():
    x = latents("white", 5)
    with pytest.raises(ValueError, match=r"latents have shape \(5, 30\)"):
        VoxelwiseOneClassSVM().fit(x[:, :, 0])
    with pytest.raises(ValueError, match=r"query has shape \(29, 16\).*\(30, 16\)"):
        VoxelwiseOneClassSVM().fit(x).decision_function(x[0, :29])
    with pytest.raises(ValueError, match="none is left"):
        VoxelwiseOneClassSVM().fit(x[:1]).leave_one_out()
    x[3, 7, 2] = np.nan
    with pytest.raises(ValueError, match="control 3: the latent vectors of 1 of 30 voxels are not finite"):
        VoxelwiseOneClassSVM().fit(x)


def test_parameters_are_cloned_and_set():
    machine = clone(VoxelwiseOneClassSVM(nu=0.2))
    assert machine.get_params()["nu"] == 0.2
