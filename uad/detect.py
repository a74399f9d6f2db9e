"""``python -m uad.detect t1w=... pet=...``: suspicious places in one new patient."""

from typing import TYPE_CHECKING

from synthpet.command.main import command

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("uad_detect")
def main(cfg: "DictConfig") -> None:
    """Examine the patient, or say that it is up to date; print the candidates and where the page is."""
    from hydra.core.hydra_config import HydraConfig

    from uad.new_patient.run import ensure_detection

    ensure_detection(cfg, list(HydraConfig.get().overrides.task))


if __name__ == "__main__":
    main()
