"""``python -m synthpet.prepare``: raw BIDS to a cohort."""

from typing import TYPE_CHECKING

from synthpet.command import command

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("prepare")
def main(cfg: "DictConfig") -> None:
    """Prepare every subject that is not prepared yet, and write the cohort."""
    from synthpet.prepare.cohort import ensure_prepared

    ensure_prepared(cfg)


if __name__ == "__main__":
    main()
