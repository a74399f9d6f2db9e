"""Detectors by ``detector.method``; a package adds its own by an entry point of the group ``uad.detectors``."""

from synthpet.runtime.registry import Registry

LATENT = "uad.detectors.latent.detector:LatentDetector"
CONDITIONAL = "uad.detectors.latent.conditional:ConditionalDetector"
DETECTORS = Registry(
    "detector.method",
    "uad.detectors",
    {
        "ocsvm_voxel": LATENT,
        "svdd": LATENT,
        "ocsvm_subject": LATENT,
        "latent_zmap": LATENT,
        "zmap": "uad.detectors.zmap:ZMap",
        "asymmetry": "uad.detectors.asymmetry:Asymmetry",
        "residual": "uad.detectors.residual:Residual",
        "ocsvm_conditional": CONDITIONAL,
        "zmap_conditional": CONDITIONAL,
        "residual_conditional": "uad.detectors.latent.smoothed:SmoothedDetector",
    },
)
