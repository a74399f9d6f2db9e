"""Quality control of prepared people: numbers, flags, pictures, pages."""

__all__ = ["cohort", "page", "person"]
