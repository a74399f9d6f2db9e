"""A cohort on disk: subjects, BIDS names, checked images, folds; what every other room reads and writes."""

from synthpet.cohort.folds import Fold, check_no_leakage, make_folds, read_folds, write_folds
from synthpet.cohort.images import Grid, read_image, write_image
from synthpet.cohort.index import Cohort, Subject

__all__ = [
    "Cohort", "Fold", "Grid", "Subject", "check_no_leakage", "coverage", "files", "formats", "header", "images",
    "index", "lesions", "make_folds", "marks", "names", "printable", "problems", "read_folds", "read_image", "text",
    "words", "write_folds", "write_image",
]  # fmt: skip
