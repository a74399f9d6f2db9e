"""``python -m uad.compare``: does synthetic PET serve as well as real PET? The table and its statistics."""

from typing import TYPE_CHECKING

from synthpet.command.main import command

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("uad_compare")
def main(cfg: "DictConfig") -> None:
    """Compare the evaluations, running those that are missing."""
    from hydra.core.hydra_config import HydraConfig

    from uad.comparison.run import ensure_comparison

    ensure_comparison(cfg, list(HydraConfig.get().overrides.task))


if __name__ == "__main__":
    main()
