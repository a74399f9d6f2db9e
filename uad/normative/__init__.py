"""Normative sets: whom a detector learns from, with guards against leaks, and their resolution."""

__all__ = ["normal_image", "options", "regional", "sets"]
