"""The simulated cohort."""

__all__ = ["cohort"]
