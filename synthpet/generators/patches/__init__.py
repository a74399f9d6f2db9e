"""Patches of a volume: where they lie, how training draws them, how inference puts them together.

A patch is always (pi, pj, pk) voxels; three adjacent transverse slices are a patch with pk = 3.
"""

from synthpet.generators.patches.overlap import blend_window, extract, overlap_add, patch_origins

__all__ = ["augment", "blend_window", "data", "extract", "overlap", "overlap_add", "patch_origins", "smoothing"]
