"""Whether clusters hit lesions, and voxelwise metrics."""
