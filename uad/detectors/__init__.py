"""Rival detectors: what clinics use and what others published, behind one protocol: ``fit`` and ``z_map``."""

from uad.detectors.asymmetry import Asymmetry
from uad.detectors.deviation import PetDeviation
from uad.detectors.residual import Residual
from uad.detectors.zmap import ZMap

__all__ = ["Asymmetry", "PetDeviation", "Residual", "ZMap"]
