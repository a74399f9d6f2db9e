"""Every problem of a cohort, of one person and of finished results, found before any work."""

__all__ = ["cohort", "everything", "options"]
