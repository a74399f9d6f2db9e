"""``python -m uad.compare``: does synthetic PET serve as well as real PET? The table and its statistics."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from synthpet.command.main import command, compose, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from uad.comparison.options import ComparisonStudy
    from uad.findings.options import EvaluationStudy

OWN = ("compare.", "detector=", "normative=", "gan=")  # not handed on to the single evaluations


@command("uad_compare")
def main(cfg: "DictConfig") -> None:
    """Compare the evaluations, running those that are missing."""
    from hydra.core.hydra_config import HydraConfig

    from uad.comparison.run import ensure_comparison

    ensure_comparison(comparison_study(cfg, list(HydraConfig.get().overrides.task)))


def comparison_study(cfg: "DictConfig", overrides: Sequence[str] = ()) -> "ComparisonStudy":
    """The typed options, with those of every evaluation.

    Args:
        cfg: configuration of ``uad_compare``.
        overrides: what the user changed on the command line; it holds for every evaluation.
    """
    from uad.comparison.options import ComparisonStudy
    from uad.findings.options import EvaluationStudy

    study = typed(ComparisonStudy, cfg)
    shared = [option for option in overrides if not option.startswith(OWN)]

    def composed(detector: str, column: str) -> "EvaluationStudy":
        normative, _, gan = column.partition("-")
        options = [f"detector={detector}", f"normative={normative}", *([f"gan={gan}"] if gan else [])]
        return replace(typed(EvaluationStudy, compose("uad_evaluate", *options, *shared)), logger=study.logger)

    detectors, columns = study.compare.detectors, study.compare.columns
    by_column = {column: composed(detectors[0], column) for column in columns}
    of_detector = {detector: composed(detector, columns[0]).detector for detector in detectors}
    cells = {(d, c): replace(by_column[c], detector=of_detector[d]) for d in detectors for c in columns}
    return replace(study, evaluations=cells)


if __name__ == "__main__":
    main()
