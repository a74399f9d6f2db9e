"""``python -m uad.detect t1w=... pet=...``: suspicious places in one new patient."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from synthpet.command.main import command, compose, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from uad.new_patient.options import DetectionStudy


@command("uad_detect")
def main(cfg: "DictConfig") -> None:
    """Examine the patient, or say that it is up to date; print the candidates and where the page is."""
    from hydra.core.hydra_config import HydraConfig

    from uad.new_patient.run import ensure_detection

    overrides = list(HydraConfig.get().overrides.task)
    check_cohort_is_said(cfg.cohort.source, overrides)
    ensure_detection(detection_study(cfg, overrides))


def check_cohort_is_said(source: str, overrides: Sequence[str]) -> None:
    """Refuse to judge a patient against simulated people whom nobody has asked for.

    Args:
        source: of the cohort.
        overrides: what the user typed.

    Raises:
        UsageError: the cohort is the phantom, and neither ``cohort=`` nor ``study=`` was typed.
    """
    from synthpet.errors import UsageError

    if source == "phantom" and not any(option.startswith(("cohort=", "study=")) for option in overrides):
        raise UsageError(
            "cohort: was not given, so the patient would be judged against simulated people; expected "
            "cohort=<folder of your controls, as synthpet.prepare makes it>, or cohort=phantom to try it on those"
        )


def detection_study(cfg: "DictConfig", overrides: Sequence[str] = ()) -> "DetectionStudy":
    """The typed options, with the detector of the T1 where there is no PET.

    Args:
        cfg: configuration of ``uad_detect``.
        overrides: what the user changed on the command line; options of the detector are those of the one with PET.
    """
    from uad.detectors.options import DetectorOptions
    from uad.new_patient.options import DetectionStudy

    study = typed(DetectionStudy, cfg)
    if study.pet is not None:
        return study
    shared = [option for option in overrides if not option.startswith(("detector=", "detector."))]
    alone = compose("uad_detect", *shared, f"detector={cfg.detect.without_pet}").detector
    return replace(study, t1w_detector=typed(DetectorOptions, alone))


if __name__ == "__main__":
    main()
