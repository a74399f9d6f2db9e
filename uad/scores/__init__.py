"""Whether clusters hit lesions, and voxelwise metrics."""

__all__ = ["lesions", "voxel_metrics"]
