"""``python -m synthpet.complete gan=patch3d``: the synthetic PET of every control."""

from typing import TYPE_CHECKING

from synthpet.command.main import command, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("complete")
def main(cfg: "DictConfig") -> None:
    """Complete the control set, or say that it is up to date."""
    from synthpet.completion.options import CompletionStudy
    from synthpet.completion.write import ensure_completed

    ensure_completed(typed(CompletionStudy, cfg))


if __name__ == "__main__":
    main()
