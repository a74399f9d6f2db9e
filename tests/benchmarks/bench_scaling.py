"""How fast: the time of every command against the number of subjects, as an exponent: 1 is linear.

Three cohorts of noise on an 8 mm grid, each k times as large as the one before. With t(n) = a + b n^p the fixed cost
a falls out of the differences: p = log((t(k k n) - t(k n)) / (t(k n) - t(n))) / log(k); no curve is fitted. t is
processor time of one thread and of processes it starts: waiting for the disk and other work are left out.
Steps of training are fixed in number, so that what grows is what a subject costs.

What bounds our time: reading, checking and writing images; for ``uad.evaluate`` the pages' pictures, 97 % of it. What
is not linear: leave-one-out of voxelwise one-class SVMs, n machines of n controls at every voxel. Detector option
``score_every`` thins the voxels; ``zmap`` and ``latent_zmap`` have no such step.
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from noise_cohort import write_noise_cohort
from table import Row, words

RESOLUTION_MM = 8.0
SIZES = (10, 40, 160)
FEWER = {"patients": 2, "phantom": 2}  # of these, whose pages and simulation take a second each, half as many
TINY_SIZES = (5, 10, 20)
BAR = "0.9 to 1.1"
GAN = (
    "gan.n_folds=2", "gan.n_steps=2", "gan.n_warmup_steps=1", "gan.generator.channels=[4,8]",
    "gan.discriminator.channels=4", "gan.patch_size=[16,16,16]", "gan.stride=[16,16,16]", "normative.force=true",
)  # fmt: skip
SHORT = ("detector.autoencoder.n_steps=10", "detector.autoencoder.patch_size=[3,3,3]")


class Step(NamedTuple):
    """A command as a function of the configuration's overrides; the steps before it in its list have been run."""

    name: str
    run: Callable[[list[str]], Any]


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this process and of those that it waited for."""
    before = os.times()
    work()
    return sum(os.times()[:4]) - sum(before[:4])


def exponent(times: Sequence[float], factor: float) -> float:
    """p of t(n) = a + b n^p from the times of n, ``factor`` n, ``factor``^2 n subjects; NaN where they do not rise.

    >>> round(exponent([5 + 2 * n**1.5 for n in (10, 40, 160)], 4), 6)
    1.5
    """
    first, second = times[1] - times[0], times[2] - times[1]
    return math.log(second / first) / math.log(factor) if first > 0 and second > 0 else math.nan


def of_controls() -> list[Step]:
    """The commands whose work is one of controls."""
    from synthpet.checks.cohort import open_cohort
    from synthpet.completion.write import ensure_completed
    from synthpet.generators.crossfit import ensure_generators
    from synthpet.quality.run import ensure_evaluated
    from tests.conftest import study
    from uad.detectors.train import ensure_detectors

    def detector(name: str, *more: str) -> Callable[[list[str]], Any]:
        return lambda given: ensure_detectors(study("uad_train", *given, f"detector={name}", *more))

    return [
        Step("synthpet.validate", lambda given: open_cohort(study("train", *without_forcing(given)))),
        Step("synthpet.train", lambda given: ensure_generators(study("train", *without_forcing(given)))),
        Step("synthpet.complete", lambda given: ensure_completed(study("complete", *without_forcing(given)))),
        Step("synthpet.evaluate", lambda given: ensure_evaluated(study("evaluate", *without_forcing(given)))),
        Step("uad.train detector=zmap", detector("zmap")),
        Step("uad.train detector=residual", detector("residual")),
        Step("uad.train detector=latent_zmap", detector("latent_zmap", *SHORT)),
        Step("uad.train detector=ocsvm_voxel", detector("ocsvm_voxel", *SHORT)),
    ]


def of_patients() -> list[Step]:
    """The commands whose work is one of patients; the detector learns from the same few controls."""
    from tests.conftest import study
    from uad.comparison.run import ensure_comparison
    from uad.detectors.train import ensure_detectors
    from uad.evaluation.run import ensure_evaluation

    compared = ["compare.detectors=[zmap]", "compare.columns=[real,matched-patch3d]", "compare.n_resamples=1000"]

    def compare(given: list[str]) -> None:
        ensure_evaluation(study("uad_evaluate", *given, "detector=zmap", "normative=matched"))
        ensure_comparison(study("uad_compare", *given, *compared))

    return [
        Step("", lambda given: ensure_detectors(study("uad_train", *given, "detector=zmap"))),
        Step("uad.evaluate", lambda given: ensure_evaluation(study("uad_evaluate", *given, "detector=zmap"))),
        Step("uad.compare", compare),
    ]


def of_the_phantom(folder: Path, n: int) -> float:
    """Processor time of simulating n controls."""
    from synthpet.generators.crossfit import ensure_cohort
    from tests.conftest import study

    numbers = [f"cohort.n_paired={n}", "cohort.n_unpaired=0", "cohort.n_heldout=1", "cohort.n_patients=1"]
    options = [*numbers, f"cohort.resolution_mm={RESOLUTION_MM}", f"work_dir='{folder / f'phantom-{n}'}'"]
    cfg = study("phantom", *options, "compute.n_jobs=1")
    return seconds(lambda: ensure_cohort(cfg))


def without_forcing(given: list[str]) -> list[str]:
    """The overrides that the commands of synthpet know."""
    return [option for option in given if not option.startswith("normative.")]


def of_steps(steps: list[Step], folder: Path, roles: dict[str, int]) -> dict[str, float]:
    """Processor time of each step, one after the other, on a new cohort."""
    write_noise_cohort(folder / "cohort", roles, resolution_mm=RESOLUTION_MM)
    given = [f"cohort={folder / 'cohort'}", f"work_dir='{folder / 'results'}'", "compute.n_jobs=1", "logger=local"]
    return {step.name: seconds(lambda step=step: step.run([*given, *GAN])) for step in steps}  # type: ignore[misc]


def measure(sizes: Sequence[int], folder: Path, only: Sequence[str] = ()) -> dict[str, dict[int, float]]:
    """Times by command and size; a first small cohort is for what happens once a process."""
    several = {
        "controls": lambda at, n: of_steps(of_controls(), at, {"paired": n, "heldout": 2, "patient": 1}),
        "patients": lambda at, n: of_steps(of_patients(), at, {"paired": 6, "heldout": 2, "patient": n}),
        "phantom": lambda at, n: {"synthpet.phantom": of_the_phantom(at, n)},
    }
    found: dict[str, dict[int, float]] = {}
    for kind in only or several:
        several[kind](folder / f"{kind}-first", 4)
        for n in (size // FEWER.get(kind, 1) for size in sizes):
            for name, took in several[kind](folder / f"{kind}-{n}", n).items():
                if name:
                    found.setdefault(name, {})[n] = took
    return found


def rows(tiny: bool = False) -> Iterator[Row]:
    """One row a command: what one subject more takes, and the exponent."""
    import torch

    sizes = TINY_SIZES if tiny else SIZES
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other by counting, which looks like work
    with tempfile.TemporaryDirectory(prefix="synthpet-scaling-") as folder:
        found = measure(sizes, Path(folder))
    torch.set_num_threads(n_threads)
    for name, by_size in found.items():
        (*_, middle, most), times = by_size, list(by_size.values())
        each = (times[2] - times[1]) / (most - middle)
        p, shown = exponent(times, sizes[1] / sizes[0]), ", ".join(map(words, times))
        numbers = " / ".join(map(str, by_size))
        yield Row(f"{name}, {numbers} subjects", "linear", f"{each:.3f} s a subject", shown, f"exponent {p:.2f}", BAR)
