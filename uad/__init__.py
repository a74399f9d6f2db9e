"""uad: learn the normal T1 + FDG PET appearance of controls and rank what is suspicious in a patient.

Rooms: ``representation`` (siamese autoencoder: patch to latent vector), ``latent_space`` (what harmless anatomy
explains, taken out), ``support`` (one-class SVMs: latent vector to decision value), ``oneclass`` (the detector made of
the three), ``rivals`` (z-map, asymmetry, T1-conditioned residual), ``normative`` (who is learned from, and the guards),
``maps`` (raw values to z), ``calibration``, ``clusters``, ``detection`` and ``voxel_metrics`` (what was found),
``statistics`` (paired tests and intervals). Commands: ``train``, ``evaluate``, ``compare``, ``detect``, run as
``python -m uad.<command>``. It may import synthpet, never the reverse.
"""
