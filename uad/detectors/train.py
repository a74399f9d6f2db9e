"""From a cohort and a normative set to a trained detector in a folder that a rerun reuses."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort
from synthpet.completion.write import generators_source
from synthpet.generators.crossfit import ensure_cohort
from synthpet.learning.model_card import DETECTOR, write_model_card
from synthpet.quality.run import ensure_evaluated
from synthpet.runtime.stage import Stage
from uad.detectors.base import SYNTHESIS, Assignment, Detector
from uad.detectors.registry import DETECTORS
from uad.normative.sets import NormativeSet, normative_set
from uad.tracking.stages import track_detector

NEEDS_SYNTHESIS = ("synthetic", "completed", "resampled")


def detector_folder(cfg: DictConfig, prefix: str = "uad") -> Path:
    """``<prefix>-<detector>-<normative>[-<gan>]``: the generator is named where synthetic PET is used."""
    parts = [prefix, cfg.detector.name, cfg.normative.name]
    return Path(cfg.work_dir) / "-".join([*parts, cfg.gan.name] if uses_synthesis(cfg) else parts)


def uses_synthesis(cfg: DictConfig) -> bool:
    """Whether the detector needs generators: for its normative set, or to expect a person's PET from the T1."""
    matched = cfg.normative.smooth_fwhm_mm == "match"
    return matched or cfg.normative.name in NEEDS_SYNTHESIS or SYNTHESIS in DETECTORS.load(cfg.detector.method).needs


def ensure_detectors(cfg: DictConfig) -> tuple[Cohort, NormativeSet, dict[int, Detector]]:
    """Train the detector of each seed unless it is there; first run what is missing before it.

    Returns:
        The cohort, the normative set, and the detector by seed.

    Raises:
        DataLeakageError: the normative set holds somebody who must not be in it.
        DataError: images are missing, or synthetic PET has collapsed.
    """
    synthetic = ensure_evaluated(cfg) if uses_synthesis(cfg) else None
    cohort = ensure_cohort(cfg) if synthetic is None else open_cohort(cfg)
    options = {"smooth_fwhm_mm": cfg.normative.smooth_fwhm_mm, "force": cfg.normative.force}
    normative = normative_set(cohort, cfg.normative.name, synthetic, **options)
    return (
        cohort,
        normative,
        {seed: _ensure_detector(cfg, cohort, normative, synthetic, seed) for seed in cfg.detector.seeds},
    )


def _ensure_detector(
    cfg: DictConfig, cohort: Cohort, normative: NormativeSet, synthetic: Path | None, seed: int
) -> Detector:
    folder = detector_folder(cfg) / f"seed-{seed}"
    config: dict[str, Any] = {
        "detector": {key: value for key, value in OmegaConf.to_container(cfg.detector).items() if key != "seeds"},  # type: ignore[union-attr]
        "normative": OmegaConf.to_container(cfg.normative),
        "members": [member.participant_id for member in normative.members],
        "seed": seed,
    }
    generators = generators_source(cfg) if synthetic is not None else None
    assignment = Assignment(folder, seed, cohort, cfg.trainer.accelerator, synthetic, generators)
    detector = DETECTORS.load(cfg.detector.method).of(OmegaConf.to_container(cfg.detector), assignment)
    stage = Stage(f"detector {folder.parent.name} seed {seed}", folder, config, detector.files(normative, cohort))

    def make() -> list[Path]:
        written = detector.fit(normative, cohort).save(folder)
        options = {key: config[key] for key in ("detector", "normative", "seed")}
        card = write_model_card(folder, DETECTOR, folder.parent.name, cohort, config["members"], options, written)
        return [*written, card]

    if stage.ensure(make):
        track_detector(cfg, folder, seed, synthetic)
    stage.check_outputs()
    detector.restore(folder, cohort)
    return detector
