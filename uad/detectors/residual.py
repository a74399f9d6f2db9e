"""The T1-conditioned residual: measured PET minus the PET that generators expect from the person's own T1."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort, read_folds, read_image
from synthpet.cohort.manifest import MANIFEST, Manifest
from synthpet.cohort.paths import FOLDS, Paths
from synthpet.cohort.scan import Scan
from synthpet.errors import DataError, DataLeakageError, UsageError
from synthpet.generators.options import SAMPLING
from synthpet.generators.trained import TrainedGenerator
from synthpet.runtime.device import device_name
from synthpet.runtime.options import own_options
from synthpet.template.smoothing import smooth_within
from uad.detectors.base import EXPECTED_PET, SHARED, SYNTHESIS, Assignment
from uad.detectors.deviation import Measure, PetDeviation
from uad.detectors.left_out import LeftOut
from uad.normative.sets import Member, NormativeSet, check_synthetic, generator_hashes

Synthesise = Callable[[Scan], NDArray[np.float32]]


class Residual(PetDeviation):
    """Smoothed residual in SUVR, against the residuals of controls whose PET the generators never saw.

    It learns from real PET only: the residual of a synthetic PET is zero by construction. So of a normative set it
    takes the members with real PET (``real``, ``completed`` and ``resampled``: the paired controls; ``oracle``:
    everybody), and of ``synthetic``, which has none, the same people's real PET. Its columns ``real``, ``synthetic``,
    ``completed`` and ``resampled`` are therefore equal by definition.

    Args:
        synthetic_folder: synthetic PET of the controls, cross-fitted, from ``synthpet.complete``.
        synthesise: T1 and mask to PET for everybody else; see ``synthesiser``.
        options: of ``PetDeviation``.

    Source: Yaakub et al., MICCAI SASHIMI 2019 (pseudo-normal PET by a GAN, voxelwise z of the difference).
    """

    needs = (SYNTHESIS,)
    measured_only = True

    def __init__(self, synthetic_folder: Path, synthesise: Synthesise, **options: Any) -> None:
        super().__init__(**options)
        self.synthetic_folder = Path(synthetic_folder)
        self.synthesise = synthesise

    @classmethod
    def of(cls, options: Mapping[str, Any], assignment: Assignment) -> Self:
        """As ``PetDeviation.of``, with the generators that made the cohort's synthetic PET.

        Raises:
            UsageError: there are none.
        """
        synthetic, generators = assignment.synthetic, assignment.generators
        if synthetic is None or generators is None:
            raise UsageError(f"detector={options.get('name')}: needs synthetic PET (`python -m synthpet.complete`)")
        device = device_name(assignment.accelerator)
        expected = synthesiser(generators, synthetic, assignment.cohort, device=device)
        return cls(synthetic, expected, **asdict(own_options(cls.Options, "detector", options, SHARED)))

    @classmethod
    def looks_at(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """What the generators are given, and what they make of it."""
        return ("t1w", "pet")

    def measure(self, scan: Scan) -> Measure:
        """Measured minus expected PET, SUVR, smoothed within the brain."""
        return self._residual(scan["pet"], self.synthesise(scan), scan.mask)

    def z_map(self, scan: Scan) -> dict[str, NDArray[np.float32]]:
        """As ``PetDeviation.z_map``, and ``expected_pet``, SUVR."""
        expected = self.synthesise(scan)
        raw, where = self._residual(scan["pet"], expected, scan.mask)
        found = self._maps(raw, where, self.statistics_, self.plain_ if self.options.mirror else None)
        return found | {EXPECTED_PET: expected}

    def files(self, normative: NormativeSet, cohort: Cohort) -> tuple[Path, ...]:
        """The real PET that is learned from, and the synthetic PET that is subtracted."""
        expected = replace(cohort, root=self.synthetic_folder)
        members = with_real_pet(normative, cohort)
        synthetic = (expected.path(member.participant_id, "synthetic_pet") for member in members)
        return (*replace(normative, members=tuple(members)).files(), *synthetic)

    def _residual(self, pet: NDArray[np.float32], expected: NDArray[np.float32], mask: NDArray[np.bool_]) -> Measure:
        return self._smooth(pet - expected, mask), mask

    def left_out(self, normative: NormativeSet, cohort: Cohort) -> LeftOut:
        """As ``PetDeviation.left_out``; with generators of the cohort's own, about the mean of all controls.

        Those of the other controls were trained on the one that is left out, so that the mean of their residuals leans
        away from it by about as much as its own share would: to take it out would count it twice.
        """
        self.mean_of_others = not is_crossfitted(self.synthetic_folder)
        return super().left_out(normative, cohort)

    def _members(self, normative: NormativeSet, cohort: Cohort) -> list[Member]:
        return with_real_pet(normative, cohort)

    def _measure_controls(self, normative: NormativeSet, cohort: Cohort) -> Iterator[Measure]:
        members = self._members(normative, cohort)
        subjects = {s.participant_id: s for s in cohort.subjects}
        check_synthetic(cohort, self.synthetic_folder, [(subjects[m.participant_id], "synthetic_pet") for m in members])
        expected = replace(cohort, root=self.synthetic_folder)
        for member in members:
            scan = normative.load(member)
            path = expected.path(member.participant_id, "synthetic_pet")
            yield self._residual(scan["pet"], read_image(path, grid=cohort.grid)[0], scan.mask)


def is_crossfitted(synthetic_folder: Path) -> bool:
    """Whether the generators were trained on this cohort's own controls, each fold's without those that it is for."""
    return any(fold.test for fold in read_folds(synthetic_folder / FOLDS))


def with_real_pet(normative: NormativeSet, cohort: Cohort) -> list[Member]:
    """The members that have a real PET; where none has, the paired ones with the real PET that the cohort holds."""
    real = [member for member in normative.members if not member.synthetic]
    paired = {s.participant_id for s in cohort.select("paired")}
    return real or [
        member.put("pet", cohort.path(member.participant_id, "pet"), synthetic="")
        for member in normative.members
        if member.participant_id in paired
    ]


def synthesiser(
    generator_folder: Path, synthetic_folder: Path, cohort: Cohort, *, batch_size: int = 8, device: str = "cpu"
) -> Synthesise:  # fmt: skip
    """How people outside the folds (patients, held-out controls) get an expected PET: the mean over the folds.

    That of the cohort's own people is read where ``synthpet.complete`` has written it: they are known by the content
    of their T1 and mask. Anybody else's is synthesised, with the stride and smoothing that made the written ones;
    generators are checked to be the same.

    Args:
        generator_folder: with one generator a fold.
        synthetic_folder: the synthetic PET that was made with them.
        cohort: whose people these are; gives the grid.
        batch_size: patches at a time.
        device: where the generators run.

    Raises:
        DataError: a manifest is missing.
        DataLeakageError: the generators are not those that made the synthetic PET, or a synthetic PET that is read
            comes from a generator that saw its person.
        UsageError: the controls' synthetic PET was matched to the histograms of training controls, which is not done
            here.
    """
    hashes = generator_hashes(synthetic_folder)
    if not hashes:
        raise DataError(f"E_MISSING {synthetic_folder / MANIFEST}: names no generators; run synthpet.complete")
    made = Manifest.read(synthetic_folder).config
    if made["histogram_matching"]:
        raise UsageError(f"{synthetic_folder}: made with complete.histogram_matching=true; the residual needs it false")
    generators = {k: TrainedGenerator(Paths.fold(generator_folder, k)) for k in sorted(hashes)}
    other = {f"{'+'.join(g.sources)} -> {g.target}" for g in generators.values()} - {"t1w -> pet"}
    if other:
        raise UsageError(f"{generator_folder}: generators of {', '.join(other)}; the residual needs t1w -> pet")
    changed = [str(g.weights) for k, g in generators.items() if not g.weights.is_file() or g.sha256 != hashes[k]]
    if changed:
        raise DataLeakageError(
            f"E_LEAK_GENERATOR {synthetic_folder} was made with other generators than {', '.join(changed)}; "
            "run `python -m synthpet.complete`"
        )

    @cache
    def written() -> dict[bytes, Path]:
        return _written_pets(synthetic_folder, cohort)

    def expected_pet(scan: Scan) -> NDArray[np.float32]:
        t1w, mask = scan["t1w"], scan.mask
        if (path := written().get(_digest(t1w, mask))) is not None:
            return read_image(path, grid=cohort.grid)[0]
        sampling = {key: made[key] for key in SAMPLING if key in made}
        options = {"stride": made["stride"], "batch_size": batch_size, "device": device, **sampling}
        pets = [g.synthesise(Scan({"t1w": t1w}, mask), cohort.grid.matrix, **options) for g in generators.values()]
        pet = np.mean(pets, axis=0)
        fwhm_mm = made["smooth_fwhm_mm"]
        return smooth_within(pet, mask, fwhm_mm, cohort.grid.spacing_mm) if fwhm_mm else pet

    return expected_pet


def _written_pets(synthetic_folder: Path, cohort: Cohort) -> dict[bytes, Path]:
    """Where the expected PET of patients and held-out controls lies, by the content of their T1 and mask."""
    source = replace(cohort, root=synthetic_folder)
    people = [s for s in cohort.select("patient", "heldout") if source.has(s.participant_id, "synthetic_pet")]
    check_synthetic(cohort, synthetic_folder, [(subject, "synthetic_pet") for subject in people])
    return {
        _digest(cohort.load_t1w(who), cohort.load_mask(who)): source.path(who, "synthetic_pet")
        for who in (subject.participant_id for subject in people)
    }


def _digest(t1w: NDArray[np.float32], mask: NDArray[np.bool_]) -> bytes:
    return sha256(t1w.tobytes() + mask.tobytes()).digest()
