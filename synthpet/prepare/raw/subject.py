"""One person of a raw folder: who they are, where their images lie, what is peculiar."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from synthpet.cohort.index import Subject
from synthpet.cohort.marks import is_simulated_dataset, is_simulated_image


@dataclass(frozen=True)
class RawSubject:
    """One person: who they are in the cohort, and where their images lie.

    ``pet``: FDG, 3D or 4D; ``flair``; ``lesion_mask`` in the T1's space; each None where there is none.
    ``problem`` says why the person cannot be prepared, ``t1w`` is then None; ``notes`` are for the reader;
    ``why``: what made them a control or a patient.
    ``root``: the folder that was read, None where a path stands for itself.
    """

    subject: Subject
    t1w: Path | None
    brain_mask: Path | None = None
    pet: Path | None = None
    flair: Path | None = None
    lesion_mask: Path | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()
    root: Path | None = None
    why: str = ""

    def refused(self, problem: str) -> "RawSubject":
        """The same person, who cannot be prepared for one more reason."""
        reasons = "; ".join(text for text in (self.problem, problem) if text)
        return replace(self, t1w=None, brain_mask=None, pet=None, flair=None, lesion_mask=None, problem=reasons)

    @cached_property
    def is_simulated(self) -> bool:
        """Whether the data set, or a sidecar of T1 or PET, says so."""
        images = [path for path in (self.t1w, self.pet) if path is not None]
        return any(map(is_simulated_image, images)) or (self.root is not None and is_simulated_dataset(self.root))

    def source(self, path: Path) -> str:
        """A path as results may name it: below the folder that was read, without the machine's own folders."""
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        parts = path.parts
        return "/".join(
            parts[parts.index(self.subject.participant_id) :] if self.subject.participant_id in parts else parts[-1:]
        )
