"""Which of several T1s of one session is used: thin slices before thick, no contrast agent, equal voxels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthpet.cohort.images import read_grid
from synthpet.errors import DataError
from synthpet.prepare.raw.inheritance import read_sidecar
from synthpet.prepare.raw.scan import ANY_SPACE, Scan, words_of_path

THICK_MM = 3.0  # such slices do not show the cortex; better with contrast agent than these
WITHOUT = re.compile(
    r"(no|non|without|pre|sans|ohne|wo)[ _-]*(contrast|gado?[a-z]*|gd|inj[a-z]*|ce|km)\b", re.IGNORECASE
)
CONTRAST = re.compile(
    r"gado[a-z]*|gad|gd|(t1|post|w|with|mit|avec|plus|c)(gado?[a-z]*|gd|contrast|con|km|inj[a-z]*|ce)|ce|cet1w?|contrast|kontrast|"
    r"contraste|injected|injection|inj|km"
)
BOLUS = ("ContrastBolusAgent", "ContrastBolusIngredient")
SERIES = ("SeriesDescription", "ProtocolName")


@dataclass(frozen=True)
class T1wQuality:
    """What tells T1s of one session apart; ``spacing_mm`` is None where the header cannot be read."""

    spacing_mm: tuple[float, float, float] | None
    contrast: str = ""
    is_2d: bool = False

    @property
    def order(self) -> tuple[float, ...]:
        """Sort key, the best first."""
        low, high = (min(self.spacing_mm), max(self.spacing_mm)) if self.spacing_mm else (1.0, 1e6)
        return (high >= THICK_MM, bool(self.contrast), self.is_2d, round(high, 1), round(high / max(low, 1e-3), 1))

    def __str__(self) -> str:
        """What is said of a T1: voxels, and what speaks against it."""
        voxels = " x ".join(f"{mm:.2g}" for mm in self.spacing_mm) + " mm" if self.spacing_mm else "header not readable"
        return ", ".join([voxels, *([self.contrast] if self.contrast else []), *(["2D"] if self.is_2d else [])])


def t1w_quality(scan: Scan, root: Path) -> T1wQuality:
    """Look at header, name and sidecars of a T1.

    Args:
        scan: the T1.
        root: the folder that is read.
    """
    path = root / scan.path
    try:
        spacing = read_grid(path).spacing_mm
    except DataError:  # said when it is read
        spacing = None
    try:
        about = read_sidecar(path)
    except DataError:
        about = {}
    return T1wQuality(spacing, contrast_agent(scan, about), about.get("MRAcquisitionType") == "2D")


def contrast_agent(scan: Scan, about: Mapping[str, Any]) -> str:
    """What says that a contrast agent was given, in words; empty where nothing does."""
    if scan.entities.get("ce", "none").casefold() not in ("none", "no"):
        return f"contrast agent (ce-{scan.entities['ce']})"
    for key in BOLUS:
        if str(about.get(key) or "none").strip().casefold() not in ("none", "no", "n/a", "na"):
            return f"contrast agent ({key})"
    said = {entity: scan.entities.get(entity, "") for entity in ("acq", "desc", "rec")}
    said["its name"] = " ".join(words_of_path(scan)) if scan.space == ANY_SPACE else ""
    said |= {key: str(about.get(key) or "")[:400] for key in SERIES}
    for key, text in said.items():
        words = re.findall(r"[a-z0-9]+", WITHOUT.sub(" ", text).casefold().replace("+c", " gd "))
        if any(CONTRAST.fullmatch(word) for word in words):
            return f"contrast agent ({key})"
    return ""
