"""The page of one patient, its words, and maps in the patient's own space."""

__all__ = ["facts", "native", "page", "pdf", "pictures", "regions", "words"]
