"""Statistics for few patients: intervals, paired tests, p-values against controls and over many comparisons."""
