"""Statistics for few patients: intervals, paired tests, p-values against controls and over many comparisons."""

__all__ = ["intervals", "p_values", "paired", "single_case"]
