"""Normative sets and detectors side by side, with paired statistics, and the page."""

__all__ = ["options", "run"]
