"""From a cohort and a normative set to a trained detector in a folder that a rerun reuses."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort
from synthpet.cohort.paths import METRICS, Paths
from synthpet.completion.write import generators_source, with_stored_translation
from synthpet.generators.crossfit import ensure_cohort
from synthpet.learning.model_card import DETECTOR, write_model_card
from synthpet.quality.run import ensure_evaluated
from synthpet.runtime.options import plain
from synthpet.runtime.stage import Stage
from synthpet.tracking import DETECTOR as DETECTOR_RUN
from synthpet.tracking import Run, Section, following, tracked
from uad.detectors.base import SYNTHESIS, Assignment, Detector
from uad.detectors.left_out import LeavesOut
from uad.detectors.options import DetectorStudy
from uad.detectors.registry import DETECTORS
from uad.normative.sets import NormativeSet, normative_set
from uad.tracking.stages import track_detector

S = TypeVar("S", bound=DetectorStudy)
NEEDS_SYNTHESIS = ("synthetic", "completed", "resampled")


def detector_folder(study: DetectorStudy) -> Path:
    """Where the detectors lie, a folder a seed."""
    return study.paths.detector(*named_by(study))


def named_by(study: DetectorStudy) -> tuple[str, str, str]:
    """Detector, normative set, and generator with its unusual translation (empty: not used), which name folders."""
    return study.detector.name, study.normative.name, study.gan.folder_name if uses_synthesis(study) else ""


def detector_run(study: DetectorStudy) -> AbstractContextManager[Run]:
    """The one run of W&B about a detector and its normative set: every seed's training, and what they find."""
    about = {"detector": {key: value for key, value in plain(study.detector).items() if key != "seeds"}}
    about |= {"normative": plain(study.normative)}
    about |= {"gan": study.gan.of_training()} if uses_synthesis(study) else {}
    return tracked(study, DETECTOR_RUN, "-".join(filter(None, named_by(study))), about)


def uses_synthesis(study: DetectorStudy) -> bool:
    """Whether the detector needs generators: for its normative set, or to expect a person's PET from the T1."""
    matched = study.normative.smooth_fwhm_mm == "match"
    return matched or study.normative.name in NEEDS_SYNTHESIS or SYNTHESIS in study.detector.needs


def with_translation(study: S) -> S:
    """The study with the translation of the generators that it uses, which may be another study's."""
    return with_stored_translation(study) if uses_synthesis(study) else study


def target_of(study: DetectorStudy) -> str:
    """The modality that is completed and smoothed: that of the generators where the detector sees it, else the PET."""
    images = study.detector.learns_from
    return study.gan.target if study.gan.target in images else "pet" if "pet" in images else images[-1]


def ensure_detectors(study: DetectorStudy) -> tuple[Cohort, NormativeSet, dict[int, Detector]]:
    """Train the detector of each seed unless it is there; first run what is missing before it.

    Returns:
        The cohort, the normative set, and the detector by seed.

    Raises:
        DataLeakageError: the normative set holds somebody who must not be in it.
        DataError: images are missing, or synthetic PET has collapsed.
    """
    study = with_translation(study)
    synthetic = ensure_evaluated(study) if uses_synthesis(study) else None
    cohort = ensure_cohort(study) if synthetic is None else open_cohort(study)
    normative = normative_set(
        cohort,
        study.normative.name,
        synthetic,
        smooth_fwhm_mm=study.normative.smooth_fwhm_mm,
        force=study.normative.force,
        images=study.detector.learns_from,
        target=target_of(study),
    )
    return (
        cohort,
        normative,
        {seed: _ensure_detector(study, cohort, normative, synthetic, seed) for seed in study.detector.seeds},
    )


def _ensure_detector(
    study: DetectorStudy, cohort: Cohort, normative: NormativeSet, synthetic: Path | None, seed: int
) -> Detector:
    folder = Paths.seed(detector_folder(study), seed)
    config: dict[str, Any] = {
        "detector": {key: value for key, value in plain(study.detector).items() if key != "seeds"},
        "normative": plain(study.normative),
        "members": [member.participant_id for member in normative.members],
        "seed": seed,
    }
    generators = generators_source(study) if synthetic is not None else None
    assignment = Assignment(folder, seed, cohort, study.trainer.accelerator, synthetic, generators)
    detector = DETECTORS.load(study.detector.method).of(plain(study.detector), assignment)
    config["left_out"] = isinstance(detector, LeavesOut)  # folders of before have no such maps
    stage = Stage(f"detector {folder.parent.name} seed {seed}", folder, config, detector.files(normative, cohort))

    def make(run: Run) -> list[Path]:
        with following(run, [Section(folder.name, folder / METRICS)]):  # where there is something to follow
            written = detector.fit(normative, cohort).save(folder)
        if isinstance(detector, LeavesOut):
            written.append(detector.left_out(normative, cohort).save(folder))
        options = {key: config[key] for key in ("detector", "normative", "seed")}
        card = write_model_card(folder, DETECTOR, folder.parent.name, cohort, config["members"], options, written)
        return [*written, card]

    with detector_run(study) as run:
        if stage.ensure(lambda: make(run)):
            track_detector(run, folder, synthetic)
    stage.check_outputs()
    detector.restore(folder, cohort)
    return detector
