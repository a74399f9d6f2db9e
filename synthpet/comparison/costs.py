"""What a generator costs: processor time of training and use, parameters, steps."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthpet.cohort import Cohort
from synthpet.cohort.manifest import Manifest
from synthpet.cohort.paths import METRICS
from synthpet.cohort.scan import load_scan
from synthpet.cohort.text import read_rows
from synthpet.comparison.results import Result
from synthpet.learning.lightning import LOG_EVERY
from synthpet.learning.progress import PROCESSOR_SECONDS
from synthpet.quality.options import QualityStudy
from synthpet.runtime.device import device_name


@dataclass(frozen=True)
class Cost:
    """Of one generator.

    Args:
        train_processor_seconds: of a fold, mean; None: a training of a version that did not write it down.
        train_seconds: of a fold by the clock, mean; of a continued training its last part.
        synthesis_processor_seconds: of one person, by one fold's generator.
        n_parameters: of the network that is used afterwards.
        n_steps: that were asked for.
        voxels_per_step: of all patches of a step.
        steps_done: of the fold that went least far.
    """

    train_processor_seconds: float | None
    train_seconds: float
    synthesis_processor_seconds: float
    n_parameters: int
    n_steps: int
    voxels_per_step: int
    steps_done: int

    @property
    def stopped_early(self) -> bool:
        """Whether a fold took fewer steps than were asked for."""
        return self.steps_done < self.n_steps


def cost_of(result: Result, study: QualityStudy, cohort: Cohort, participant_id: str) -> Cost:
    """Read what the trainings wrote down, and synthesise one person once more to take the time.

    Args:
        result: of the generator.
        study: of its evaluation.
        cohort: with the person's images.
        participant_id: whose image is synthesised, by a generator that did not see the person's.
    """
    from synthpet.generators.trained import load_generator

    logs = [folder / METRICS for folder in result.fold_folders]
    network = load_generator(result.trained)
    return Cost(
        _training_seconds(logs),
        float(np.mean([Manifest.read(folder).seconds for folder in result.fold_folders])),
        _synthesis_seconds(result, study, cohort, participant_id),
        sum(parameter.numel() for parameter in network.parameters()),
        result.n_steps,
        result.voxels_per_step,
        min(_steps_done(path, result.n_steps) for path in logs),
    )


def budget_words(costs: Mapping[str, Cost]) -> dict[str, str]:
    """Whether each generator had the steps of the others."""
    asked = [cost.n_steps for cost in costs.values()]
    usual = max(asked, key=asked.count)
    return {name: _budget(cost, usual) for name, cost in costs.items()}


def _budget(cost: Cost, usual: int) -> str:
    if cost.stopped_early:
        return f"stopped early, at {cost.steps_done} of {cost.n_steps}"
    return "same" if cost.n_steps == usual else f"other: {cost.n_steps} steps, not {usual}"


def _training_seconds(logs: Sequence[Path]) -> float | None:
    """Mean over the folds of the times that the rows add up to."""
    seconds = [[row[PROCESSOR_SECONDS] for row in _rows(path) if row.get(PROCESSOR_SECONDS)] for path in logs]
    return float(np.mean([sum(found) for found in seconds])) if all(seconds) else None


def _steps_done(log: Path, n_steps: int) -> int:
    """As far as the log goes, which does not say more of a training that ends between two rows."""
    done = max((row["step"] + 1 for row in _rows(log)), default=n_steps)
    return n_steps if done > n_steps - LOG_EVERY else done


def _rows(log: Path) -> list[dict]:
    return [row for row in read_rows(log) if "step" in row] if log.is_file() else []


def _synthesis_seconds(result: Result, study: QualityStudy, cohort: Cohort, participant_id: str) -> float:
    own = [fold.index for fold in result.folds if participant_id in fold.test]
    trained = result.trained if not own else type(result.trained)(result.fold_folders[own[0]])
    scan = load_scan(cohort, participant_id, study.gan.sources)
    start = time.process_time()
    trained.synthesise(
        scan,
        cohort.grid.matrix,
        stride=study.gan.stride,
        batch_size=study.complete.batch_size,
        device=device_name(study.trainer.accelerator),
    )
    return time.process_time() - start
