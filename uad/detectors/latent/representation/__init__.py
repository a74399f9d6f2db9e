"""The siamese autoencoder: patch to latent vector."""

__all__ = ["directions", "fitting", "latents", "options", "storage"]
