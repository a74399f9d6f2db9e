"""How far latent vectors lie from those of controls: a scorer each, found by ``detector.method``."""

__all__ = ["base", "controls", "registry"]
