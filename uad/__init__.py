"""uad: learn the normal T1 + FDG PET appearance of controls and rank what is suspicious in a patient.

Rooms: ``representation`` (siamese autoencoder: patch to latent vector), ``support`` (one-class SVMs: latent vector to
decision value), ``maps`` (decision values to a z-map), ``clusters`` (threshold, components, ranking), ``detection``
(what was found, voxel metrics), ``statistics`` (paired tests and intervals). It may import synthpet, never the reverse.
"""
