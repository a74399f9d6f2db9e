"""One person of the cohort: anatomy, FDG, lesion and images; wholly simulated, or simulated FDG on a real T1."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from synthpet.cohort.index import Cohort, Subject, scale_t1w
from synthpet.cohort.modality import modality
from synthpet.phantom.anatomy import Anatomy, grow
from synthpet.phantom.fields import Lattice
from synthpet.phantom.flair import acquire_flair
from synthpet.phantom.lesions import Lesion, blur_boundary, draw_lesion, is_mri_visible, site_of_patient, thicken
from synthpet.phantom.metabolism import WHITE_MATTER_UPTAKE, Effect, activity
from synthpet.phantom.mishaps import Mishaps, draw_variants
from synthpet.phantom.options import PhantomOptions
from synthpet.phantom.scanner import Scanner, acquire_pet, acquire_t1w, block_mean, strip_skull, suvr
from synthpet.phantom.template import Template

STREAMS = (
    "person", "anatomy", "lesion", "metabolism", "t1w", "mask", "pet", "pose", "flair", "box", "scan", "variants",
    "head",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is settled about a subject before it is made.

    Args:
        participant_id: its BIDS id.
        role: ``paired``, ``unpaired``, ``heldout`` or ``patient``.
        number: within its role, from 0.
        scanner: of its site.
        seed: of everything that chance decides, whatever the other subjects are.
        source: the real subject whose anatomy it has, if any.
    """

    participant_id: str
    role: str
    number: int
    scanner: Scanner
    seed: tuple[int, ...]
    source: Subject | None = None

    def rng(self, stream: str) -> np.random.Generator:
        """Randomness of one kind: other draws of one kind do not shift those of another."""
        return np.random.default_rng((*self.seed, STREAMS.index(stream)))


@dataclass(frozen=True)
class Person:
    """A simulated person before any scanner.

    Args:
        age: years.
        sex: F or M.
        anatomy: tissues.
        lesion: a patient's.
        effect: what the person's own metabolism makes of the expected uptake.
        ageing: the part of it that goes with age: more than that nobody can expect from a T1.
        mishaps: of the PET.
    """

    age: float
    sex: str
    anatomy: Anatomy
    lesion: Lesion | None
    effect: Effect
    ageing: Effect
    mishaps: Mishaps

    def tracer(self) -> NDArray[np.float32]:
        """Tracer concentration (I, J, K) on the anatomy's lattice; the template's whole-brain mean is about 1."""
        factor: NDArray | float = self.lesion.uptake_factor() if self.lesion else 1.0
        if self.mishaps.hyperglycaemia:
            towards = self.mishaps.hyperglycaemia * (WHITE_MATTER_UPTAKE / np.maximum(self.anatomy.uptake, 0.1) - 1)
            factor = factor * (1 + towards)
        return self._activity(self.effect, factor)

    def expected_tracer(self) -> NDArray[np.float32]:
        """The same, (I, J, K), of a healthy person of this age and anatomy without a metabolism of their own."""
        return self._activity(self.ageing, 1.0)

    def _activity(self, effect: Effect, factor: NDArray | float) -> NDArray[np.float32]:
        """Tracer concentration (I, J, K) with an effect and a factor (I, J, K) on the uptake of grey matter."""
        anatomy = self.anatomy
        grey, white = (anatomy.carry(values, effect.lattice) for values in (effect.grey, effect.white))
        uptake = anatomy.uptake * grey * factor
        return activity(anatomy.gm, anatomy.wm, anatomy.csf, uptake, white)


def make_person(plan: Plan, template: Template, options: PhantomOptions) -> Person:
    """Draw a person on the template's fine lattice; a lesion that T1 shows has thickened the cortex."""
    rng = plan.rng("person")
    age, sex = float(np.round(rng.uniform(*options.age), 1)), str(rng.choice(["F", "M"]))
    variants = draw_variants(plan.rng("variants"), options.variants)
    anatomy = grow(template, plan.rng("anatomy"), age, options.anatomy, variants)
    lesion = _lesion(plan, anatomy, options)
    if lesion and lesion.mri_visible:
        anatomy, lesion = thicken(anatomy, lesion)
    return _living(plan, template, (age, sex), anatomy, lesion, options)


def _living(
    plan: Plan,
    template: Template,
    who: tuple[float, str],
    anatomy: Anatomy,
    lesion: Lesion | None,
    options: PhantomOptions,
) -> Person:
    """The person of an anatomy; ``who``: age and sex."""
    age, _ = who
    uneven = draw_variants(plan.rng("variants"), options.variants)["asymmetry"]
    effect = template.uptake.draw(plan.rng("metabolism"), age, uneven=uneven)
    mishaps = Mishaps.draw(plan.rng("scan"), options.scan)
    return Person(*who, anatomy, lesion, effect, template.uptake.expected(age), mishaps)


def simulate(plan: Plan, template: Template, options: PhantomOptions) -> tuple[Subject, dict[str, NDArray]]:
    """Make a wholly simulated person: the row of the table, and by kind the images (I, J, K) on the grid."""
    person = make_person(plan, template, options)
    anatomy, lesion = person.anatomy, person.lesion
    brain = strip_skull(anatomy, plan.rng("mask"))
    t1w = acquire_t1w(plan.scanner, anatomy, plan.rng("t1w"))
    weight = block_mean(lesion.weight) if lesion else np.zeros_like(t1w)
    if lesion and lesion.mri_visible:
        t1w = blur_boundary(t1w, weight, template.lattice)
    images: dict[str, NDArray] = {"t1w": scale_t1w(t1w, brain), "brain_mask": brain}
    images |= {kind: block_mean(getattr(anatomy, kind)) for kind in ("gm", "wm", "csf")}
    images |= _pet_images(plan, person, brain, template.lattice, block_mean)
    images |= _flair_images(plan, person, brain, options, block_mean)
    if lesion:
        images["lesion_mask"] = lesion_mask(weight)
    return describe(plan, person.age, person.sex, plan.scanner.name, lesion), images


