"""What has to be looked up to choose among a person's images: headers, sidecars, times; no voxel is read."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from synthpet.cohort.images import read_grid
from synthpet.cohort.marks import is_synthetic_image
from synthpet.errors import DataError
from synthpet.prepare.raw.attenuation import named_uncorrected, said_uncorrected
from synthpet.prepare.raw.inheritance import read_sidecar
from synthpet.prepare.raw.scan import ANY_SPACE, Scan
from synthpet.prepare.raw.sessions import Acquired
from synthpet.prepare.raw.t1w import T1wQuality, t1w_quality
from synthpet.prepare.raw.tracer import UNKNOWN, why_not_tracer

MAX_LENGTH_MM = 600.0  # of a PET from head to foot: a head is found in 464 mm, and missed in 720 and more
NOT_CORRECTED = "not corrected for attenuation"


@dataclass
class Look:
    """Looks at the images of one person.

    Args:
        root: the folder that is read.
        tracer: that is wanted.
        acquired: when a scan was taken.
        pet_pattern: the user's own pattern of PETs, empty where there is none.
        notes: what was seen and should be said.
    """

    root: Path
    tracer: str
    acquired: Acquired
    pet_pattern: str = ""
    notes: list[str] = field(default_factory=list)

    def why_not_pet(self, scan: Scan) -> str:
        """Why a PET is not used; empty where it is."""
        if is_synthetic_image(self.root / scan.path):
            return "a synthetic PET, computed from a T1; expected a measured one"
        about = None
        try:
            about = read_sidecar(self.root / scan.path)
        except DataError as error:
            self.notes.append(str(error).replace(f"{self.root}/", ""))
        word = named_uncorrected(scan.path, scan.participant_id)
        uncorrected = word or said_uncorrected(about or {})
        if uncorrected and not self._asked_for():
            self.notes.append(f"{scan.path.name} is not used: {NOT_CORRECTED} ({uncorrected})")
            return f"{NOT_CORRECTED} ({uncorrected}); expected a corrected one, or name it by pet="
        if uncorrected:
            self.notes.append(f"PET {NOT_CORRECTED} ({uncorrected}), as pet= asks for it")
        reason = why_not_tracer(scan, about, self.tracer)
        return "" if scan.space == ANY_SPACE and reason.startswith(UNKNOWN) else reason  # the user's pattern says it is

    def length_mm(self, scan: Scan) -> float:
        """Extent of an image from head to foot, as its header has it; infinite where it cannot be read."""
        try:
            grid = read_grid(self.root / scan.path)
        except DataError:  # said when it is read
            return float("inf")
        return grid.shape[2] * grid.spacing_mm[2]

    def _asked_for(self) -> bool:
        """Whether the user's pattern names the uncorrected PET: by such a word, or by a name without wildcards."""
        name = self.pet_pattern.rsplit("/", 1)[-1]
        return bool(name) and (bool(named_uncorrected(self.pet_pattern)) or not {"*", "?"} & set(name))

    def why_not_mask(self, mask: Scan, t1w: Scan) -> str:
        """Why a brain mask that was found by its name does not lie on the T1's grid."""
        if mask.space == ANY_SPACE:
            return ""
        try:
            a, b = read_grid(self.root / mask.path), read_grid(self.root / t1w.path)
        except DataError:  # what is wrong with the file is said when it is read
            return ""
        same = a.shape == b.shape and np.allclose(a.matrix, b.matrix, atol=1e-2)
        return "" if same else "brain mask on another grid than the T1w"

    def t1w(self, scan: Scan) -> T1wQuality:
        """What tells a T1 apart from others of its session."""
        return t1w_quality(scan, self.root)
