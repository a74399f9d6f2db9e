"""Weights & Biases (W&B) beside the local results: one run for each generator, detector and comparison, by study.

Nothing here can stop a command: what W&B refuses is said once, and the work goes on. wandb is imported only where
``logger=wandb`` and something was made. Runs hold no host name, user name, path or code, and of real people neither
images nor ids nor weights unless ``logger.images``, ``logger.ids`` or ``logger.models`` is set.
"""

from synthpet.tracking.follow import Section, following
from synthpet.tracking.mode import group_of, settled
from synthpet.tracking.products import Product, cohort_product, made_by
from synthpet.tracking.run import Run, pictures_of, tracked

GENERATOR, DETECTOR, COMPARISON = "generator", "detector", "comparison"  # what runs are about: their job types

__all__ = [
    "COMPARISON", "DETECTOR", "GENERATOR", "Product", "Run", "Section", "cohort_product", "following", "group_of",
    "made_by", "mode", "options", "pictures_of", "settled", "stages", "tracked",
]  # fmt: skip
