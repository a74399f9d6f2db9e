"""``python -m synthpet.prepare``: raw BIDS to a cohort; also in the form of BIDS Apps."""

import sys
from typing import TYPE_CHECKING

from synthpet.command.main import command, typed
from synthpet.errors import UsageError
from synthpet.prepare.bids_app import to_overrides
from synthpet.prepare.recipes import LIST, list_recipes
from synthpet.runtime.console import complain

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("prepare")
def prepare(cfg: "DictConfig") -> None:
    """Prepare every subject that is not prepared yet, and write the cohort."""
    from synthpet.prepare.cohort import ensure_prepared
    from synthpet.prepare.options import PrepareStudy

    ensure_prepared(typed(PrepareStudy, cfg))


def main() -> None:
    """Understand ``<bids_dir> <out_dir> participant`` as well as ``key=value``; ``dataset=?`` lists and ends."""
    if LIST in sys.argv[1:]:
        list_recipes()
        return
    try:
        sys.argv[1:] = to_overrides(sys.argv[1:])
    except UsageError as error:
        complain(f"UsageError: {error}")
        sys.exit(error.exit_code)
    prepare()


if __name__ == "__main__":
    main()
