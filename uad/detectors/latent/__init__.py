"""Detectors on the latent vectors of a siamese autoencoder: one-class machines and their controls."""

__all__ = []
