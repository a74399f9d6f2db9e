"""The template space: its regions."""

__all__ = ["gyri", "icbm", "regions", "smoothing"]
