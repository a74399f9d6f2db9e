"""Normative sets: whose T1 and PET a detector learns as normal, and the guards that keep the comparison honest.

No patient and no held-out control is ever a member, and the synthetic PET of a paired control comes from a generator
that never saw that control.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, Fold, Grid, Subject, check_no_leakage, read_folds, read_image
from synthpet.cohort.coverage import without_padding
from synthpet.cohort.files import sha256
from synthpet.cohort.manifest import Manifest
from synthpet.cohort.modality import UNMEASURED, modality
from synthpet.cohort.names import sidecar_path
from synthpet.cohort.paths import FOLDS, Paths
from synthpet.cohort.scan import Scan, load_scan
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError, DataLeakageError, UsageError
from synthpet.generators.crossfit import roles_that_train
from synthpet.generators.trained import WEIGHTS

WITHHELD = "withheld_"
KINDS = {  # name: what stands before the target in the kind of image of those who have it, and of those who lack it
    "real": ("", None),  # None: not members
    "synthetic": ("synthetic_", None),
    "completed": ("", "synthetic_"),
    "resampled": ("", "resampled_"),
    "oracle": ("", WITHHELD),
    "matched": ("", None),
}
FAILURES = {  # keys of quality.json that say that no set should be made with these generators
    "memorised": "synthetic PETs are nearly those of training controls",
    "ignores_t1": "any other person's T1 gives the same PET",
}
MEASURED_ALIKE = ("synthetic", "completed", "resampled")  # the same people as in ``real`` have a measured PET in it
SYNTHETIC = {"synthetic_": "synthetic", "resampled_": "resampled"}  # kind: its name in quality.json


@dataclass(frozen=True)
class Member:
    """One control of a normative set.

    Args:
        participant_id: of the control.
        images: name of each modality, and where its image lies.
        mask: where the brain mask lies.
        synthetic: the modality whose image is synthetic; empty: none.
    """

    participant_id: str
    images: tuple[tuple[str, Path], ...]
    mask: Path
    synthetic: str = ""

    def path(self, name: str) -> Path:
        """Where the image of a modality lies."""
        return dict(self.images)[name]

    def put(self, name: str, path: Path, *, synthetic: str) -> "Member":
        """The same control with another image of a modality."""
        return replace(self, images=tuple((dict(self.images) | {name: path}).items()), synthetic=synthetic)

    def files(self) -> tuple[Path, ...]:
        """Every image, then the mask."""
        return (*(path for _, path in self.images), self.mask)


@dataclass(frozen=True)
class NormativeSet:
    """The images that a detector learns from; ``normative_set`` makes and checks it.

    Args:
        name: a key of ``KINDS``.
        members: in the order of ``participants.tsv``.
        grid: of all images.
        smooth_fwhm_mm: Gaussian that takes measured images of the target (members' and evaluated people's) to the
            resolution of the synthetic ones; 0: none.
        images: names of the modalities of every member.
        target: the modality that is completed, and smoothed.
    """

    name: str
    members: tuple[Member, ...]
    grid: Grid
    smooth_fwhm_mm: float = 0.0
    images: tuple[str, ...] = ("t1w", "pet")
    target: str = "pet"

    def load(self, member: Member) -> Scan:
        """One member's images; a measured target is smoothed if the set says so."""
        mask = read_image(member.mask, grid=self.grid)[0] > 0.5
        found = {}
        for name, path in member.images:
            kind, image = modality(name), read_image(path, grid=self.grid)[0]
            if name != member.synthetic and kind.zero == UNMEASURED:
                image = without_padding(image)
            image = kind.scaled(image, mask)
            found[name] = self.smooth(image, mask) if name == self.target != member.synthetic else image
        return Scan(found, mask)

    def scans(self) -> Iterator[Scan]:
        """The members' images, one in memory at a time."""
        return map(self.load, self.members)

    def evaluated(self, cohort: Cohort, participant_id: str) -> Scan:
        """The images of a patient or held-out control, the target at the same resolution as the members' measured ones.

        What the person does not have is not in the scan.
        """
        names = [name for name in self.images if cohort.has(participant_id, name)]
        scan = load_scan(cohort, participant_id, names)
        if self.target not in scan.images:
            return scan
        return scan.put(**{self.target: self.smooth(scan[self.target], scan.mask)})

    def smooth(self, image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """A measured image of the target (I, J, K) at the resolution of the set."""
        if self.smooth_fwhm_mm == 0:
            return image
        from synthpet.template.smoothing import smooth_within

        return smooth_within(image, mask, self.smooth_fwhm_mm, self.grid.spacing_mm)

    def files(self) -> tuple[Path, ...]:
        """Every image that determines the set."""
        return tuple(path for member in self.members for path in member.files())


def normative_set(
    cohort: Cohort, name: str, synthetic_folder: Path | None = None, *, smooth_fwhm_mm: float | str = 0.0,
    force: bool = False, images: Sequence[str] = ("t1w", "pet"), target: str = "pet",
) -> NormativeSet:  # fmt: skip
    """Choose the controls of a normative set and check that none may harm the comparison.

    Args:
        cohort: the cohort.
        name: ``real``: the paired controls with their PET; ``synthetic``: the same people, cross-fitted synthetic
            PET; ``completed``: real PET of the paired and synthetic PET of the unpaired; ``resampled``: completed,
            each synthetic PET with another control's residual; ``oracle``: simulated cohorts only, everybody's
            true PET; ``matched``: as ``real``, meant for ``smooth_fwhm_mm="match"``, to tell smoother from better.
        synthetic_folder: from ``synthpet.complete``; needed where PETs are synthetic.
        smooth_fwhm_mm: see ``NormativeSet``; "match": what makes real PET as smooth as ``synthetic_folder``'s.
        force: take synthetic PETs although their quality is unknown or says that the generators failed.
        images: the modalities that every member has. Without the target among them, everybody is a member who has
            them all.
        target: the modality that generators complete; PET in the words above.

    Raises:
        UsageError: an unknown name, or no folder where one is needed.
        DataError: images are missing (all are named), or synthetic PETs have collapsed towards the mean, are copies of
            training PETs or come from generators that ignore the T1.
        DataLeakageError: a control's PET comes from a generator that saw it.
    """
    if name not in KINDS:
        raise UsageError(f"normative={name}: expected one of {', '.join(KINDS)}")
    wanted = _wanted(cohort, name, tuple(images), target)
    synthetic = [(s, kind) for s, kind in wanted if _kind(kind) in SYNTHETIC]
    if synthetic and synthetic_folder is None:
        raise UsageError(f"normative={name}: needs the folder of the synthetic PETs (`python -m synthpet.complete`)")
    members = tuple(_member(cohort, synthetic_folder, subject, kind, images, target) for subject, kind in wanted)
    found = NormativeSet(name, members, cohort.grid, images=tuple(images), target=target)
    _check_files(found)
    check_normative(found, cohort)
    if synthetic_folder is not None and synthetic:
        check_synthetic(cohort, Path(synthetic_folder), synthetic)
        if not force:
            _check_quality(Path(synthetic_folder), {(s.role, SYNTHETIC[_kind(kind)]) for s, kind in synthetic})
    return replace(found, smooth_fwhm_mm=_smoothing(smooth_fwhm_mm, cohort, synthetic_folder, target))


def _smoothing(smooth_fwhm_mm: float | str, cohort: Cohort, synthetic_folder: Path | None, target: str) -> float:
    if smooth_fwhm_mm != "match":
        return float(smooth_fwhm_mm)
    if synthetic_folder is None:
        raise UsageError("smooth_fwhm_mm=match: needs the folder of the synthetic PETs (`python -m synthpet.complete`)")
    source, ids = replace(cohort, root=Path(synthetic_folder)), [s.participant_id for s in cohort.select("paired")]
    images = [cohort.path(i, kind) for i in ids for kind in (target, "brain_mask")]
    images += [source.path(i, f"synthetic_{target}") for i in ids]
    return _matching(cohort, Path(synthetic_folder), target, tuple(sha256(path) for path in images if path.is_file()))


@lru_cache(maxsize=8)
def _matching(cohort: Cohort, synthetic_folder: Path, target: str, images: tuple[str, ...]) -> float:
    """Measured once for the same ``images`` (SHA-256): a comparison asks again for every detector."""
    from uad.normative.resolution import matching_fwhm_mm

    return matching_fwhm_mm(cohort, synthetic_folder, target)


def _wanted(cohort: Cohort, name: str, images: tuple[str, ...], target: str) -> list[tuple[Subject, str]]:
    """The members, and the kind of each one's image of the target.

    Of PET the roles say who has one; of other modalities, whether the image is there.
    """
    paired, unpaired = KINDS[name]
    if target not in images:
        if name != "real":
            raise UsageError(f"normative={name}: the detector's images {list(images)} have no {target} to be completed")
        found = cohort.select("paired", "unpaired")
        whole = [s for s in found if all(cohort.has(s.participant_id, image) for image in images)]
        return [(subject, "") for subject in whole]
    kinds = {"paired": paired and paired + target, "unpaired": unpaired and unpaired + target}
    if target == "pet":
        return [(s, kind) for s in cohort.select("paired", "unpaired") if (kind := kinds[s.role]) is not None]
    measured = {s.participant_id for s in cohort.pairs([i for i in images if i != target], target)}
    roles = ((s, "paired" if s.participant_id in measured else "unpaired") for s in cohort.select("paired", "unpaired"))
    return [(subject, kind) for subject, role in roles if (kind := kinds[role]) is not None]


def _kind(kind: str) -> str:
    """The first word of a kind of image: ``synthetic_`` of ``synthetic_pet``; empty: measured."""
    return next((known for known in (*SYNTHETIC, WITHHELD) if kind.startswith(known)), "")


def _member(
    cohort: Cohort, folder: Path | None, subject: Subject, kind: str, images: Sequence[str], target: str
) -> Member:
    who = subject.participant_id
    member = Member(who, tuple((name, cohort.path(who, name)) for name in images), cohort.path(who, "brain_mask"))
    if not kind:
        return member
    synthetic = _kind(kind) in SYNTHETIC
    source = replace(cohort, root=Path(folder)) if folder is not None and synthetic else cohort
    return member.put(target, source.path(who, kind), synthetic=target if synthetic else "")


def _check_files(normative: NormativeSet) -> None:
    missing = [
        f"{member.participant_id}: no {path}"
        for member in normative.members
        for path in member.files()
        if not path.is_file()
    ]
    if missing or len(normative.members) < 2:
        raise DataError(
            f"E_NORMATIVE normative={normative.name}: {len(normative.members)} controls; expected at least 2, each "
            "with all images (synthetic ones come from `python -m synthpet.complete`, resampled ones with "
            "complete.residual=resampled, withheld ones exist in simulated cohorts only)\n  " + "\n  ".join(missing)
        )


def check_normative(normative: NormativeSet, cohort: Cohort) -> None:
    """Hold a set to the rule that detectors learn from paired and unpaired controls only, each once.

    Raises:
        DataLeakageError: naming patients, held-out controls, strangers, people who are there twice, and PETs that
            are called real but say in their sidecar that they are synthetic, or the reverse.
    """
    role = {s.participant_id: f"{s.group}, {s.role}" for s in cohort.subjects}
    ids = [member.participant_id for member in normative.members]
    allowed = ("control, paired", "control, unpaired")
    problems = [f"{i} ({role.get(i, 'unknown')})" for i in ids if role.get(i) not in allowed]
    problems += [f"{i} (twice)" for i in sorted(set(ids)) if ids.count(i) > 1]
    problems += [
        f"{m.participant_id} ({'not ' if name == m.synthetic else ''}marked synthetic: {path.name})"
        for m in normative.members
        for name, path in m.images
        if bool(_read_json(sidecar_path(path)).get("Synthetic")) != (name == m.synthetic)
    ]
    if problems:
        raise DataLeakageError(
            f"E_LEAK_NORMATIVE normative={normative.name}: expected paired and unpaired controls, found "
            + ", ".join(problems)
        )


def check_synthetic(cohort: Cohort, folder: Path, wanted: Sequence[tuple[Subject, str]]) -> None:
    """Check by fold and by hash that no control's synthetic PET comes from a generator that saw that control.

    Folds without test subjects belong to another cohort, whose people ``synthpet.complete`` has compared by content.

    Args:
        cohort: the cohort.
        folder: of the synthetic PETs, with its folds and, for the hashes, its manifest.
        wanted: subjects, and the kind of their synthetic image.

    Raises:
        DataError: ``folds.json`` is missing.
        DataLeakageError: all subjects whose PET may not be used.
    """
    if not (folder / FOLDS).is_file():
        raise DataError(f"E_MISSING {folder / FOLDS}: who trained which generator; run synthpet.complete")
    folds = {fold.index: fold for fold in read_folds(folder / FOLDS)}
    foreign = not any(fold.test for fold in folds.values())
    roles = roles_that_train({kind.removeprefix(_kind(kind)) for _, kind in wanted})
    if not foreign:
        for fold in folds.values():
            check_no_leakage(fold, cohort, roles)
    hashes = generator_hashes(folder)
    paired = {s.participant_id for s in cohort.select("paired")}
    problems = []
    for subject, kind in wanted:
        about = _read_json(sidecar_path(replace(cohort, root=folder).path(subject.participant_id, kind)))
        if problem := _leak(subject, about, {} if foreign else folds, hashes, paired):
            problems.append(f"{subject.participant_id}: {problem}")
    if problems:
        raise DataLeakageError(
            f"E_LEAK_SYNTHETIC {folder}: synthetic PETs that may not be used; run `python -m synthpet.complete`\n  "
            + "\n  ".join(problems)
        )


def _leak(
    subject: Subject, about: dict[str, Any], folds: dict[int, Fold], hashes: dict[int, str], paired: set[str]
) -> str | None:
    """Why a subject's synthetic PET may not be used; ``folds`` is empty where generators are of another cohort."""
    used = about.get("Fold")
    if not about.get("Synthetic") or not used:
        return "its sidecar does not say which fold's generator made it"
    for k, digest in zip(used, about.get("GeneratorSHA256", []), strict=False):
        if hashes.get(k, digest) != digest:
            return f"its generator is not that of fold {k} (SHA-256 {digest[:12]}, expected {hashes[k][:12]})"
    if folds and not set(used) <= set(folds):
        return f"made by fold {used}; found folds {sorted(folds)}"
    seen = [k for k in used if folds and subject.participant_id in folds[k].train]
    if seen:
        return f"made by the generator of fold {seen}, which was trained on it"
    if folds and subject.role == "paired" and not all(subject.participant_id in folds[k].test for k in used):
        return f"made by fold {used}, in whose test set it is not"
    donor = about.get("ResidualOf")
    if donor is not None and donor not in paired - {subject.participant_id}:
        return f"carries the residual of {donor}; expected another paired control"
    return None


def generator_hashes(folder: Path) -> dict[int, str]:
    """Fold to SHA-256 of its generator, as the manifest of the synthetic PETs has it; empty where there is none."""
    if not (folder / FOLDS).is_file():
        return {}
    manifest = Manifest.read(folder)
    indices = [fold.index for fold in read_folds(folder / FOLDS)]
    found = {k: manifest.input_at(Paths.fold(Path(), k) / WEIGHTS) for k in indices}
    return {k: digest for k, digest in found.items() if digest}


def _check_quality(folder: Path, used: set[tuple[str, str]]) -> None:
    """Refuse synthetic PETs that are too alike, or of unknown quality; ``used``: role and image of quality.json."""
    path = folder / "quality.json"
    if not path.is_file():
        raise DataError(
            f"E_QUALITY {path}: missing, so it is unknown whether these PETs have collapsed towards the mean; "
            "run `python -m synthpet.evaluate`, or set normative.force=true"
        )
    roles = _read_json(path).get("roles", {})
    failed = sorted({f for found in roles.values() for f in FAILURES if used and found.get(f)})
    if failed:
        raise DataError(
            f"E_{failed[0].upper()} {folder}: its quality.json says that the generators failed ({', '.join(failed)}: "
            + "; ".join(FAILURES[f] for f in failed)
            + "); expected neither. Train on more controls or longer, or set normative.force=true"
        )
    for role, image in sorted(used):
        measured = next((roles[r] for r in (role, "paired", "heldout") if "narrowest" in roles.get(r, {})), None)
        if measured is None:
            continue  # no or few real PETs to compare with, as with generators of another cohort
        ratio, least = measured["variance_ratio"].get(image), measured["narrowest"]
        flag = measured["collapsed"] if image == "synthetic" else ratio is not None and ratio < least
        if flag:
            raise DataError(
                f"E_COLLAPSED {folder}: {image} PET of {role} controls has {ratio:.2g} of the real between-subject "
                f"variance and shows less of it than the T1 explains or than it knows itself (at least {least:.2g} "
                "is expected; see knowable in quality.json). A normative set made from it would be too narrow; train "
                "longer, use complete.residual=resampled, or set normative.force=true"
            )


def _read_json(path: Path) -> dict[str, Any]:
    """The content, or nothing where there is no such file."""
    return read_json_object(path) if path.is_file() else {}
