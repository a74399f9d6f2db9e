"""One-class support estimators: latent vector to decision value, positive = normal."""
