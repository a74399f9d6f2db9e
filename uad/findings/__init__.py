"""From a map to findings of one person: threshold by held-out controls, clusters, ranks, confidence."""

__all__ = ["calibrated", "clusters", "examine", "health", "merging", "options", "records", "threshold"]
