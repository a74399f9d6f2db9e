"""Figures of one person and of a whole study."""

__all__ = ["figures", "regional", "views"]
