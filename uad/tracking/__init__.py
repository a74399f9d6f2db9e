"""Stages of the detection as runs of W&B."""

__all__ = ["stages"]
