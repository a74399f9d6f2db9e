"""Scorers by ``detector.method``; a package adds its own by an entry point of the group ``uad.scorers``."""

from synthpet.runtime.registry import Registry

SCORERS = Registry(
    "detector.method",
    "uad.scorers",
    {
        "ocsvm_voxel": "uad.detectors.latent.scorers.voxelwise:OneClassSVM",
        "svdd": "uad.detectors.latent.scorers.voxelwise:Svdd",
        "ocsvm_subject": "uad.detectors.latent.scorers.subject:SubjectScorer",
        "latent_zmap": "uad.detectors.latent.scorers.amplitude:Amplitude",
    },
)
