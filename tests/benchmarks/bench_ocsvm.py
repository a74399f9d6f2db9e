"""How fast: one-class SVMs of all voxels against scikit-learn's in joblib.

What bounds our time, in microseconds of one core per voxel (Xeon with AVX-512, 2 MB of second-level cache a core;
d = 64, n = 35 and 75, each part timed alone):

* fetching the vectors from memory, 9 and 19 kB a voxel: 0.8 and 1.8, and once more for the query: 1.0 and 2.3;
* Gram matrices, n^2 d multiplications and additions of one half: 1.7 and 7.5, of which a third is adding up the lanes
  of the vector registers;
* exponentials, n^2: 0.6 and 2.3;
* the solver, 10 to 16 products of a vector with a kernel that lies in the first-level cache: 2.6 and 5.5.

Together 7 and 20. In batches of torch, where each of these is a pass over memory, it was 15 and 43.
"""

from collections.abc import Iterator

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.svm import OneClassSVM
from table import Row, faster, in_turn, seconds, words

from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM

D = 64
N_JOBS = 2
BATCH = 250
BRAIN_VOXELS = 230_000


def latents(n: int, n_voxels: int, seed: int = 0) -> NDArray[np.float32]:
    """White latent vectors (n, n_voxels, D)."""
    return np.random.default_rng(seed).standard_normal((n, n_voxels, D), dtype=np.float32)


def compare(n: int, bar: str, n_reference: int, n_voxels: int) -> Row:
    """Seconds per 1000 voxels of both; the accuracy against scikit-learn's machines converged further."""
    x, query = latents(n, n_voxels), latents(1, n_voxels, seed=1)[0]
    machine = VoxelwiseOneClassSVM(n_jobs=N_JOBS)

    def fit_and_score(x: NDArray[np.float32], query: NDArray[np.float32]) -> list[float]:
        return [OneClassSVM(nu=0.03).fit(x[:, v]).decision_function(query[v : v + 1])[0] for v in range(x.shape[1])]

    with Parallel(n_jobs=N_JOBS) as parallel:

        def theirs() -> list[list[float]]:
            parts = [slice(start, start + BATCH) for start in range(0, n_reference, BATCH)]
            return parallel(delayed(fit_and_score)(x[:, part], query[part]) for part in parts)

        def ours() -> NDArray[np.float64]:
            return machine.fit(x).decision_function(query)

        theirs(), ours()  # start the processes, compile
        our_s, their_s = in_turn(ours, theirs)
    exact = [
        OneClassSVM(nu=0.03, tol=1e-9).fit(x[:, v].astype(float)).decision_function(query[v : v + 1].astype(float))[0]
        for v in range(min(10_000, n_voxels))
    ]
    found = machine.decision_function(query)[: len(exact)]
    worst = np.abs(found - exact).max() / np.abs(exact).max()
    signs = np.mean(np.sign(found) == np.sign(exact))
    return faster(
        f"one-class SVMs, fit + score of one brain, n = {n}, d = {D}, 1000 voxels",
        f"scikit-learn in joblib, {N_JOBS} processes",
        our_s / n_voxels * 1000,
        their_s / n_reference * 1000,
        bar,
        f"within {worst:.0e} of the largest, {100 * signs:.5g} % of signs equal",
    )


def leave_one_out(n: int, n_voxels: int) -> Row:
    """All controls' values without themselves, against a refit without each by the same code."""
    x = latents(n, n_voxels)
    machine = VoxelwiseOneClassSVM(n_jobs=N_JOBS).fit(x)
    others = [np.delete(x, c, axis=0) for c in range(n)]

    def refits() -> None:
        for c, rest in enumerate(others):
            VoxelwiseOneClassSVM(n_jobs=N_JOBS).fit(rest).decision_function(x[c])

    our_s, their_s = in_turn(machine.leave_one_out, refits)
    part = f"values of {n} controls without themselves, 1000 voxels"
    return faster(part, "refits by the same code", our_s / n_voxels * 1000, their_s / n_voxels * 1000, "-")


def brain(n: int, n_voxels: int) -> Row:
    """A whole brain at 2 mm: latents of one person, fit, score."""
    from uad.detectors.latent.representation.autoencoder import SiameseAutoencoder
    from uad.detectors.latent.representation.latents import dense_latents

    rng = np.random.default_rng(0)
    shape = (round((n_voxels * 2.3) ** (1 / 3)),) * 3
    mask = np.zeros(shape, bool)
    mask.reshape(-1)[:n_voxels] = True
    image = np.stack([*rng.standard_normal((2, *shape), dtype=np.float32), mask.astype(np.float32)])
    model = SiameseAutoencoder(patch_size=(15, 15, 1), latent_dim=D).eval()
    x, machine = latents(n, n_voxels), VoxelwiseOneClassSVM(n_jobs=N_JOBS)
    extract = seconds(lambda: dense_latents(model, image, mask))
    fit = seconds(lambda: machine.fit(x))
    score = seconds(lambda: machine.decision_function(x[0]))
    found = f"latents {words(extract)}, fit {words(fit)}, score {words(score)}"
    part = f"whole brain at 2 mm, {n_voxels} voxels, n = {n}, d = {D}: one patient's latents, all machines, their score"
    return Row(part, "-", words(extract + fit + score), "-", found, "at most 60 s")


def rows(tiny: bool = False) -> Iterator[Row]:
    """The rows of this benchmark."""
    n_reference, n_voxels = (20, 40) if tiny else (1500, 20_000)
    yield compare(35, "at least 40x", n_reference, n_voxels)
    yield compare(75, "at least 25x", n_reference, n_voxels)
    yield leave_one_out(8 if tiny else 35, 40 if tiny else 2000)
    yield brain(3 if tiny else 35, 300 if tiny else BRAIN_VOXELS)
