"""``python -m synthpet.compare``: which generator is best, for which purpose, at which price? The table and tests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from synthpet.command.main import command, compose, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from synthpet.comparison.options import GeneratorsStudy

OWN = ("compare.", "gan=")  # not handed on to the single evaluations


@command("compare")
def main(cfg: "DictConfig") -> None:
    """Compare the generators, running what is missing of each."""
    from hydra.core.hydra_config import HydraConfig

    from synthpet.comparison.run import ensure_generators_compared

    ensure_generators_compared(generators_study(cfg, list(HydraConfig.get().overrides.task)))


def generators_study(cfg: "DictConfig", overrides: Sequence[str] = ()) -> "GeneratorsStudy":
    """The typed options, with those of the evaluation of every generator.

    Args:
        cfg: configuration of ``compare``.
        overrides: what the user changed on the command line; it holds for every generator.
    """
    from synthpet.comparison.options import GeneratorsStudy
    from synthpet.quality.options import QualityStudy

    study = typed(GeneratorsStudy, cfg)
    shared = [option for option in overrides if not option.startswith(OWN)]
    evaluations = {
        name: replace(typed(QualityStudy, compose("evaluate", f"gan={name}", *shared)), logger=study.logger)
        for name in study.compare.generators
    }
    return replace(study, evaluations=evaluations)


if __name__ == "__main__":
    main()
