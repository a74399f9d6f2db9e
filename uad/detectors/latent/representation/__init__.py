"""The siamese autoencoder: patch to latent vector."""
