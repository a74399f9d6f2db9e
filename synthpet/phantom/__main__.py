"""``python -m synthpet.phantom``: write the simulated cohort."""

from typing import TYPE_CHECKING

from synthpet.command.main import command, typed

if TYPE_CHECKING:
    from omegaconf import DictConfig


@command("phantom")
def main(cfg: "DictConfig") -> None:
    """Write the cohort, or with ``raw=<folder>`` the people's raw scans; or say that it is up to date."""
    from synthpet.phantom.options import PhantomStudy

    study = typed(PhantomStudy, cfg)
    if study.raw:
        from synthpet.phantom.raw_dataset import ensure_raw

        ensure_raw(study)
    elif study.realism:
        from synthpet.phantom.realism.page import ensure_realism

        ensure_realism(study)
    else:
        from synthpet.phantom.cohort import ensure_phantom

        ensure_phantom(study)


if __name__ == "__main__":
    main()
