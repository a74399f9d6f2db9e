"""``python -m synthpet.train gan=patch3d``: one generator per fold of the paired controls."""

from typing import TYPE_CHECKING

from synthpet.command.main import command, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("train")
def main(cfg: "DictConfig") -> None:
    """Train every fold, or say that it is up to date."""
    from synthpet.generators.crossfit import ensure_generators
    from synthpet.generators.options import TrainingStudy

    ensure_generators(typed(TrainingStudy, cfg))


if __name__ == "__main__":
    main()
