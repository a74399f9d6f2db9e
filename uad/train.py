"""``python -m uad.train normative=synthetic``: learn what is normal from a normative set."""

from typing import TYPE_CHECKING

from synthpet.command.main import command, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("uad_train")
def main(cfg: "DictConfig") -> None:
    """Train the detector, or say that it is up to date."""
    from uad.detectors.options import DetectorStudy
    from uad.detectors.train import ensure_detectors

    ensure_detectors(typed(DetectorStudy, cfg))


if __name__ == "__main__":
    main()
