"""Whether one subject's images can be used: each read to its end, on the grid, with values that such an image has."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.coverage import without_padding
from synthpet.cohort.images import Grid, check_grid, read_image_with_gaps, read_remark
from synthpet.cohort.index import Cohort, Subject
from synthpet.cohort.lesions import lesion_voxels
from synthpet.cohort.marks import is_synthetic_image
from synthpet.cohort.names import sidecar_path
from synthpet.cohort.problems import ERROR, WARNING, Problem
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError

NEEDED = {"paired": ("pet",), "heldout": ("pet",), "unpaired": (), "patient": ()}  # beside T1 and brain mask
CHECKED = ("t1w", "brain_mask", "pet", "flair", "gm", "wm", "csf", "lesion_mask", "expected_pet", "withheld_pet")
COMPARED = ("t1w", "pet", "flair")  # between people: nobody has another one's
EMPTY_SHARE = 0.99  # of the brain: an image with more zeros shows nothing
UNTESTED_SHARE = 0.05  # of the brain that the PET does not reach: worth a warning
NEGATIVE_SHARE = 0.2  # of the brain: more is no uptake but a z-map or the like; noise at a generous mask's rim is less
FDG = ("fdg", "glucose")  # 18FFDG, [18F]FDG, fluorodeoxyglucose, 2-deoxy-2-[18F]fluoro-D-glucose
SUVR_UNITS = ("", "arbitrary", "suvr", "unitless", "ratio", "none", "1", "n/a")
UNNAMED = ("", "na", "unknown")
Volume = NDArray[np.float32]


@dataclass
class Facts:
    """What was found of one subject: problems, mean of its PET where it covers the brain, SHA-256 of voxels by kind.

    ``own_gain``: how much better the PET fits the person's tissues than their mirror image; None: not judged.
    """

    participant_id: str
    problems: list[Problem] = field(default_factory=list)
    pet_mean: float | None = None
    digests: dict[str, str] = field(default_factory=dict)
    own_gain: float | None = None


def state_of(cohort: Cohort, subject: Subject) -> dict[str, list[int]]:
    """Size and times of every file of a subject that is checked, by path below the cohort."""
    images = [cohort.path(subject.participant_id, kind) for kind in CHECKED]
    state = {}
    sidecars = [sidecar_path(cohort.path(subject.participant_id, kind)) for kind in ("pet", "flair")]
    for path in (*images, *sidecars):
        try:
            found = path.stat()
        except OSError:
            continue
        state[path.relative_to(cohort.root).as_posix()] = [found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    return state


def check_subject(cohort: Cohort, subject: Subject, grid: Grid | None) -> Facts:
    """Read everything there is of one subject.

    Args:
        cohort: where it lies.
        subject: whose role says which images have to be there.
        grid: that all images must have; None: nobody has a T1 that can be read.
    """
    facts = Facts(subject.participant_id)
    check = _Check(cohort, subject, grid, facts)
    mask = check.read("brain_mask", None)
    brain = None if mask is None else mask > 0.5
    if brain is not None and not brain.any():
        check.add("brain_mask", "E_CONSTANT", "the brain mask is empty; expected 1 in the brain; make it again")
        brain = None
    t1w = check.read("t1w", brain)
    pet = check.read("pet", brain)
    others = {kind: check.read(kind, brain) for kind in CHECKED[3:]}
    check.lesion(others["lesion_mask"], brain)
    for kind, image in (("t1w", t1w), ("flair", others["flair"])):
        if brain is not None and image is not None and image.shape == brain.shape:
            check.varies(kind, image[brain])
    if pet is not None:
        check.pet(without_padding(pet), brain)
    for kind, image, what in (("pet", pet, "PET"), ("flair", others["flair"], "FLAIR")):
        if image is not None:
            check.origin(kind, image, t1w, what)
    read = {"t1w": t1w, "brain_mask": mask, "pet": pet, **others}
    check.plausible({kind: data for kind, data in read.items() if data is not None})
    return facts


@dataclass
class _Check:
    cohort: Cohort
    subject: Subject
    grid: Grid | None
    facts: Facts

    def path(self, kind: str) -> Path:
        return self.cohort.path(self.subject.participant_id, kind)

    def add(self, kind: str, code: str, message: str, level: str = ERROR) -> None:
        relative = self.path(kind).relative_to(self.cohort.root).as_posix()
        self.facts.problems.append(Problem(self.subject.participant_id, relative, code, message, level))

    def read(self, kind: str, brain: NDArray[np.bool_] | None) -> Volume | None:
        """An image (I, J, K); None where it is not there or cannot be read, which is then a problem if it is needed."""
        path, role = self.path(kind), self.subject.role
        if not path.exists() and not path.is_symlink():
            if kind in ("t1w", "brain_mask", *NEEDED[role]):
                self.add(kind, "E_MISSING", f"no such file; expected the {kind} of a {role} subject; add it")
            elif (role, kind) == ("patient", "pet"):
                words = (
                    "no PET: `uad.evaluate` and `uad.compare` need one of every patient; add it, or take the row out"
                )
                self.add(kind, "E_NO_PET", words, WARNING)
            return None
        try:
            data, gaps, found = read_image_with_gaps(path)
            check_grid(path, found, self.grid)
        except DataError as error:
            self.facts.problems.append(Problem.of(error, self.cohort.root, self.subject.participant_id))
            return None
        if gaps.any():
            self._gaps(kind, gaps, brain)
        if remark := read_remark(path):
            self.add(kind, "E_XYZT_UNITS", remark, WARNING)
        if kind in COMPARED:
            self.facts.digests[kind] = hashlib.sha256(data.tobytes()).hexdigest()
        return data

    def _gaps(self, kind: str, gaps: NDArray[np.bool_], brain: NDArray[np.bool_] | None) -> None:
        inside = int((gaps & brain).sum()) if brain is not None else int(gaps.sum())
        if inside:
            self.add(
                kind, "E_NONFINITE", f"n={inside} voxels of the brain are NaN or infinite; expected finite; mask them"
            )
        else:
            words = f"n={int(gaps.sum())} voxels outside the brain are NaN or infinite; taken as 0"
            self.add(kind, "E_NONFINITE", words, WARNING)

    def varies(self, kind: str, values: Volume) -> None:
        """Hold an image to showing something within the brain, by its values there, (n,)."""
        zeros = float((values == 0).mean())
        low, high = np.percentile(values, [1, 99])
        if zeros >= EMPTY_SHARE or not high > low:
            found = f"{zeros:.0%} zeros" if zeros >= EMPTY_SHARE else f"{low:g} nearly everywhere"
            self.add(kind, "E_CONSTANT", f"{found} in the brain; expected an image; look at it and make it again")

    def lesion(self, drawn: Volume | None, brain: NDArray[np.bool_] | None) -> None:
        """Hold a lesion mask, (I, J, K), to values that mean one thing, and to the brain."""
        if drawn is None:
            return
        try:
            lesion, _ = lesion_voxels(drawn, str(self.path("lesion_mask")))
        except DataError as error:
            self.facts.problems.append(Problem.of(error, self.cohort.root, self.subject.participant_id))
            return
        if lesion.any() and self.subject.group == "control":
            words = f"a lesion mask of {int(lesion.sum())} voxels in a control; expected lesions in patients"
            self.add("lesion_mask", "E_GROUP", f"{words}; correct participants.tsv, or take the mask out")
        if brain is not None and lesion.shape == brain.shape and lesion.any() and not (lesion & brain).any():
            words = f"none of its {int(lesion.sum())} voxels lies in the brain mask; expected a lesion of the brain"
            self.add("lesion_mask", "E_NO_LESION", f"{words}; is it drawn on this T1? draw it again, or take it out")

    def origin(self, kind: str, image: Volume, t1w: Volume | None, what: str) -> None:
        """Hold an image, (I, J, K), to being measured, and to being no copy of the T1."""
        if is_synthetic_image(self.path(kind)):
            self.add(kind, "E_SYNTHETIC", f"marked as synthetic; expected a measured {what}; take it out of the cohort")
        if t1w is not None and np.array_equal(image, t1w):
            self.add(kind, "E_SAME", f"the same voxels as the T1w; expected a {what}; check where it comes from")

    def pet(self, pet: Volume, brain: NDArray[np.bool_] | None) -> None:
        """Range and coverage of a PET, (I, J, K) in SUVR, and what its sidecar says."""
        self._sidecar()
        if brain is None or pet.shape != brain.shape:
            return
        values = pet[brain]
        self.varies("pet", values)
        negative, empty = float((values < 0).mean()), float((values == 0).mean())
        if negative > NEGATIVE_SHARE:
            self.add(
                "pet", "E_RANGE", f"{negative:.0%} of the brain is negative; expected uptake (SUVR); make it again"
            )
        elif UNTESTED_SHARE < empty < EMPTY_SHARE:
            self.add("pet", "E_COVERAGE", f"padding in {empty:.0%} of the brain; that part is not tested", WARNING)
        covered = values[values != 0]  # a field of view that ends within the brain makes no other unit
        self.facts.pet_mean = float(covered.mean(dtype=np.float64)) if covered.size else 0.0

    def plausible(self, images: dict[str, Volume]) -> None:
        """Hold images, (I, J, K) by kind, that can be used one by one to what a person looks like in template space."""
        from synthpet.plausibility.subject import look_at

        broken = any(problem.level == ERROR for problem in self.facts.problems)
        if broken or self.grid is None or not self.grid.mirrors or not {"t1w", "brain_mask"} <= set(images):
            return
        findings, self.facts.own_gain = look_at(images, self.grid)
        for finding in findings:
            self.add(finding.kind, finding.code, finding.message, finding.level)

    def _sidecar(self) -> None:
        path = sidecar_path(self.path("pet"))
        if not path.is_file():
            self.add(
                "pet", "E_SIDECAR", "no JSON beside it; expected TracerName and Units; taken as FDG, SUVR", WARNING
            )
            return
        try:
            about = read_json_object(path)
        except DataError as error:
            self.facts.problems.append(Problem.of(error, self.cohort.root, self.subject.participant_id))
            return
        tracer = about.get("TracerName")
        if tracer is not None and not _is_fdg(str(tracer)):
            words = f"tracer {str(tracer)[:40]!r}; expected FDG; correct TracerName if it is, else take the PET out"
            self.add("pet", "E_TRACER", words)
        units = str(about.get("Units", ""))[:40]
        if "".join(units.lower().split()) not in SUVR_UNITS:
            words = f"Units {units!r}; expected arbitrary, as SUVR has; correct them if it is SUVR, else scale the PET"
            self.add("pet", "E_UNITS", words, WARNING)


def _is_fdg(name: str) -> bool:
    plain = "".join(sign for sign in name.lower() if sign.isalnum())
    return plain in UNNAMED or any(word in plain for word in FDG)


def cached(facts: Facts, state: dict[str, list[int]]) -> dict[str, Any]:
    """Facts as JSON, with the state of the files that they hold for."""
    return {
        "state": state,
        "problems": [vars(problem) for problem in facts.problems],
        "pet_mean": facts.pet_mean,
        "digests": facts.digests,
        "own_gain": facts.own_gain,
    }


def restored(participant_id: str, entry: dict[str, Any]) -> Facts:
    """What ``cached`` has kept."""
    problems = [Problem(**problem) for problem in entry["problems"]]
    return Facts(participant_id, problems, entry["pet_mean"], entry["digests"], entry["own_gain"])
