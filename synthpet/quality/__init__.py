"""How good synthetic images are: metrics, spread, what T1 can explain, planted failures, and the page."""

__all__ = ["options", "run", "scales", "source", "words"]
