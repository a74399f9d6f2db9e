"""One detector on every patient: ranks, false clusters, and the page."""

__all__ = ["run"]
