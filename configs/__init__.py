"""Hydra configuration, read as ``pkg://synthpet.configs`` from a checkout and from a wheel alike."""
