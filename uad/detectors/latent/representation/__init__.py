"""The siamese autoencoder: patch to latent vector."""

__all__ = ["autoencoder", "directions", "fitting", "latents", "options", "storage"]
