"""Several generators on the same people side by side: one table, paired tests, the same person under each."""

__all__ = ["options", "run"]
