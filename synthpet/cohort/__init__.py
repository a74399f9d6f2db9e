"""A cohort on disk: subjects, BIDS names, checked images, folds; what every other room reads and writes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthpet.cohort.folds import Fold, check_no_leakage, make_folds, read_folds, write_folds
    from synthpet.cohort.images import Grid, read_image, write_image
    from synthpet.cohort.index import Cohort, Subject
MODULES = {
    "folds": ("Fold", "check_no_leakage", "make_folds", "read_folds", "write_folds"),
    "images": ("Grid", "read_image", "write_image"),
    "index": ("Cohort", "Subject"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that ``--help`` and a misspelt option wait for no reader of images."""
    for module, names in MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Cohort", "Fold", "Grid", "Subject", "check_no_leakage", "coverage", "files", "formats", "header", "images",
    "index", "lesions", "make_folds", "manifest", "marks", "modality", "names", "paths", "problems", "read_folds",
    "read_image", "scan", "text", "words", "write_folds", "write_image",
]  # fmt: skip