def simulate_on(
    plan: Plan, source: Subject, template: Template, options: PhantomOptions, cohort: Cohort
) -> tuple[Subject, dict[str, NDArray]]:
    """Put simulated FDG, and in patients a lesion, into a real person's anatomy; a lesion that T1 shows goes into it.

    Args:
        plan: role, scanner and seed.
        source: whose T1 and tissues.
        template: its uptake map.
        options: ranges of lesions.
        cohort: where the source's images lie.
    """
    age = source.age if source.age is not None else 40.0
    anatomy, t1w, brain = read_anatomy(cohort, source, template)
    grid = anatomy.lattice
    lesion = _lesion(plan, anatomy, options)
    if lesion and lesion.mri_visible:
        before = anatomy
        anatomy, lesion = thicken(anatomy, lesion)
        grey, white = (np.average(t1w, weights=tissue**4) for tissue in (before.gm, before.wm))
        t1w = brain * blur_boundary(t1w + (grey - white) * (anatomy.gm - before.gm), lesion.weight, grid)
    images: dict[str, NDArray] = {"t1w": t1w, "brain_mask": brain}
    images |= {kind: getattr(anatomy, kind) for kind in ("gm", "wm", "csf")}
    person = _living(plan, template, (age, source.sex or "n/a"), anatomy, lesion, options)
    images |= _pet_images(plan, person, brain, grid, lambda volume: volume)
    images |= _flair_images(plan, person, brain, options, lambda volume: volume)
    if lesion:
        images["lesion_mask"] = lesion_mask(lesion.weight)
    return describe(plan, source.age, source.sex, source.site or plan.scanner.name, lesion), images


def read_anatomy(
    cohort: Cohort, subject: Subject, template: Template
) -> tuple[Anatomy, NDArray[np.float32], NDArray[np.bool_]]:
    """A real person's tissues as an ``Anatomy`` on the cohort's grid, with T1 and brain mask, (I, J, K) each."""
    grid = Lattice.of(cohort.grid)
    brain = cohort.load_mask(subject.participant_id)
    gm, wm, csf = (np.clip(cohort.load(subject.participant_id, kind), 0, 1) for kind in ("gm", "wm", "csf"))
    depth = distance_transform_edt(brain) - distance_transform_edt(~brain)
    zero = np.zeros_like(gm)
    uptake = template.smooth.resample(template.maps["uptake"], grid)
    anatomy = Anatomy(grid, gm, wm, csf, (depth * grid.spacing_mm).astype(np.float32), zero, zero, uptake)
    return anatomy, cohort.load(subject.participant_id, "t1w"), brain


def _lesion(plan: Plan, anatomy: Anatomy, options: PhantomOptions) -> Lesion | None:
    if plan.role != "patient":
        return None
    return draw_lesion(
        plan.rng("lesion"),
        anatomy,
        site_of_patient(plan.number, plan.seed[0]),
        depth=options.lesion_depth,
        radius_mm=options.lesion_radius_mm,
        mri_visible=is_mri_visible(plan.number, options.mri_visible),
        shape=options.lesion_shapes[plan.number % len(options.lesion_shapes)],
    )


def _pet_images(
    plan: Plan, person: Person, brain: NDArray[np.bool_], grid: Lattice, to_grid: Callable[[NDArray], NDArray]
) -> dict[str, NDArray]:
    """Measured (or withheld) and expected PET on the grid, (I, J, K) each, SUVR."""
    met = person.mishaps.spoil(to_grid(person.tracer()), grid)
    measured = acquire_pet(plan.scanner, met, grid, plan.rng("pet"))
    expected = acquire_pet(plan.scanner, to_grid(person.expected_tracer()), grid, None)
    kind = "withheld_pet" if plan.role == "unpaired" else "pet"
    return {kind: suvr(measured, brain), "expected_pet": suvr(expected, brain)}


def _flair_images(
    plan: Plan, person: Person, brain: NDArray[np.bool_], options: PhantomOptions,
    to_grid: Callable[[NDArray], NDArray],
) -> dict[str, NDArray]:  # fmt: skip
    """The FLAIR (I, J, K) on the grid, scaled within the brain, for those who ask for it: it costs time."""
    if "flair" not in options.modalities:
        return {}
    flair = acquire_flair(plan.scanner, person.anatomy, person.lesion, plan.rng("flair"), to_grid)
    return {"flair": modality("flair").scaled(flair, brain)}


def lesion_mask(weight: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the lesion is, of its weight (I, J, K): at least one voxel, whatever the grid."""
    return weight > min(0.4, 0.9 * float(weight.max()))


def describe(plan: Plan, age: float | None, sex: str | None, site: str, lesion: Lesion | None) -> Subject:
    """The person's row of the table."""
    group = "patient" if plan.role == "patient" else "control"
    subject = Subject(plan.participant_id, group, plan.role, age, sex, site)
    return replace(subject, lesion_site=lesion.site, mri_visible=lesion.mri_visible) if lesion else subject
