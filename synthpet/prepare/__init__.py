"""Raw BIDS to a cohort on the template grid: brain mask, bias field, registration, tissues, one interpolation."""

__all__ = ["check_raw", "options", "settings", "subject"]
