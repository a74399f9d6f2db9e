"""Rival detectors: what clinics use and what others published, behind one protocol: ``fit`` and ``z_map``."""

from uad.rivals.asymmetry import Asymmetry
from uad.rivals.deviation import PetDeviation
from uad.rivals.residual import Residual
from uad.rivals.zmap import ZMap

__all__ = ["Asymmetry", "PetDeviation", "Residual", "ZMap"]
