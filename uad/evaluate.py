"""``python -m uad.evaluate normative=synthetic``: rank suspicious clusters in patients."""

from typing import TYPE_CHECKING

from synthpet.command.main import command, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("uad_evaluate")
def main(cfg: "DictConfig") -> None:
    """Evaluate the detector on the patients, or say that it is up to date; say what was found and where the page is."""
    from uad.evaluation.run import ensure_evaluation, say_evaluation
    from uad.findings.options import EvaluationStudy

    say_evaluation(ensure_evaluation(typed(EvaluationStudy, cfg)))


if __name__ == "__main__":
    main()
