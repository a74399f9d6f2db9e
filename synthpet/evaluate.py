"""``python -m synthpet.evaluate gan=patch3d``: how good the synthetic PET is, in numbers and pictures."""

from typing import TYPE_CHECKING

from synthpet.command.main import command, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("evaluate")
def main(cfg: "DictConfig") -> None:
    """Evaluate, or say that it is up to date; print the headline and where everything lies."""
    from synthpet.cohort.text import read_json_object
    from synthpet.quality.options import QualityStudy
    from synthpet.quality.run import ensure_evaluated
    from synthpet.quality.words import console_lines
    from synthpet.runtime.console import say

    folder = ensure_evaluated(typed(QualityStudy, cfg))
    for line in console_lines(read_json_object(folder / "quality.json")):
        say(line)
    for name in ("report.html", "quality.tsv", "quality.json", "figures/"):
        say(f"written: {folder / name}")


if __name__ == "__main__":
    main()
