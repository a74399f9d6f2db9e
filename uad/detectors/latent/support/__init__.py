"""One-class support estimators: latent vector to decision value, positive = normal."""

__all__ = ["slabs", "storage", "subject", "svdd", "voxelwise"]
