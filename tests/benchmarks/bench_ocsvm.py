"""How fast: one-class SVMs of all voxels against scikit-learn's in joblib, in one run on the same cores.

Run as ``python tests/benchmarks/bench_ocsvm.py [--brain]``; ``--brain`` adds a whole brain at 2 mm.

What bounds our time, in microseconds of one core per voxel (Xeon with AVX-512, 2 MB of L2 a core; d = 64, n = 35 and
75; other work on the machine moves these by a factor of two):

* Gram matrices, 2 n^2 d operations: 2 and 6 at 100 to 130 Gflop/s, which is what the processor does in float32.
* Reading latents (9 and 19 kB a voxel) three times: mean, difference, and the query's distances: 4 and 10. Batches that
  fit L2 gain less than 10 %: what is saved there goes into more calls.
* Exponential and scaling of the kernel, n^2 numbers: 1 and 5.
* The solver, 10 to 16 products of a vector with the kernel (5 and 23 kB, from L3): 5 to 8, and 17 to 25. Looser
  tolerances save hardly a turn of the active sets: the last takes the violation from 1e-3 to 1e-6.

Together 15 and 43, so that at n = 75 no rearrangement of these calls makes the ratio 25; it would take compiled code
that keeps a voxel in L1 from Gram matrix to decision value.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.svm import OneClassSVM

from synthpet.console import say
from uad.support.voxelwise import VoxelwiseOneClassSVM

D = 64
N_JOBS = 2
BATCH = 250
BRAIN_VOXELS = 230_000


def latents(n: int, n_voxels: int, decay: float, seed: int = 0) -> NDArray[np.float32]:
    """Random latents (n, n_voxels, D) whose k-th component has standard deviation k ** -decay."""
    random = np.random.default_rng(seed)
    return random.standard_normal((n, n_voxels, D), dtype=np.float32) / np.arange(1, D + 1, dtype=np.float32) ** decay


def fit_and_score(x: NDArray[np.float32], query: NDArray[np.float32]) -> list[float]:
    """The library's way: a loop over voxels."""
    return [OneClassSVM(nu=0.03).fit(x[:, v]).decision_function(query[v : v + 1])[0] for v in range(x.shape[1])]


def seconds(work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """The shortest of several runs."""
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def compare(n: int, decay: float, n_reference: int = 1500, n_voxels: int = 20_000, repeats: int = 3) -> str:
    """One row of the table: microseconds per voxel of both, their ratio, leave-one-out, largest difference.

    The second ratio is of processor time with one worker each: other people's work on the machine hardly moves it.
    """
    x, query = latents(n, n_voxels, decay), latents(1, n_voxels, decay, seed=1)[0]
    machine = VoxelwiseOneClassSVM(n_jobs=N_JOBS)

    with Parallel(n_jobs=N_JOBS) as parallel:

        def library() -> list[list[float]]:
            parts = [slice(start, start + BATCH) for start in range(0, n_reference, BATCH)]
            return parallel(delayed(fit_and_score)(x[:, part], query[part]) for part in parts)

        library()  # start the processes
        theirs = seconds(library, repeats) / n_reference
        ours = seconds(lambda: machine.fit(x).decision_function(query), repeats) / n_voxels
    alone = VoxelwiseOneClassSVM(n_jobs=1)
    their_cpu = seconds(lambda: fit_and_score(x[:, :500], query[:500]), repeats, time.process_time) / 500
    our_cpu = seconds(lambda: alone.fit(x).decision_function(query), repeats, time.process_time) / n_voxels
    few = VoxelwiseOneClassSVM(n_jobs=N_JOBS).fit(x[:, :1000])
    left_out = seconds(few.leave_one_out, 1) / 1000
    exact = [
        OneClassSVM(nu=0.03, tol=1e-9).fit(x[:, v].astype(float)).decision_function(query[v : v + 1].astype(float))[0]
        for v in range(300)
    ]
    difference = np.abs(machine.decision_function(query)[:300] - exact).max() / np.abs(exact).max()
    return (
        f"{n:4d} {decay:6.1f} {theirs * 1e6:14.0f} {ours * 1e6:10.1f} {theirs / ours:6.0f}x "
        f"{their_cpu / our_cpu:9.0f}x "
        f"{left_out * 1e6:16.0f} {difference:12.1e}"
    )


def brain(n: int = 35) -> str:
    """Seconds for a whole brain at 2 mm: fit, one query."""
    x = latents(n, BRAIN_VOXELS, 0.0)
    machine = VoxelwiseOneClassSVM(n_jobs=N_JOBS)
    fit = seconds(lambda: machine.fit(x), 1)
    score = seconds(lambda: machine.decision_function(x[0]), 1)
    return f"whole brain, {BRAIN_VOXELS:,} voxels, n = {n}, d = {D}: fit {fit:.1f} s, score {score:.1f} s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brain", action="store_true", help="also a whole brain (2 GB of latents)")
    arguments = parser.parse_args()
    say("   n  decay  scikit-learn us    ours us  ratio  cpu ratio  leave-one-out us   difference")
    for decay in (0.0, 0.5):
        for n in (35, 75):
            say(compare(n, decay))
    if arguments.brain:
        say(brain())


if __name__ == "__main__":
    main()
