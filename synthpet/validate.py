"""``python -m synthpet.validate cohort=<folder>``: every problem of a cohort, a raw folder or results."""

from typing import TYPE_CHECKING

from synthpet.command.main import command, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("validate")
def main(cfg: "DictConfig") -> None:
    """Check, print the table, write ``validation.json``; exit code 65 where there is an error."""
    from synthpet.checks.everything import check
    from synthpet.checks.options import ValidationStudy

    check(typed(ValidationStudy, cfg))


if __name__ == "__main__":
    main()
