"""One new patient, from raw or prepared images to a page."""

__all__ = ["options", "run"]
