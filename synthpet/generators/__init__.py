"""Generators of a missing modality: network, patches, training, one per fold, and synthesis of a whole volume."""

__all__ = ["crossfit", "options", "trained", "watched"]
