"""From a cohort and a normative set to a trained detector in a folder that a rerun reuses."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from synthpet.checks.cohort import open_cohort
from synthpet.cohort import Cohort
from synthpet.completion.write import generators_source
from synthpet.errors import UsageError
from synthpet.generators.crossfit import ensure_cohort
from synthpet.learning.model_card import DETECTOR, write_model_card
from synthpet.quality.run import ensure_evaluated
from synthpet.runtime.device import device_name
from synthpet.runtime.stage import Stage
from uad.detectors.asymmetry import Asymmetry
from uad.detectors.deviation import Options
from uad.detectors.residual import Residual, synthesiser
from uad.detectors.zmap import ZMap
from uad.normative.sets import NormativeSet, normative_set
from uad.tracking.stages import track_detector

NEEDS_SYNTHESIS = ("synthetic", "completed", "resampled")


class Detector(Protocol):
    """What every detector does."""

    def files(self, normative: NormativeSet, cohort: Cohort) -> tuple[Path, ...]:
        """Every image that determines what ``fit`` learns."""

    def fit(self, normative: NormativeSet, cohort: Cohort) -> "Detector":
        """Learn what is normal."""

    def save(self, folder: Path) -> list[Path]:
        """Write what was learned; return the files."""

    def restore(self, folder: Path, cohort: Cohort) -> None:
        """Read what ``save`` wrote."""

    def z_map(
        self, t1w: NDArray[np.float32], pet: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.float32]]:
        """Maps (I, J, K) of one person: ``z``, high = abnormal, 0 where it does not judge; where it has them ``z_pet``
        (signed, negative = less uptake) and ``z_t1w`` (signed).
        """


def detector_folder(cfg: DictConfig, prefix: str = "uad") -> Path:
    """``<prefix>-<detector>-<normative>[-<gan>]``: the generator is named where synthetic PET is used."""
    parts = [prefix, cfg.detector.name, cfg.normative.name]
    return Path(cfg.work_dir) / "-".join([*parts, cfg.gan.name] if uses_synthesis(cfg) else parts)


def uses_synthesis(cfg: DictConfig) -> bool:
    """Whether the detector needs generators: for its normative set, or to expect a person's PET from the T1."""
    matched = cfg.normative.smooth_fwhm_mm == "match"
    return matched or cfg.normative.name in NEEDS_SYNTHESIS or cfg.detector.method == "residual"


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
    detector = make_detector(cfg, cohort, synthetic, folder, seed)
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


def make_detector(cfg: DictConfig, cohort: Cohort, synthetic: Path | None, folder: Path, seed: int) -> Detector:
    """A detector that has learned nothing yet; ``folder`` and ``seed`` are those of its training.

    Raises:
        UsageError: an unknown ``detector.method``.
    """
    if cfg.detector.method in ("ocsvm_voxel", "svdd", "ocsvm_subject", "latent_zmap"):
        from uad.detectors.latent.detector import OneClassDetector

        chosen: Any = OmegaConf.to_container(cfg.detector)
        own = {key: chosen[key] for key in chosen if key not in ("name", "seeds")}
        return OneClassDetector(folder, seed, accelerator=cfg.trainer.accelerator, **own)
    options: dict[str, Any] = {key: cfg.detector[key] for key in Options.__annotations__}
    if cfg.detector.method == "zmap":
        return ZMap(image=cfg.detector.get("image", "pet"), **options)
    if cfg.detector.method == "asymmetry":
        return Asymmetry(**options)
    if cfg.detector.method == "residual" and synthetic is not None:
        device = device_name(cfg.trainer.accelerator)
        return Residual(synthetic, synthesiser(generators_source(cfg), synthetic, cohort, device=device), **options)
    raise UsageError(
        f"detector.method={cfg.detector.method}: expected ocsvm_voxel, svdd, ocsvm_subject, "
        "latent_zmap, zmap, asymmetry or residual"
    )
