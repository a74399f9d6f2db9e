"""Synthetic images of everybody whom no generator has seen, as a BIDS derivative."""

__all__ = ["options", "write"]
