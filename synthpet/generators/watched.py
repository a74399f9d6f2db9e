"""A generator as one run of W&B: the trainings of its folds while they last, whichever processes do them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from synthpet.cohort.paths import METRICS
from synthpet.errors import TrainingError
from synthpet.generators.options import TrainingStudy
from synthpet.learning.model_card import short_name
from synthpet.tracking import GENERATOR, Run, Section, following, pictures_of, tracked

FLAT = 0.2  # of the contrast of the measured target: below it a generator has collapsed


def generator_run(study: TrainingStudy) -> AbstractContextManager[Run]:
    """The one run about this generator: its trainings, what it completed, the quality of that."""
    return tracked(study, GENERATOR, study.gan.folder_name, {"gan": study.gan.of_training()})


@contextmanager
def following_folds(run: Run, study: TrainingStudy, folders: Sequence[Path]) -> Iterator[None]:
    """Tell the run of the folds that are trained within the block; warn where one collapses or stops.

    Args:
        run: of the generator.
        study: options of ``train``.
        folders: of the folds, whose names are those of the run's sections.
    """
    name, flat = study.gan.folder_name, set()
    source, target = short_name(study.gan.sources[0]), short_name(study.gan.target)
    caption = f"{source}, measured {target} and synthetic {target} of a left-out subject"
    sections = [Section(f.name, f / METRICS, pictures_of(study, name, f.name), caption) for f in folders]

    def look(section: str, row: Mapping[str, Any]) -> None:
        contrast, step = row.get("val/contrast"), row["step"] + 1
        if contrast is not None and contrast < FLAT and step >= study.gan.n_steps / 2 and section not in flat:
            flat.add(section)
            words = f"{name} {section}, step {step}: {contrast:.0%} of the contrast of a real {target}"
            run.alert("Collapsed generator", words)

    try:
        with following(run, sections, look):
            yield
    except TrainingError as error:
        run.alert("Training stopped", f"{name}: {error}")
        raise
